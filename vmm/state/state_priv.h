/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef VOLT_VMM_STATE_STATE_PRIV_H
#define VOLT_VMM_STATE_STATE_PRIV_H

#include "base/bytes.h"
#include "base/verr.h"
#include "vmm/state/lists.h"

/* --- lists.c --- */

enum section_format { SECTION_FIELDS, SECTION_JSON, SECTION_BYTES };

struct section_class {
	uint32_t kind;
	enum section_format format;
	const char *name;
	const struct state_table *table; /* of fields */
};

/* NULL: unknown. */
const struct section_class *section_class_of(uint32_t kind);

/* --- codec.c --- */

/* Grows as it is written; after a failure, of memory or by length, nothing more is. */
struct buffer {
	uint8_t *at;
	size_t len, room;
	bool failed;
};

void buffer_put(struct buffer *b, const void *bytes, size_t len);
void buffer_deinit(struct buffer *b);

/* A count beyond its limit is a mistake of the caller's, and fails the buffer. */
void fields_encode(struct buffer *b, const struct state_table *table, const void *state);

V_MUST_CHECK int fields_decode(struct bytes in, const struct state_table *table, void *state,
			       struct verr *e);

/* Bytes of one element of a type; 0: unknown, or of no fixed size. */
size_t type_size(uint8_t type);

/* --- read.c --- */

struct state_reader;

struct state_section {
	const struct section_class *class; /* NULL: unknown, and passed over */
	uint32_t kind, instance;
	struct bytes body;
};

/* The file's section number `index`, from 0; NULL: it has no so many. */
const struct state_section *state_section_at(const struct state_reader *r, uint32_t index);

#endif
