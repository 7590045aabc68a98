/* SPDX-License-Identifier: Apache-2.0 */
/* Expanding single chunks. Apart from compressing them, which not every program must be able to. */
#ifndef STELLARIUM_CHUNK_EXPAND_H
#define STELLARIUM_CHUNK_EXPAND_H

#include "base/bytes.h"
#include "stellarium/include/stellarium.h"

struct chunk_expander; /* what a thread needs to expand */

V_MUST_CHECK int chunk_expander_new(struct chunk_expander **out, struct verr *e);
struct chunk_expander *chunk_expander_free(struct chunk_expander *x); /* takes NULL; returns NULL */

/* Expand to exactly `len` bytes; false: it is not what was compressed. Allocates nothing. */
V_MUST_CHECK bool chunk_expand(struct chunk_expander *x, enum stel_codec codec, struct bytes stored,
			       uint8_t *out, size_t len);

#endif
