/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options as people write them ("ro,noatime,errors=remount-ro") to what mount(2) takes. */
#ifndef VOLT_INIT_MOUNTOPTS_H
#define VOLT_INIT_MOUNTOPTS_H

#include <stdbool.h>

struct mountopts {
	unsigned long flags;
	const char *data; /* what is left for the file system; "" where nothing is */
	bool noauto;      /* not at the start */
	bool nofail;      /* not a word where it fails */
};

/* Cuts "text" up, which must live as long as the result. */
void mountopts_parse(struct mountopts *options, char *text);

#endif
