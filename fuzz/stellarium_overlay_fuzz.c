/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an overlay's first page: as they are, and as a body whose checksum is right; and as
 * the two slots of a block: as they are, and as a map whose checksum is right. */
#include <stdlib.h>

#include "stellarium/volume/overlay_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct seal_store store = {.bytes = {1}};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void get_head(struct bytes page)
{
	struct overlay_head head, again;
	uint8_t written[OVERLAY_PAGE];
	struct verr e = VERR_INIT;
	uint64_t mark = 0;

	if (overlay_get_head(page, &store, &head, &mark, &e) < 0) {
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
		return;
	}
	must(head.size > 0 && overlay_data_at(head.size) % OVERLAY_PAGE == 0);
	overlay_put_head(written, &head);
	must(overlay_get_head(bytes_of(written, sizeof(written)), &store, &again, &mark, &e) == 0);
	must(again.size == head.size && mark == 0 && strcmp(again.name, head.name) == 0 &&
	     strcmp(again.reference, head.reference) == 0);
}

static void heads(const uint8_t *data, size_t size)
{
	static const char magic[8] = {'S', 'T', 'E', 'L', 'O', 'V', 'E', 'R'};
	uint8_t page[OVERLAY_PAGE] = {0};

	memcpy(page, data, MIN(size, sizeof(page)));
	get_head(bytes_of(page, sizeof(page)));
	get_head(bytes_of(data, size));
	memset(page, 0, sizeof(page));
	seal_put(page, magic, &store, bytes_of(data, MIN(size, SEAL_MAX - SEAL_HEAD)));
	overlay_put_mark(page + OVERLAY_MARK_AT(0), 0);
	get_head(bytes_of(page, sizeof(page)));
}

static void get_block(const uint8_t slots[2 * OVERLAY_PAGE], uint64_t mark, uint64_t pages)
{
	uint64_t map[OVERLAY_WORDS];
	struct overlay_block block;
	struct verr e = VERR_INIT;

	if (overlay_get_block(slots, 3, mark, pages, &block, map, &e) < 0) {
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
		return;
	}
	must(block.current < 2 && block.number <= mark + 1);
	for (uint64_t page = 0; page < OVERLAY_BLOCK; page++) {
		uint64_t state = map[page / 32] >> 2 * (page % 32) & 3;

		must(state <= OVERLAY_ZERO && (page < pages || state == 0));
	}
}

static void blocks(const uint8_t *data, size_t size)
{
	uint8_t slots[2 * OVERLAY_PAGE] = {0};
	uint64_t map[OVERLAY_WORDS] = {0}, pages = size > 0 ? data[0] * 64ULL : 0;

	memcpy(slots, data, MIN(size, sizeof(slots)));
	get_block(slots, 5, pages);
	memcpy(map, data, MIN(size, sizeof(map)));
	overlay_put_slot(slots, 3, 6, map);
	get_block(slots, 5, pages);
	get_block(slots, 6, pages);
	get_block(slots, 4, pages);
	overlay_put_slot(slots + OVERLAY_PAGE, 3, 5, map);
	get_block(slots, 5, OVERLAY_BLOCK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	heads(data, size);
	blocks(data, size);
	return 0;
}
