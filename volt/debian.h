/* SPDX-License-Identifier: Apache-2.0 */
/* A Debian system as a tar, made by mmdebstrap, which needs no root for it. */
#ifndef VOLT_VOLT_DEBIAN_H
#define VOLT_VOLT_DEBIAN_H

#include "base/verr.h"

struct debian {
	const char *suite;   /* bookworm */
	const char *include; /* packages, with commas between; or NULL */
	const char *mirror;  /* URL, or NULL for Debian's own */
};

/* What would keep it from working, as far as that can be known before. */
V_MUST_CHECK int debian_check(const struct debian *d, struct verr *e);

/* Write the tar to `fd`. Takes minutes; an interrupt ends it. */
V_MUST_CHECK int debian_write_tar(const struct debian *d, int fd, struct verr *e);

#endif
