/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of names.h share: its reader, names.c, and its writer, names_change.c. */
#ifndef STELLARIUM_IMAGE_NAMES_PRIV_H
#define STELLARIUM_IMAGE_NAMES_PRIV_H

#include "stellarium/image/names.h"

#define NAMES_PAGE 4096
#define NAMES_MARK_AT(number) ((size_t)512 * (1 + (number) % 2))
#define NAMES_MARK 32
#define NAMES_RECORD 24 /* head of a record */
#define NAMES_RECORD_MAX MIB(64)
#define NAMES_SET 1
#define NAMES_UNSET 2

extern const char names_magic[8];
extern const char names_record_magic[4];

uint64_t names_record_checksum(const uint8_t *record, size_t len); /* of all of it, with its head */

/* Put a name in its place, or take it away; names_drop() tells whether it was there. */
V_MUST_CHECK int names_put(struct names *n, const char *name, const struct names_entry *entry,
			   struct verr *e);
bool names_drop(struct names *n, const char *name);

V_MUST_CHECK int names_read_fd(struct names *n, int fd, const struct seal_store *store,
			       struct verr *e);

/* All names as the bytes of a new log. */
V_MUST_CHECK int names_write(const struct names *n, const struct seal_store *store, uint8_t **out,
			     size_t *len, struct verr *e);

#endif
