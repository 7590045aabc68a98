/* SPDX-License-Identifier: Apache-2.0 */
/* What stands beside a snapshot and says which files were verified: anything, and then written
 * again. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/snapshot/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t id[STAMP_ID];
	static struct stamp read, again;
	int fd = memfd_create("stamp", MFD_CLOEXEC);
	struct verr e = VERR_INIT;

	if (fd < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	stamp_read(&read, id, fd);
	if (read.count > STAMP_FILES_MAX || ftruncate(fd, 0) < 0 || stamp_write(&read, fd, &e) < 0)
		abort();
	stamp_read(&again, id, fd);
	if (again.count != read.count)
		abort();
	for (size_t i = 0; i < read.count; i++)
		if (!stamp_has(&again, &read.files[i]))
			abort();
	(void)close(fd);
	return 0;
}
