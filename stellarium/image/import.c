/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import: a short pipeline over a ring of batches. This thread reads and splits (fill), asks the
 * store what it has already (know), and writes (store), all in the image's order, so that the same
 * image gives the same packs; threads hash between fill and know, and compress, what is new
 *and nothing else, between know and store.
 *
 *	tail ... known ... head        store <- compress <- know <- hash <- fill
 */
#include <stdlib.h>

#include "stellarium/chunk/hash.h"
#include "stellarium/image/image.h"
#include "stellarium/image/import_batch.h"
#include "stellarium/image/manifest.h"
#include "stellarium/image/names.h"
#include "stellarium/store/options.h"
#include "stellarium/store/writer.h"

#define BATCHES 8

struct import {
	struct stel *s;
	struct stel_options options;
	const struct stel_watch *watch;
	struct stel_import *out;
	struct input input;
	struct chunk_cut cut;
	struct writer writer;
	struct manifest_builder tree;
	struct jobs *jobs;
	struct batch batches[BATCHES];
	size_t head, known, tail; /* counted from the start of the image */
	uint64_t offset;
	bool end;
};

static int emit_node(void *ctx, const struct stel_id *id, struct bytes node, struct verr *e)
{
	struct import *m = ctx;

	return writer_add_node(&m->writer, id, node, &m->out->stored_new, e);
}

static int fill(struct import *m, struct verr *e)
{
	struct batch *b = &m->batches[m->head % BATCHES];
	const struct batch *before = &m->batches[(m->head + BATCHES - 1) % BATCHES];

	if (batch_fill(b, before, &m->input, &m->cut, &m->offset, &m->end, e) < 0)
		return -1;
	m->head++;
	b->job.run = batch_hash;
	jobs_submit(m->jobs, &b->job);
	return watch_go_on(m->watch, m->offset, m->input.size, e);
}

static int know(struct import *m, struct verr *e)
{
	struct batch *b = &m->batches[m->known % BATCHES];

	jobs_wait(m->jobs, &b->job);
	for (size_t i = 0; i < b->count; i++) {
		struct batch_piece *piece = &b->pieces[i];
		enum writer_result r;

		if (piece->zero)
			continue;
		r = writer_know(&m->writer, &piece->id, e);
		if (r == WRITER_FAULT)
			return -1;
		piece->fresh = r == WRITER_NEW;
	}
	m->known++;
	b->job.run = batch_pack;
	jobs_submit(m->jobs, &b->job);
	return 0;
}

static int store_piece(struct import *m, const struct batch_piece *piece, struct verr *e)
{
	struct packer_chunk chunk = {.id = piece->id,
				     .raw = (uint32_t)piece->len,
				     .codec = piece->codec,
				     .kind = PACK_DATA,
				     .stored = piece->stored};

	if (piece->zero)
		return manifest_add_zero(&m->tree, piece->len, e);
	if (piece->fresh) {
		m->out->chunks_new++;
		m->out->raw_new += piece->len;
		m->out->stored_new += piece->stored.len;
		if (writer_add(&m->writer, &chunk, e) < 0)
			return -1;
	}
	return manifest_add_chunk(&m->tree, &piece->id, (uint32_t)piece->len, e);
}

static int store(struct import *m, struct verr *e)
{
	struct batch *b = &m->batches[m->tail % BATCHES];

	jobs_wait(m->jobs, &b->job);
	for (size_t i = 0; i < b->count; i++)
		if (store_piece(m, &b->pieces[i], e) < 0)
			return -1;
	m->tail++;
	return 0;
}

static int run_pipeline(struct import *m, struct verr *e)
{
	int r = 0;

	while (r == 0 && (!m->end || m->tail < m->head)) {
		/* The batch that `head` would reuse is, for its last bytes, still the one before.
		 */
		if (!m->end && m->head - m->tail < BATCHES - 1)
			r = fill(m, e);
		else if (m->known < m->head && m->known - m->tail < BATCHES / 2)
			r = know(m, e);
		else
			r = store(m, e);
	}
	return r;
}

/* All but what keeps it, while the writer's lease does. */
static int run(struct import *m, int fd, struct verr *e)
{
	if (options_check(&m->options, e) < 0 ||
	    input_open(&m->input, fd, split_unit(&m->options.cut), e) < 0 ||
	    writer_open(&m->writer, m->s, m->options.codec == STEL_CODEC_NONE, e) < 0)
		return -1;
	chunk_cut_init(&m->cut, &m->options.cut);
	manifest_builder_init(&m->tree, &m->options.cut, emit_node, m);
	for (size_t i = 0; i < BATCHES; i++)
		if (batch_init(&m->batches[i], &m->options, e) < 0)
			return -1;
	if (jobs_start(&m->jobs, e) < 0 || run_pipeline(m, e) < 0 ||
	    manifest_finish(&m->tree, &m->out->id, e) < 0)
		return -1;
	m->out->size = m->tree.root.size;
	m->out->zero = m->tree.root.zero;
	m->out->chunks = m->tree.root.chunks;
	return writer_commit(&m->writer, e) < 0 ||
			       watch_go_on(m->watch, m->offset, m->input.size, e) < 0
		       ? -1
		       : 0;
}

static struct import *import_new(struct stel *s, const struct stel_options *options,
				 const struct stel_watch *watch, struct stel_import *out,
				 struct verr *e)
{
	struct import *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	*out = (struct stel_import){0};
	m->s = s;
	m->options = options != NULL ? *options : s->defaults;
	m->watch = watch;
	m->out = out;
	m->writer = (struct writer)WRITER_INIT;
	return m;
}

static void import_free(struct import *m)
{
	m->jobs = jobs_stop(m->jobs); /* before what it works on */
	for (size_t i = 0; i < BATCHES; i++)
		batch_deinit(&m->batches[i]);
	manifest_builder_deinit(&m->tree);
	writer_close(&m->writer);
	free(m);
}

int stel_import(struct stel *s, const char *name, int fd, const struct stel_options *options,
		bool replace, const struct stel_watch *watch, struct stel_import *out,
		struct verr *e)
{
	struct import *m = import_new(s, options, watch, out, e);
	int r = -1;

	if (m == NULL)
		return -1;
	if (names_check_new(s->dir, &s->store, name, replace, e) == 0 && run(m, fd, e) == 0)
		r = names_give(s->dir, &s->store, name, replace, &out->id, out->size, e);
	import_free(m);
	return r;
}

int stel_import_unnamed(struct stel *s, int fd, const struct stel_options *options,
			const struct stel_watch *watch, struct stel_import *out,
			struct stel_image **image, struct verr *e)
{
	struct import *m = import_new(s, options, watch, out, e);
	int r = -1;

	if (m == NULL)
		return -1;
	if (run(m, fd, e) == 0)
		r = image_open_id(s, &out->id, "the new image", image, e);
	import_free(m);
	return r;
}
