/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state file: sections of fields, in one piece of memory. Little-endian.
 *
 *	file    := head section*
 *	head    := magic[8] u32 format  u32 architecture  u64 length  u32 sections  u32 0  u64
 *checksum section := u32 kind  u32 instance  u64 length  u64 checksum  body, with zeros to a
 *multiple of 8 body    := field*, or the bytes themselves (lists.h says which) field   := u16 tag
 *u8 type  u8 0  u32 length  value value   := element*;  of records: (u32 length field*)*
 *
 * The checksums are XXH3 with 64 bits. That of the head is of all that is before it; that of a
 *section of its own head and its body with its zeros, seeded with the head's: sections of another
 *file do not fit. So nothing in the file is outside of a checksum, and its length is within one.
 *
 * Kinds and tags ascend, which leaves one way to write anything down. A reader refuses what it does
 * not know; but a kind with STATE_KIND_SKIP, or a tag with STATE_SKIP, is passed over.
 */
#ifndef VOLT_VMM_STATE_FILE_H
#define VOLT_VMM_STATE_FILE_H

#include <stdio.h>

#include "base/bytes.h"
#include "base/verr.h"
#include "vmm/state/lists.h"

#define STATE_FORMAT 1
#define STATE_ARCH_X86_64 62 /* ELF's number */
#define STATE_KIND_SKIP 0x80000000U

/* The longest file that is read or written. */
#define STATE_FILE_MAX (64ULL << 20)
#define STATE_FILE_SECTIONS_MAX 4096

/* --- writing --- */

struct state_writer;

V_MUST_CHECK int state_writer_new(struct state_writer **out, struct verr *e);
struct state_writer *state_writer_free(struct state_writer *w); /* accepts NULL, returns NULL */

/*
 * A section of fields: `state` is the kind's struct. Any order; each (kind, instance) once. What
 * goes wrong (memory, a list that is too long) state_writer_finish() tells.
 */
void state_put(struct state_writer *w, enum state_kind kind, uint32_t instance, const void *state);

/* A section of bytes. */
void state_put_bytes(struct state_writer *w, enum state_kind kind, uint32_t instance,
		     struct bytes body);

/* The whole file, borrowed until the writer is freed. Once, and last. */
V_MUST_CHECK int state_writer_finish(struct state_writer *w, struct bytes *file, struct verr *e);

/* --- reading --- */

struct state_reader;

/*
 * `file` is borrowed and must not change. Magic, format, architecture, length, checksums, and that
 * all kinds are known: all is looked at here, and a fault is VERR_CORRUPT, or VERR_INVALID where
 * the file is of a newer format or another architecture. The content of sections is looked at by
 * state_get().
 */
V_MUST_CHECK int state_reader_new(struct bytes file, struct state_reader **out, struct verr *e);

/* The same of a file that is open, from its beginning; the reader keeps its content. */
V_MUST_CHECK int state_reader_load(int fd, struct state_reader **out, struct verr *e);

struct state_reader *state_reader_free(struct state_reader *r); /* accepts NULL, returns NULL */

/* How many sections of a kind there are. Their instances count from 0 without a gap. */
uint32_t state_count(const struct state_reader *r, enum state_kind kind);

/*
 * Fill the kind's struct. Everything in it is within its limits then: counts, texts (UTF-8, with
 * their NUL), bools. What it means is the caller's to check. Faults: there is no such section, or
 * it is malformed.
 */
V_MUST_CHECK int state_get(const struct state_reader *r, enum state_kind kind, uint32_t instance,
			   void *state, struct verr *e);

/* A section of bytes, borrowed from the reader. */
V_MUST_CHECK int state_get_bytes(const struct state_reader *r, enum state_kind kind,
				 uint32_t instance, struct bytes *body, struct verr *e);

/* Put all sections of a file into another as they are, but those of some kinds. */
void state_copy_rest(struct state_writer *w, const struct state_reader *r,
		     const enum state_kind *but, size_t count);

/* The file as JSON, all sections; a fault where one of them is malformed. */
V_MUST_CHECK int state_print_json(const struct state_reader *r, FILE *out, struct verr *e);

#endif
