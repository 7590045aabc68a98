/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static ssize_t read_all(int fd, char *text, size_t limit)
{
	size_t size = 0;

	/* One byte more than the limit tells a file that just fits from one that does not. */
	while (size <= limit) {
		ssize_t got = read(fd, text + size, limit + 1 - size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			return (ssize_t)size;
		size += (size_t)got;
	}
	errno = EFBIG;
	return -1;
}

char *file_read(const char *path, size_t limit, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return NULL;

	/* Files of /proc have no size to ask for; pages never touched cost nothing. */
	char *text =
		mmap(NULL, limit + 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ssize_t got = text == MAP_FAILED ? -1 : read_all(fd, text, limit);
	int err = errno;

	close(fd);
	if (got < 0) {
		if (text != MAP_FAILED)
			munmap(text, limit + 2);
		errno = err;
		return NULL;
	}
	text[got] = '\0';
	*size = (size_t)got;
	return text;
}
