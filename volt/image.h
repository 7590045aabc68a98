/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a bzImage (Linux/x86 boot protocol 2.08 and newer): where the compressed kernel is
 * in it, and which release it is. Every offset and length is hostile.
 */
#ifndef VOLT_VOLT_IMAGE_H
#define VOLT_VOLT_IMAGE_H

#include "base/bytes.h"
#include "base/verr.h"

#define IMAGE_RELEASE 128

struct image_header {
	struct bytes payload; /* within the file; its last four bytes say its unpacked size */
	char release[IMAGE_RELEASE]; /* as uname -r; "" when the image does not say */
};

V_MUST_CHECK int image_parse(struct bytes file, struct image_header *out, struct verr *e);

/* The release of a kernel by the first word of `text`, "" when that cannot be one. */
void image_release(struct bytes text, char out[IMAGE_RELEASE]);

#endif
