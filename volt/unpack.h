/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking the payload of a bzImage, by whichever of the kernel's compressions it has. */
#ifndef VOLT_VOLT_UNPACK_H
#define VOLT_VOLT_UNPACK_H

#include "base/bytes.h"
#include "base/verr.h"

/* The largest kernel that is unpacked. */
#define UNPACK_MAX GIB(1)

/* What a payload is packed with, as "xz"; NULL when it is nothing that is known. */
const char *unpack_name(struct bytes payload);

/*
 * Unpack into a new buffer (`*out`, to be freed) of `*len` bytes. The size that the payload says it
 * unpacks to must be true and at most `limit`. A payload that is damaged, or packed with something
 * that is known but not supported, is refused by name.
 */
V_MUST_CHECK int unpack_payload(struct bytes payload, uint64_t limit, uint8_t **out, size_t *len,
				struct verr *e);

#endif
