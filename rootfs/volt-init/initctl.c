/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/initctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INITCTL_PATH "/run/initctl"
#define INITCTL_MAGIC 0x03091969
#define INITCTL_RUNLEVEL 1

/* One request, as sysvinit's clients have written it since the 1990s. */
struct initctl_request {
	int32_t magic;
	int32_t command;
	int32_t runlevel; /* a character */
	int32_t grace;
	char data[368];
};
_Static_assert(sizeof(struct initctl_request) == 384, "the size on the pipe");

int initctl_open(void)
{
	if (mkfifo(INITCTL_PATH, 0600) < 0 && errno != EEXIST)
		return -1;
	/* Open for writing too, so that it does not end with its last writer. */
	int fd = open(INITCTL_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fcntl(fd, F_SETOWN, getpid()) < 0 ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

enum ending initctl_parse(const void *request, size_t size)
{
	struct initctl_request copy;

	if (size != sizeof(copy))
		return ENDING_NONE;
	memcpy(&copy, request, sizeof(copy));
	if (copy.magic != INITCTL_MAGIC || copy.command != INITCTL_RUNLEVEL)
		return ENDING_NONE;
	if (copy.runlevel == '0')
		return ENDING_POWER_OFF;
	return copy.runlevel == '6' ? ENDING_RESTART : ENDING_NONE;
}

enum ending initctl_read(int fd)
{
	struct initctl_request request;
	ssize_t got;

	while ((got = read(fd, &request, sizeof(request))) > 0) {
		enum ending ending = initctl_parse(&request, (size_t)got);

		if (ending != ENDING_NONE)
			return ending;
	}
	return ENDING_NONE;
}
