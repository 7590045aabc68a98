/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"
#include "vmm/state/wire.h"

struct state_reader {
	uint8_t *content; /* the reader's own; or NULL */
	struct state_section *sections;
	uint32_t count;
};

/* --- the frame --- */

struct head {
	uint32_t format, arch, sections, zero;
	uint64_t length, sum;
};

static int check_head(struct bytes f, struct head *h, struct verr *e)
{
	if (f.len < HEAD_LEN || memcmp(f.at, STATE_MAGIC, sizeof(STATE_MAGIC) - 1) != 0)
		return verr_corrupt(e,
				    "this is no state of a machine, or only the beginning of one");
	*h = (struct head){
		.format = le32(f.at + HEAD_FORMAT),
		.arch = le32(f.at + HEAD_ARCH),
		.length = le64(f.at + HEAD_LENGTH),
		.sections = le32(f.at + HEAD_SECTIONS),
		.zero = le32(f.at + HEAD_ZERO),
		.sum = le64(f.at + HEAD_SUM),
	};
	if (XXH3_64bits(f.at, HEAD_SUM) != h->sum)
		return verr_corrupt(e, "the file's head is damaged");
	if (h->format == 0 || h->format > STATE_FORMAT)
		return verr_invalid(e, "the file has format %u; this volt reads formats up to %u",
				    h->format, STATE_FORMAT);
	if (h->arch != STATE_ARCH_X86_64)
		return verr_invalid(e, "the machine was of another architecture (%u)", h->arch);
	if (h->length != f.len)
		return verr_corrupt(e, "the file has %zu bytes, and had %llu when it was written",
				    f.len, (unsigned long long)h->length);
	if (h->sections > STATE_FILE_SECTIONS_MAX || h->zero != 0)
		return verr_corrupt(e, "the file's head makes no sense");
	return 0;
}

static bool all_zero(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.at[i] != 0)
			return false;
	return true;
}

/* The section at `*at`; moves on behind it. */
static int take_section(struct bytes f, size_t *at, uint64_t seed, struct state_section *out,
			struct verr *e)
{
	const uint8_t *head = f.at + *at;
	uint64_t len;

	if (!range_within(*at, SECTION_HEAD_LEN, f.len))
		return verr_corrupt(e, "a section is cut off");
	out->kind = le32(head + SECTION_KIND);
	out->instance = le32(head + SECTION_INSTANCE);
	len = le64(head + SECTION_LENGTH);
	*at += SECTION_HEAD_LEN;
	if (len > f.len || !range_within(*at, padded(len), f.len))
		return verr_corrupt(e, "a section is longer than the file");
	if (section_sum(head, padded(len), seed) != le64(head + SECTION_SUM))
		return verr_corrupt(e, "a section is damaged: its checksum does not fit");
	out->body = bytes_of(f.at + *at, len);
	if (!all_zero(bytes_of(f.at + *at + len, padded(len) - len)))
		return verr_corrupt(e, "behind a section there is more than it has");
	*at += padded(len);
	return 0;
}

/* Kinds ascend, and the instances of each count from 0. */
static int check_order(const struct state_section *s, const struct state_section *before,
		       struct verr *e)
{
	bool first = before == NULL || before->kind != s->kind;

	if (!first ? s->instance != before->instance + 1
		   : s->instance != 0 || (before != NULL && before->kind > s->kind))
		return verr_corrupt(e, "sections out of order");
	return 0;
}

static int take_sections(struct state_reader *r, struct bytes f, const struct head *h,
			 struct verr *e)
{
	size_t at = HEAD_LEN;

	for (; r->count < h->sections; r->count++) {
		struct state_section *s = &r->sections[r->count];

		if (take_section(f, &at, h->sum, s, e) < 0 ||
		    check_order(s, r->count > 0 ? s - 1 : NULL, e) < 0)
			return verr_note(e, "section %u", r->count);
		s->class = section_class_of(s->kind);
		if (s->class == NULL && !(s->kind & STATE_KIND_SKIP))
			return verr_corrupt(e, "section %u is of an unknown kind, %#x", r->count,
					    s->kind);
	}
	return at == f.len ? 0 : verr_corrupt(e, "there is more behind the last section");
}

/* --- making one --- */

static int open_file(struct state_reader *r, struct bytes file, struct verr *e)
{
	struct head h = {0};

	if (file.len > STATE_FILE_MAX)
		return verr_corrupt(e, "the file is longer than any state is");
	if (check_head(file, &h, e) < 0)
		return -1;
	r->sections = calloc(MAX(h.sections, 1U), sizeof(*r->sections));
	if (r->sections == NULL)
		return verr_host(e, "out of memory");
	return take_sections(r, file, &h, e);
}

static int read_all(int fd, uint8_t *to, size_t len, struct verr *e)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, to + done, len - done, (off_t)done);

		if (n < 0 && errno != EINTR)
			return verr_os(e, "read it");
		if (n == 0)
			return verr_corrupt(e, "it became shorter while it was read");
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int read_file(struct state_reader *r, int fd, struct bytes *file, struct verr *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return verr_os(e, "look at it");
	if (!S_ISREG(st.st_mode))
		return verr_invalid(e, "this is no file");
	if ((uint64_t)st.st_size > STATE_FILE_MAX)
		return verr_corrupt(e, "the file is longer than any state is");
	r->content = malloc(MAX((size_t)st.st_size, (size_t)1));
	if (r->content == NULL)
		return verr_host(e, "out of memory");
	*file = bytes_of(r->content, (size_t)st.st_size);
	return read_all(fd, r->content, (size_t)st.st_size, e);
}

/* Of the bytes, or where `fd` is one, of the file. */
static int make(struct bytes file, int fd, struct state_reader **out, struct verr *e)
{
	struct state_reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return verr_host(e, "out of memory");
	if ((fd >= 0 && read_file(r, fd, &file, e) < 0) || open_file(r, file, e) < 0) {
		(void)state_reader_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

int state_reader_new(struct bytes file, struct state_reader **out, struct verr *e)
{
	return make(file, -1, out, e);
}

int state_reader_load(int fd, struct state_reader **out, struct verr *e)
{
	return make(bytes_of(NULL, 0), fd, out, e);
}

struct state_reader *state_reader_free(struct state_reader *r)
{
	if (r != NULL) {
		free(r->sections);
		free(r->content);
		free(r);
	}
	return NULL;
}

/* --- asking --- */

static const struct state_section *find(const struct state_reader *r, uint32_t kind,
					uint32_t instance)
{
	for (uint32_t i = 0; i < r->count; i++)
		if (r->sections[i].kind == kind && r->sections[i].instance == instance)
			return &r->sections[i];
	return NULL;
}

static int no_such(uint32_t kind, uint32_t instance, struct verr *e)
{
	return verr_corrupt(e, "the file has no section %s %u", section_class_of(kind)->name,
			    instance);
}

uint32_t state_count(const struct state_reader *r, enum state_kind kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < r->count; i++)
		count += r->sections[i].kind == (uint32_t)kind;
	return count;
}

int state_get(const struct state_reader *r, enum state_kind kind, uint32_t instance, void *state,
	      struct verr *e)
{
	const struct state_section *s = find(r, kind, instance);

	if (s == NULL)
		return no_such(kind, instance, e);
	if (fields_decode(s->body, s->class->table, state, e) < 0)
		return verr_note(e, "section %s %u", s->class->name, instance);
	return 0;
}

int state_get_bytes(const struct state_reader *r, enum state_kind kind, uint32_t instance,
		    struct bytes *body, struct verr *e)
{
	const struct state_section *s = find(r, kind, instance);

	if (s == NULL)
		return no_such(kind, instance, e);
	*body = s->body;
	return 0;
}

const struct state_section *state_section_at(const struct state_reader *r, uint32_t index)
{
	return index < r->count ? &r->sections[index] : NULL;
}
