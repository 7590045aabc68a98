/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <xxhash.h>

#include "vmm/state/file.h"
#include "vmm/state/state_priv.h"
#include "vmm/state/wire.h"

/* A section that was put: its place in the writer's buffer. */
struct put {
	uint32_t kind, instance;
	size_t at, len;
};

struct state_writer {
	struct buffer bodies, file;
	struct put *sections;
	uint32_t count, room;
	bool failed;
};

int state_writer_new(struct state_writer **out, struct verr *e)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? verr_host(e, "out of memory") : 0;
}

struct state_writer *state_writer_free(struct state_writer *w)
{
	if (w != NULL) {
		buffer_deinit(&w->bodies);
		buffer_deinit(&w->file);
		free(w->sections);
		free(w);
	}
	return NULL;
}

static bool grow(struct state_writer *w)
{
	uint32_t room = MAX(2 * w->room, 32U);
	struct put *sections;

	if (room > STATE_FILE_SECTIONS_MAX)
		return false;
	sections = realloc(w->sections, room * sizeof(*sections));
	if (sections == NULL)
		return false;
	w->sections = sections;
	w->room = room;
	return true;
}

/* The new section, without a length yet; NULL: no room. */
static struct put *begin(struct state_writer *w, enum state_kind kind, uint32_t instance)
{
	if (w->count == w->room && !grow(w)) {
		w->failed = true;
		return NULL;
	}
	w->sections[w->count] =
		(struct put){.kind = kind, .instance = instance, .at = w->bodies.len};
	return &w->sections[w->count++];
}

void state_put(struct state_writer *w, enum state_kind kind, uint32_t instance, const void *state)
{
	const struct section_class *class = section_class_of(kind);
	struct put *s = begin(w, kind, instance);

	if (s == NULL)
		return;
	fields_encode(&w->bodies, class->table, state);
	s->len = w->bodies.len - s->at;
}

void state_put_bytes(struct state_writer *w, enum state_kind kind, uint32_t instance,
		     struct bytes body)
{
	struct put *s = begin(w, kind, instance);

	if (s == NULL)
		return;
	buffer_put(&w->bodies, body.at, body.len);
	s->len = body.len;
}

static bool is_one_of(const enum state_kind *kinds, size_t count, uint32_t kind)
{
	for (size_t i = 0; i < count; i++)
		if ((uint32_t)kinds[i] == kind)
			return true;
	return false;
}

void state_copy_rest(struct state_writer *w, const struct state_reader *r,
		     const enum state_kind *but, size_t count)
{
	const struct state_section *s;

	for (uint32_t i = 0; (s = state_section_at(r, i)) != NULL; i++)
		if (!is_one_of(but, count, s->kind))
			state_put_bytes(w, (enum state_kind)s->kind, s->instance, s->body);
}

static int compare(const void *a, const void *b)
{
	const struct put *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->instance > y->instance) - (x->instance < y->instance);
}

static uint64_t file_length(const struct state_writer *w)
{
	uint64_t len = HEAD_LEN;

	for (uint32_t i = 0; i < w->count; i++)
		len += SECTION_HEAD_LEN + padded(w->sections[i].len);
	return len;
}

static uint64_t put_head(struct state_writer *w)
{
	uint8_t head[HEAD_LEN] = {0};
	uint64_t sum;

	memcpy(head, STATE_MAGIC, sizeof(STATE_MAGIC) - 1);
	put_le32(head + HEAD_FORMAT, STATE_FORMAT);
	put_le32(head + HEAD_ARCH, STATE_ARCH_X86_64);
	put_le64(head + HEAD_LENGTH, file_length(w));
	put_le32(head + HEAD_SECTIONS, w->count);
	sum = XXH3_64bits(head, HEAD_SUM);
	put_le64(head + HEAD_SUM, sum);
	buffer_put(&w->file, head, sizeof(head));
	return sum;
}

static void put_section(struct state_writer *w, const struct put *s, uint64_t seed)
{
	static const uint8_t zeros[STATE_ALIGN];
	uint8_t head[SECTION_HEAD_LEN] = {0};
	size_t at = w->file.len;

	put_le32(head + SECTION_KIND, s->kind);
	put_le32(head + SECTION_INSTANCE, s->instance);
	put_le64(head + SECTION_LENGTH, s->len);
	buffer_put(&w->file, head, sizeof(head));
	buffer_put(&w->file, w->bodies.at + s->at, s->len);
	buffer_put(&w->file, zeros, padded(s->len) - s->len);
	if (!w->file.failed)
		put_le64(w->file.at + at + SECTION_SUM,
			 section_sum(w->file.at + at, padded(s->len), seed));
}

int state_writer_finish(struct state_writer *w, struct bytes *file, struct verr *e)
{
	uint64_t seed;

	if (w->failed || w->bodies.failed)
		return verr_host(e, "the machine's state does not fit, into memory or into a file");
	qsort(w->sections, w->count, sizeof(*w->sections), compare);
	seed = put_head(w);
	for (uint32_t i = 0; i < w->count; i++)
		put_section(w, &w->sections[i], seed);
	if (w->file.failed)
		return verr_host(e, "the machine's state does not fit, into memory or into a file");
	*file = bytes_of(w->file.at, w->file.len);
	return 0;
}
