/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at every byte that something leads to: the names, the index, each pack against the index,
 * and each image against what was found to be right. Names are read first, so that the index, read
 * after them, has all that they lead to; garbage collection waits meanwhile, and nothing else does.
 */
#include "stellarium/image/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>

#include "stellarium/chunk/cut.h"
#include "stellarium/image/image.h"
#include "stellarium/store/file.h"

void verify_say(struct verify *v, const char *image, const char *fmt, ...)
{
	char text[VERR_TEXT];
	va_list ap;

	va_start(ap, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	v->out->damages++;
	v->damage(v->ctx, image, text);
}

/* Under the lock: else somebody's unfinished change might look like damage. */
static int read_names(struct verify *v, struct names *names, struct verr *e)
{
	struct names_change change = NAMES_CHANGE_INIT;

	if (names_begin(&change, v->s->dir, &v->s->store, e) < 0) {
		names_change_deinit(&change);
		if (e->kind != VERR_CORRUPT)
			return -1;
		verify_say(v, NULL, "%s", e->text);
		*e = (struct verr)VERR_INIT;
		return 0;
	}
	if (change.now.page_bad)
		verify_say(v, NULL, "names: its first page is damaged; no name is lost");
	*names = change.now;
	change.now = (struct names)NAMES_INIT;
	names_change_deinit(&change);
	return 0;
}

struct image_check {
	struct verify *v;
	uint64_t bad;
	char first[VERR_TEXT];
};

static void bad_chunk(struct image_check *c, const struct stel_id *id, const char *what)
{
	char text[STEL_ID_TEXT];

	stel_id_text(id, text);
	if (c->bad++ == 0)
		(void)snprintf(c->first, sizeof(c->first), "%.16s, %s", text, what);
}

static int check_chunk(void *ctx, const struct stel_id *id, uint64_t offset, uint32_t len,
		       struct verr *e)
{
	struct image_check *c = ctx;
	const struct idset_item *item = idset_find(&c->v->chunks, id);
	char where[64];

	(void)e;
	if (item != NULL && item->value == len)
		return 0;
	(void)snprintf(where, sizeof(where), "at byte %llu", (unsigned long long)offset);
	bad_chunk(c, id, where);
	return 0;
}

static enum manifest_step check_node(void *ctx, const struct stel_id *id, struct verr *e)
{
	(void)ctx;
	(void)id;
	(void)e;
	return MANIFEST_ENTER;
}

static void bad_node(void *ctx, const struct stel_id *id, const struct verr *why)
{
	bad_chunk(ctx, id, why->text);
}

/* The value in `seen` is 1 for a whole image, 2 for a damaged one: clones are looked at once. */
static int verify_image(struct verify *v, const struct names_entry *entry, struct idset *seen,
			struct verr *e)
{
	struct image_check check = {.v = v};
	const struct manifest_visitor visitor = {
		.node = check_node, .chunk = check_chunk, .damage = bad_node, .ctx = &check};
	bool added;
	struct idset_item *item = idset_add(seen, &entry->id, &added, e);

	if (item == NULL)
		return -1;
	if (added) {
		if (manifest_walk(v->s, v->view, &entry->id, &visitor, e) < 0)
			return -1;
		item->value = check.bad > 0 ? 2 : 1;
	}
	if (item->value == 1)
		return 0;
	v->out->images_damaged++;
	if (added)
		verify_say(v, entry->name,
			   "%llu of its chunks are damaged or missing; the first is %s",
			   (unsigned long long)check.bad, check.first);
	else
		verify_say(v, entry->name, "it is the same as another that is damaged");
	return watch_go_on(v->watch, v->out->bytes, v->bytes, e);
}

static int verify_images(struct verify *v, const struct names *names, struct verr *e)
{
	struct idset seen = IDSET_INIT;
	int r = 0;

	for (size_t i = 0; i < names->count && r == 0; i++)
		r = verify_image(v, &names->entries[i], &seen, e);
	idset_deinit(&seen);
	return r;
}

static int run(struct verify *v, struct names *names, struct verr *e)
{
	v->segment = malloc(PACK_SEGMENT_MAX);
	v->raw = malloc(CHUNK_MAX);
	if (v->segment == NULL || v->raw == NULL)
		return verr_host(e, "out of memory");
	if (file_lock(v->s->gc, "gc", LOCK_SH, e) != FILE_LOCKED || read_names(v, names, e) < 0 ||
	    index_view_open(v->s->index, &v->view, e) < 0)
		return -1;
	if (verify_index(v, e) < 0)
		return e->kind == VERR_NONE ? 0 : -1;
	if (verify_packs(v, e) < 0)
		return -1;
	return verify_images(v, names, e);
}

int stel_verify(struct stel *s, stel_damage_fn *damage, void *ctx, const struct stel_watch *watch,
		struct stel_verify *out, struct verr *e)
{
	struct verify v = {.s = s, .damage = damage, .ctx = ctx, .watch = watch, .out = out};
	struct names names = NAMES_INIT;
	int r;

	*out = (struct stel_verify){0};
	r = run(&v, &names, e);
	(void)flock(s->gc, LOCK_UN);
	v.view = index_view_close(v.view);
	idset_deinit(&v.chunks);
	free(v.packs);
	free(v.segment);
	free(v.raw);
	names_deinit(&names);
	return r;
}
