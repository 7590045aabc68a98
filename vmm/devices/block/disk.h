/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind a disk: a backend takes operations and completes them later, in any order.
 *
 * An engine serves one queue and belongs to whoever holds that queue's lock: every call below is
 * made with it, from any thread, and completions are delivered from within these calls only. So an
 * operation can be waited for on a thread that the loop does not run on.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_DISK_H
#define VOLT_VMM_DEVICES_BLOCK_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/verr.h"

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_DISCARD, DISK_WRITE_ZEROES };

struct disk_io {
	enum disk_op op;
	bool durable;         /* a write: on the disk when it completes, as if a flush followed */
	bool unmap;           /* writing zeroes: the space may be given back */
	uint64_t offset, len; /* bytes */
	struct iovec *iov;    /* of reads and writes; the engine changes it as it goes */
	uint32_t niov;

	int error;            /* once complete: 0, or an errno */
	struct disk_io *next; /* the engine's, until it is complete */
};

typedef void disk_done_fn(void *arg, struct disk_io *io);

/*
 * What a disk's bytes are on, and what it can. Engines of threads use these calls, several at once;
 * an engine may also know what is behind it.
 */
struct disk_medium;

struct disk_medium_class {
	/* Do one operation, blocking; any thread. Returns 0 or an errno. */
	int (*run)(struct disk_medium *medium, struct disk_io *io);

	/* Read what is there without waiting for the host's disk. False: run() it. */
	bool (*read_now)(struct disk_medium *medium, const struct disk_io *io);

	/*
	 * What the next machine needs to have this disk as it is now, into an empty file: its
	 * bytes; of a volume, what was written over the image. Nothing is in flight; any thread.
	 * `end` as in base/copy.h.
	 */
	int (*save)(struct disk_medium *medium, int fd, const atomic_bool *end, struct verr *e);
};

/* Embedded first. */
struct disk_medium {
	const struct disk_medium_class *class;
	bool readonly;
	bool discard, write_zeroes; /* it can */
	uint64_t size;              /* bytes, whole sectors of 512 */
	uint32_t physical;          /* bytes of what the host writes in one go, a power of two */
};

struct disk_engine;

struct disk_engine_class {
	const char *name;

	/* Take an operation. It may complete before this returns. */
	void (*submit)(struct disk_engine *engine, struct disk_io *io);

	/* What was submitted starts now, at the latest. May complete some. */
	void (*commit)(struct disk_engine *engine);

	/* Deliver what has completed: when `event` was written. */
	void (*reap)(struct disk_engine *engine);

	/* Wait for one completion, and deliver it; something is in flight. */
	void (*wait)(struct disk_engine *engine);

	/* The file has another descriptor behind it. Nothing is in flight. Returns 0 or an errno.
	 */
	int (*changed)(struct disk_engine *engine);

	void (*free)(struct disk_engine *engine); /* nothing is in flight */
};

/* Embedded first in every engine; new ones set the first part, the class keeps `inflight`. */
struct disk_engine {
	const struct disk_engine_class *class;
	int event; /* eventfd: there may be completions; the engine's */
	disk_done_fn *done;
	void *arg;
	unsigned inflight;
};

/* An operation is complete: deliver it. For engines. */
static inline void disk_complete(struct disk_engine *engine, struct disk_io *io, int error)
{
	io->error = error;
	engine->inflight--;
	engine->done(engine->arg, io);
}

/* Return when nothing is in flight any more. */
static inline void disk_engine_drain(struct disk_engine *engine)
{
	engine->class->commit(engine);
	while (engine->inflight > 0)
		engine->class->wait(engine);
}

#endif
