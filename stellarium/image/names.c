/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/image/names.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/own.h"
#include "stellarium/chunk/cut.h"
#include "stellarium/chunk/hash.h"
#include "stellarium/image/names_priv.h"
#include "stellarium/store/cas.h"
#include "stellarium/store/file.h"

#define TRIES 5

const char names_magic[8] = {'S', 'T', 'E', 'L', 'N', 'A', 'M', 'E'};
const char names_record_magic[4] = {'S', 'T', 'N', 'R'};

int stel_check_name(const char *name, struct verr *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > STEL_NAME_MAX)
		return verr_invalid(e, "a name has 1 to %d letters", STEL_NAME_MAX);
	if (!isascii(name[0]) || !isalnum((unsigned char)name[0]))
		return verr_invalid(e, "%s: a name begins with a letter or a digit", name);
	for (size_t i = 0; i < len; i++)
		if (!isascii(name[i]) ||
		    (!isalnum((unsigned char)name[i]) && strchr("._:/@+-", name[i]) == NULL))
			return verr_invalid(e, "%s: a name has letters, digits, and . _ : / @ + -",
					    name);
	return 0;
}

/* The place of a name, or where it would be. */
static size_t place_of(const struct names *n, const char *name, bool *found)
{
	size_t low = 0, high = n->count;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, n->entries[middle].name);

		*found = order == 0;
		if (order > 0)
			low = middle + 1;
		else
			high = order < 0 ? middle : high;
		if (*found)
			low = middle;
	}
	return low;
}

const struct names_entry *names_find(const struct names *n, const char *name)
{
	bool found;
	size_t at = place_of(n, name, &found);

	return found ? &n->entries[at] : NULL;
}

/* Make room for one more at `at`, with a copy of the name. */
static int insert(struct names *n, size_t at, const char *name, struct verr *e)
{
	size_t room = n->room == 0 ? 64 : 2 * n->room;
	struct names_entry *more;
	char *copy;

	if (n->count == n->room) {
		more = realloc(n->entries, room * sizeof(*more));
		if (more == NULL)
			return verr_host(e, "out of memory");
		n->entries = more;
		n->room = room;
	}
	copy = strdup(name);
	if (copy == NULL)
		return verr_host(e, "out of memory");
	memmove(&n->entries[at + 1], &n->entries[at], (n->count - at) * sizeof(*n->entries));
	n->entries[at] = (struct names_entry){.name = copy};
	n->count++;
	return 0;
}

static void fill(struct names_entry *to, const struct names_entry *from)
{
	char *name = to->name;

	*to = *from;
	to->name = name;
}

int names_put(struct names *n, const char *name, const struct names_entry *entry, struct verr *e)
{
	bool found;
	size_t at = place_of(n, name, &found);

	if (!found && insert(n, at, name, e) < 0)
		return -1;
	fill(&n->entries[at], entry);
	return 0;
}

bool names_drop(struct names *n, const char *name)
{
	bool found;
	size_t at = place_of(n, name, &found);

	if (found) {
		free(n->entries[at].name);
		n->count--;
		memmove(&n->entries[at], &n->entries[at + 1],
			(n->count - at) * sizeof(*n->entries));
	}
	return found;
}

static int compare_changes(const void *a, const void *b)
{
	const struct names_entry *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* From all changes, as they came, to what is true in the end. */
static void settle(struct names *n)
{
	size_t kept = 0;

	if (n->count > 0)
		qsort(n->entries, n->count, sizeof(*n->entries), compare_changes);
	for (size_t i = 0; i < n->count; i++) {
		struct names_entry *entry = &n->entries[i];
		bool last = i + 1 == n->count || strcmp(entry->name, entry[1].name) != 0;

		if (last && !entry->gone)
			n->entries[kept++] = *entry;
		else
			free(entry->name);
	}
	n->count = kept;
}

void names_deinit(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->entries[i].name);
	free(n->entries);
	*n = (struct names)NAMES_INIT;
}

uint64_t names_record_checksum(const uint8_t *record, size_t len)
{
	uint64_t both[2] = {chunk_checksum(record + 4, 12),
			    chunk_checksum(record + NAMES_RECORD, len - NAMES_RECORD)};
	uint8_t bytes[16];

	put_le64(bytes, both[0]);
	put_le64(bytes + 8, both[1]);
	return chunk_checksum(bytes, sizeof(bytes));
}

static int append(struct names *n, const char *name, struct names_entry *entry, struct verr *e)
{
	entry->order = n->count;
	if (insert(n, n->count, name, e) < 0)
		return -1;
	fill(&n->entries[n->count - 1], entry);
	return 0;
}

static int take_change(struct names *n, struct bytes changes, uint64_t *at, struct verr *e)
{
	struct names_entry entry = {0};
	struct verr why = VERR_INIT;
	char name[256];
	uint8_t what, len;

	if (!bytes_u8(changes, *at, &what) || !bytes_u8(changes, *at + 1, &len) ||
	    !bytes_copy(changes, *at + 2, name, len))
		return verr_corrupt(e, "a change is cut short");
	name[len] = '\0';
	if (strlen(name) != len || stel_check_name(name, &why) < 0)
		return verr_corrupt(e, "a change has a name that cannot be");
	*at += 2 + (uint64_t)len;
	if (what == NAMES_UNSET) {
		entry.gone = true;
		return append(n, name, &entry, e);
	}
	if (what != NAMES_SET)
		return verr_corrupt(e, "change %u is not known: made by a later version?", what);
	if (!range_within(*at, 16 + STEL_ID_BYTES, changes.len))
		return verr_corrupt(e, "a change is cut short");
	entry.time = (int64_t)le64(changes.at + *at);
	entry.size = le64(changes.at + *at + 8);
	memcpy(entry.id.bytes, changes.at + *at + 16, STEL_ID_BYTES);
	*at += 16 + STEL_ID_BYTES;
	return append(n, name, &entry, e);
}

/* false: there is no whole record here. */
static bool get_record(struct bytes file, uint64_t at, uint64_t number, struct bytes *changes)
{
	uint32_t len;

	if (!range_within(at, NAMES_RECORD, file.len) ||
	    memcmp(file.at + at, names_record_magic, sizeof(names_record_magic)) != 0)
		return false;
	len = le32(file.at + at + 4);
	if (len < NAMES_RECORD || len > NAMES_RECORD_MAX || !range_within(at, len, file.len) ||
	    le64(file.at + at + 8) != number ||
	    le64(file.at + at + 16) != names_record_checksum(file.at + at, len))
		return false;
	*changes = bytes_of(file.at + at + NAMES_RECORD, len - NAMES_RECORD);
	return true;
}

static bool get_mark(struct bytes file, uint64_t number, uint64_t *found, uint64_t *end)
{
	const uint8_t *mark = file.at + NAMES_MARK_AT(number);

	if (le64(mark + 24) != chunk_checksum(mark, 24) || le64(mark + 16) != 0 ||
	    (le64(mark) != 0 && le64(mark) % 2 != number % 2))
		return false;
	*found = le64(mark);
	*end = le64(mark + 8);
	return true;
}

/* The first page has the seal, the marks, and nothing else. */
static bool rest_is_zero(struct bytes file)
{
	size_t first = NAMES_MARK_AT(0), second = NAMES_MARK_AT(1);

	return chunk_is_zero(file.at + SEAL_HEAD, first - SEAL_HEAD) &&
	       chunk_is_zero(file.at + first + NAMES_MARK, second - first - NAMES_MARK) &&
	       chunk_is_zero(file.at + second + NAMES_MARK, NAMES_PAGE - second - NAMES_MARK);
}

/* The end of what is known to be durable. */
static int read_marks(struct names *n, struct bytes file, uint64_t *number, uint64_t *end,
		      struct verr *e)
{
	uint64_t numbers[2] = {0}, ends[2] = {0};
	bool good[2];

	for (unsigned int i = 0; i < 2; i++)
		good[i] = get_mark(file, i, &numbers[i], &ends[i]);
	n->page_bad = !good[0] || !good[1] || !rest_is_zero(file);
	if (!good[0] && !good[1])
		return verr_corrupt(e, "both of its marks are damaged");
	*number = MAX(numbers[0], numbers[1]);
	*end = numbers[0] > numbers[1] ? ends[0] : ends[1];
	return 0;
}

static int read_log(struct names *n, struct bytes file, const struct seal_store *store,
		    struct verr *e)
{
	uint64_t marked = 0, durable = 0, at;
	struct bytes body, changes;

	if (file.len < NAMES_PAGE)
		return verr_corrupt(e, "it is cut short");
	if (seal_get(bytes_of(file.at, NAMES_PAGE), names_magic, store, &body, e) < 0 ||
	    read_marks(n, file, &marked, &durable, e) < 0)
		return -1;
	n->end = NAMES_PAGE;
	while (get_record(file, n->end, n->number + 1, &changes)) {
		for (at = 0; at < changes.len;)
			if (take_change(n, changes, &at, e) < 0)
				return -1;
		n->number++;
		n->end += NAMES_RECORD + changes.len;
	}
	if (n->end < durable || n->number < marked)
		return verr_corrupt(e, "the record at byte %llu is damaged",
				    (unsigned long long)n->end);
	return 0;
}

int names_parse(struct names *n, struct bytes file, const struct seal_store *store, struct verr *e)
{
	*n = (struct names)NAMES_INIT;
	if (read_log(n, file, store, e) < 0) {
		names_deinit(n);
		return -1;
	}
	settle(n);
	return 0;
}

int names_read_fd(struct names *n, int fd, const struct seal_store *store, struct verr *e)
{
	auto_free uint8_t *bytes = NULL;
	struct stat st;
	size_t got;

	*n = (struct names)NAMES_INIT;
	if (fstat(fd, &st) < 0)
		return verr_os(e, "read names");
	bytes = malloc((size_t)st.st_size + 1);
	if (bytes == NULL)
		return verr_host(e, "out of memory");
	if (file_pread(fd, CAS_NAMES, bytes, (size_t)st.st_size, 0, &got, e) < 0)
		return -1;
	return names_parse(n, bytes_of(bytes, got), store, e) < 0 ? verr_note(e, CAS_NAMES) : 0;
}

/* Without a lock: what is written meanwhile may look like damage once, but not again and again. */
int names_read(struct names *n, int dir, const struct seal_store *store, struct verr *e)
{
	struct verr why = VERR_INIT;

	for (int i = 0; i < TRIES; i++) {
		auto_fd fd = openat(dir, CAS_NAMES, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return verr_os(e, "open names");
		why = (struct verr)VERR_INIT;
		if (names_read_fd(n, fd, store, &why) == 0)
			return 0;
		if (why.kind != VERR_CORRUPT)
			break;
	}
	*e = e->kind == VERR_NONE ? why : *e;
	return -1;
}
