/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a cpio archive as the kernel unpacks it (Documentation/driver-api/early-userspace/
 * buffer-format.rst: "newc"), in memory. The same files in the same order give the same bytes:
 * everything is root's and from the year 1970.
 */
#ifndef VOLT_VOLT_CPIO_H
#define VOLT_VOLT_CPIO_H

#include "base/bytes.h"
#include "base/verr.h"

struct cpio {
	uint8_t *at; /* the archive so far */
	size_t len;
	size_t room;
	uint32_t inodes;
};

#define CPIO_INIT \
	{         \
		0 \
	}

/*
 * Names are relative to the root folder ("etc/fstab"); a folder comes before what is in it. `mode`
 * is of permissions only.
 */
V_MUST_CHECK int cpio_folder(struct cpio *c, const char *name, unsigned mode, struct verr *e);
V_MUST_CHECK int cpio_file(struct cpio *c, const char *name, unsigned mode, struct bytes data,
			   struct verr *e);

/* The end of the archive: nothing may be added after it. */
V_MUST_CHECK int cpio_end(struct cpio *c, struct verr *e);

void cpio_deinit(struct cpio *c);

#endif
