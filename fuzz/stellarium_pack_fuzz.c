/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a segment of a pack: as they are, and with checksums that are right, so that what is
 * behind the checksums is reached, too. */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/expand.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/store/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void expand(const struct pack_entry *entry, struct bytes segment)
{
	static struct chunk_expander *expander;
	struct verr e = VERR_INIT;
	struct bytes stored = bytes_of(segment.at + entry->at, entry->stored);
	auto_free uint8_t *raw = entry->raw <= KIB(256) ? malloc(entry->raw) : NULL;

	must(expander != NULL || chunk_expander_new(&expander, &e) == 0);
	if (raw != NULL && range_within(entry->at, entry->stored, segment.len))
		(void)!chunk_expand(expander, entry->codec, stored, raw, entry->raw);
}

static void parse(struct bytes segment)
{
	static struct pack_entry entries[PACK_ENTRIES_MAX];
	struct pack_segment s;
	size_t table;

	if (!pack_get_segment(segment, &s))
		return;
	must(s.count > 0 && s.count <= PACK_ENTRIES_MAX && s.len <= PACK_SEGMENT_MAX);
	table = (size_t)s.count * PACK_ENTRY;
	if (!range_within(PACK_HEAD, table, segment.len) ||
	    !pack_get_entries(bytes_of(segment.at + PACK_HEAD, table), &s, entries))
		return;
	for (uint32_t i = 0; i < s.count; i++) {
		must(range_within(entries[i].at, entries[i].stored, s.len) &&
		     entries[i].raw <= CHUNK_MAX);
		expand(&entries[i], segment);
	}
}

static void parse_repaired(const uint8_t *data, size_t size)
{
	auto_free uint8_t *copy = malloc(size);
	size_t table;

	if (copy == NULL || size < PACK_HEAD)
		return;
	memcpy(copy, data, size);
	memcpy(copy, "STELSEG1", 8);
	table = MIN((size_t)le32(copy + 8) * PACK_ENTRY, size - PACK_HEAD);
	put_le64(copy + 24, chunk_checksum(copy + PACK_HEAD, table));
	put_le64(copy + 56, chunk_checksum(copy, 56));
	parse(bytes_of(copy, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct seal_store store = {.bytes = {1}};
	struct verr e = VERR_INIT;

	if (pack_get_head(bytes_of(data, size), &store, 1, &e) < 0)
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
	parse(bytes_of(data, size));
	parse_repaired(data, size);
	return 0;
}
