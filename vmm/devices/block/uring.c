/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The io_uring engine: one ring a queue, one system call for a batch of operations and for those
 * that complete at once.
 *
 * The ring takes only the operations below, and only on the one file registered with it, which can
 * be replaced: whoever captured the process could make it do nothing else
 * (IORING_REGISTER_RESTRICTIONS).
 */
#include <errno.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/own.h"
#include "vmm/devices/block/engines.h"

struct uring_engine {
	struct disk_engine engine; /* first */
	struct io_uring ring;
	const struct disk_file *file;
};

/* The file is the ring's first. */
#define FILE_INDEX 0

/*
 * What the host has in its cache is copied while it is submitted, by the thread that others wait
 * for: longer transfers than this are left to the kernel's.
 */
#define INLINE_MAX MIB(1)

static bool is_transfer(const struct disk_io *io)
{
	return io->op == DISK_READ || io->op == DISK_WRITE;
}

static bool is_long(const struct disk_io *io)
{
	return is_transfer(io) && io->len > INLINE_MAX;
}

static void prepare(struct io_uring_sqe *sqe, struct disk_io *io)
{
	switch (io->op) {
	case DISK_READ:
		io_uring_prep_readv(sqe, FILE_INDEX, io->iov, io->niov, io->offset);
		break;
	case DISK_WRITE:
		io_uring_prep_writev2(sqe, FILE_INDEX, io->iov, io->niov, io->offset,
				      io->durable ? RWF_DSYNC : 0);
		break;
	case DISK_FLUSH:
		io_uring_prep_fsync(sqe, FILE_INDEX, IORING_FSYNC_DATASYNC);
		break;
	case DISK_DISCARD:
	case DISK_WRITE_ZEROES:
		io_uring_prep_fallocate(sqe, FILE_INDEX, disk_io_fallocate_mode(io),
					(off_t)io->offset, (off_t)io->len);
		break;
	}
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE | (is_long(io) ? IOSQE_ASYNC : 0U));
	io_uring_sqe_set_data(sqe, io);
}

static void hand_over(struct uring_engine *u)
{
	/* It takes less than all when a signal came, or while it has no memory: that passes. */
	while (io_uring_sq_ready(&u->ring) > 0)
		if (io_uring_submit(&u->ring) < 0)
			(void)sched_yield();
}

static void enqueue(struct uring_engine *u, struct disk_io *io)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe == NULL) {
		hand_over(u);
		sqe = io_uring_get_sqe(&u->ring);
	}
	if (sqe == NULL) /* not while no more are in flight than the ring was made for */
		disk_complete(&u->engine, io, EAGAIN);
	else
		prepare(sqe, io);
}

static void submit(struct disk_engine *engine, struct disk_io *io)
{
	engine->inflight++;
	enqueue((struct uring_engine *)engine, io);
}

static void complete(struct uring_engine *u, struct disk_io *io, int result)
{
	if (result == -EINTR) {
		enqueue(u, io);
	} else if (result < 0) {
		disk_complete(&u->engine, io, -result);
	} else if (is_transfer(io) && result == 0 && io->len > 0) {
		/* The file has become shorter than the disk. */
		disk_complete(&u->engine, io, EIO);
	} else if (is_transfer(io) && (uint64_t)result < io->len) {
		disk_io_advance(io, (uint64_t)result);
		enqueue(u, io);
	} else {
		disk_complete(&u->engine, io, 0);
	}
}

static void reap_ready(struct uring_engine *u)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
		struct disk_io *io = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&u->ring, cqe);
		complete(u, io, result);
	}
}

/*
 * What completes while it is submitted need not wake the loop: notifications are off meanwhile, and
 * the ring is looked at once more after they are on again.
 */
static void commit(struct disk_engine *engine)
{
	struct uring_engine *u = (struct uring_engine *)engine;

	while (io_uring_sq_ready(&u->ring) > 0) {
		(void)io_uring_cq_eventfd_toggle(&u->ring, false);
		hand_over(u);
		reap_ready(u);
		(void)io_uring_cq_eventfd_toggle(&u->ring, true);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		reap_ready(u);
	}
}

static void reap(struct disk_engine *engine)
{
	reap_ready((struct uring_engine *)engine);
	commit(engine);
}

static void wait_one(struct disk_engine *engine)
{
	struct uring_engine *u = (struct uring_engine *)engine;
	struct io_uring_cqe *cqe;

	commit(engine);
	if (engine->inflight > 0)
		(void)io_uring_wait_cqe(&u->ring, &cqe);
	reap_ready(u);
}

static int changed(struct disk_engine *engine)
{
	struct uring_engine *u = (struct uring_engine *)engine;
	int r = io_uring_register_files_update(&u->ring, FILE_INDEX, &u->file->fd, 1);

	return r < 0 ? -r : 0;
}

static void engine_free(struct disk_engine *engine)
{
	struct uring_engine *u = (struct uring_engine *)engine;

	if (u->ring.ring_fd >= 0)
		io_uring_queue_exit(&u->ring);
	fd_close(&engine->event);
	free(u);
}

static const struct disk_engine_class uring_class = {
	.name = "io_uring",
	.submit = submit,
	.commit = commit,
	.reap = reap,
	.wait = wait_one,
	.changed = changed,
	.free = engine_free,
};

static int restrict_ring(struct uring_engine *u)
{
	static const uint8_t ops[] = {IORING_OP_READV, IORING_OP_WRITEV, IORING_OP_FSYNC,
				      IORING_OP_FALLOCATE};
	struct io_uring_restriction rules[ARRAY_LEN(ops) + 3] = {{0}};
	size_t n = 0;

	for (; n < ARRAY_LEN(ops); n++) {
		rules[n].opcode = IORING_RESTRICTION_SQE_OP;
		rules[n].sqe_op = ops[n];
	}
	rules[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	rules[n++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC;
	rules[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	rules[n++].sqe_flags = IOSQE_FIXED_FILE;
	rules[n].opcode = IORING_RESTRICTION_REGISTER_OP;
	rules[n++].register_op = IORING_REGISTER_FILES_UPDATE;
	/* The shared library of Debian 12 lacks the functions for this and for enabling. */
	return io_uring_register((unsigned)u->ring.ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
				 (unsigned)n);
}

static int set_up(struct uring_engine *u, const struct disk_file *file, unsigned depth,
		  struct verr *e)
{
	int r = io_uring_queue_init(depth, &u->ring, IORING_SETUP_R_DISABLED);

	if (r < 0) {
		u->ring.ring_fd = -1;
		errno = -r;
		return verr_os(e, "io_uring_setup");
	}
	r = io_uring_register_files(&u->ring, &file->fd, 1);
	if (r == 0)
		r = io_uring_register_eventfd(&u->ring, u->engine.event);
	if (r == 0)
		r = restrict_ring(u);
	if (r == 0)
		r = io_uring_register((unsigned)u->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL,
				      0);
	errno = -r;
	return r < 0 ? verr_os(e, "set up io_uring") : 0;
}

int uring_engine_new(const struct disk_file *file, unsigned depth, disk_done_fn *done, void *arg,
		     struct disk_engine **out, struct verr *e)
{
	struct uring_engine *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return verr_host(e, "out of memory");
	u->engine = (struct disk_engine){.class = &uring_class, .done = done, .arg = arg};
	u->file = file;
	u->ring.ring_fd = -1;
	u->engine.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->engine.event < 0)
		(void)verr_os(e, "create an eventfd");
	if (u->engine.event < 0 || set_up(u, file, depth, e) < 0) {
		engine_free(&u->engine);
		return -1;
	}
	*out = &u->engine;
	return 0;
}
