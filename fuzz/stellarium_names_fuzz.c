/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the log of names, behind a first page that is right: as they are, and as the changes
 * of one record whose checksum is right. */
#include <stdlib.h>

#include "base/own.h"
#include "stellarium/image/names_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct seal_store store = {.bytes = {1}};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void parse(struct bytes file)
{
	struct names n, again;
	uint8_t *bytes;
	size_t len;
	struct verr e = VERR_INIT;

	if (names_parse(&n, file, &store, &e) < 0) {
		must(e.kind == VERR_CORRUPT && e.text[0] != '\0');
		return;
	}
	must(n.end <= file.len);
	must(names_write(&n, &store, &bytes, &len, &e) == 0);
	must(names_parse(&again, bytes_of(bytes, len), &store, &e) == 0);
	must(again.count == n.count && !again.page_bad);
	for (size_t i = 0; i < n.count; i++)
		must(strcmp(n.entries[i].name, again.entries[i].name) == 0);
	free(bytes);
	names_deinit(&again);
	names_deinit(&n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct names none = {0};
	uint8_t *first, *file = malloc(NAMES_PAGE + NAMES_RECORD + size), *record;
	struct verr e = VERR_INIT;
	size_t len;

	must(names_write(&none, &store, &first, &len, &e) == 0 && len == NAMES_PAGE);
	must(file != NULL);
	memcpy(file, first, len);
	free(first);
	memcpy(file + NAMES_PAGE, data, size);
	parse(bytes_of(file, NAMES_PAGE + size));

	record = file + NAMES_PAGE;
	memcpy(record, names_record_magic, sizeof(names_record_magic));
	put_le32(record + 4, (uint32_t)(NAMES_RECORD + size));
	put_le64(record + 8, 1);
	memcpy(record + NAMES_RECORD, data, size);
	put_le64(record + 16, names_record_checksum(record, NAMES_RECORD + size));
	parse(bytes_of(file, NAMES_PAGE + NAMES_RECORD + size));
	free(file);
	parse(bytes_of(data, size));
	return 0;
}
