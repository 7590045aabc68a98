/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

#define RESOLV_CONF "/etc/resolv.conf"

#define LINES_MAX (ADDRESS_SERVERS * (INET6_ADDRSTRLEN + 16))

/* A link there leads to what another init would have made. */
static int open_resolv_conf(int how)
{
	int flags = O_CREAT | O_NOFOLLOW | O_CLOEXEC | how;
	int fd = open(RESOLV_CONF, flags, 0644);

	if (fd < 0 && errno == ELOOP && unlink(RESOLV_CONF) == 0)
		fd = open(RESOLV_CONF, flags, 0644);
	return fd;
}

static void print_lines(const struct address_setup *setup, char text[LINES_MAX])
{
	char address[INET6_ADDRSTRLEN];
	size_t size = 0;

	text[0] = 0;
	for (size_t i = 0; i < setup->servers; i++) {
		const struct address *server = &setup->server[i];

		(void)inet_ntop(server->family, server->bytes, address, sizeof(address));
		size += (size_t)snprintf(text + size, LINES_MAX - size, "nameserver %s\n", address);
	}
}

bool resolv_replace(char text[RESOLV_MAX], const char *old, const char *new)
{
	size_t old_size = strlen(old), new_size = strlen(new);
	char *at = strstr(text, old);

	while (at && at != text && at[-1] != '\n')
		at = strstr(at + 1, old);
	if (!at || strlen(text) - old_size + new_size >= RESOLV_MAX)
		return false;
	memmove(at + new_size, at + old_size, strlen(at + old_size) + 1);
	memcpy(at, new, new_size);
	return true;
}

static bool write_lines(int fd, const char *lines)
{
	size_t size = strlen(lines);

	return write(fd, lines, size) == (ssize_t)size;
}

/* False with errno where that fails; that the old lines are gone is no failure. */
static bool write_instead(int fd, const char *old, const char *new)
{
	char text[RESOLV_MAX];
	ssize_t size;

	/* Clients of other interfaces may be at it, too. */
	if (flock(fd, LOCK_EX) < 0)
		return false;
	size = read(fd, text, sizeof(text));
	if (size < 0)
		return false;
	if (size == sizeof(text))
		return true;
	text[size] = 0;
	if (strlen(text) != (size_t)size || !resolv_replace(text, old, new))
		return true;
	return ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && write_lines(fd, text);
}

void resolv_write(const struct address_setup *setup, const struct address_setup *earlier,
		  bool *written)
{
	char lines[LINES_MAX], old[LINES_MAX];
	bool again = earlier && earlier->servers > 0;
	int fd;

	if (setup->servers == 0)
		return;
	print_lines(setup, lines);
	if (again) {
		print_lines(earlier, old);
		if (strcmp(old, lines) == 0)
			return;
		fd = open_resolv_conf(O_RDWR);
	} else {
		fd = open_resolv_conf(O_WRONLY | O_APPEND | (*written ? 0 : O_TRUNC));
	}
	if (fd < 0 || !(again ? write_instead(fd, old, lines) : write_lines(fd, lines)))
		say("cannot write " RESOLV_CONF ": %s", strerror(errno));
	*written = true;
	if (fd >= 0)
		close(fd);
}
