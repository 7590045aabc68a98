/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/memroot.h"

#include <linux/magic.h>
#include <sys/vfs.h>

bool memroot_is(void)
{
	struct statfs root;

	/* Which of the two the kernel takes for it depends on how it was built. */
	return statfs("/", &root) == 0 &&
	       (root.f_type == RAMFS_MAGIC || root.f_type == TMPFS_MAGIC);
}
