/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feed a split queue with a driver's rings and descriptors, which the input changes between the
 * device's calls. Whatever comes, a chain's buffers lie in guest memory, are as many and as long as
 * the chain says, in order and bounded; what is refused leaves the queue as it was; every call
 * ends.
 */
#include <linux/virtio_config.h>

#include "fuzz/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY, DESC, INDIRECT, OFFER, INDEX, NEXT, PUT, UNDO, ASK, DISARM, ARM, START, OPS };

#define TABLE 0x10000 /* for indirect descriptors */

struct fuzz {
	struct mem *mem;
	struct queue q;
	struct queue_setup setup;
	struct chain chain;
	bool has_chain; /* taken and not undone */
	uint16_t avail;
};

/* size, features, three addresses in place of the usual ones */
static void start(struct fuzz *f, struct input *in)
{
	uint8_t size = take8(in), how = take8(in);
	uint64_t features = (uint64_t)(how & 3) << VIRTIO_RING_F_INDIRECT_DESC;
	struct queue before = f->q;

	f->setup = (struct queue_setup){.size = size < 9 ? (uint16_t)(1U << size) : take16(in),
					.desc = how & 4 ? take(in, 8) : FUZZ_DESC,
					.avail = how & 8 ? take(in, 8) : FUZZ_AVAIL,
					.used = how & 16 ? take(in, 8) : FUZZ_USED};
	if (!queue_start(&f->q, f->mem, &f->setup, features)) {
		CHECK(memcmp(&f->q, &before, sizeof(before)) == 0);
		return;
	}
	f->has_chain = false;
	f->avail = 0;
	CHECK(f->q.size > 0 && f->q.size <= QUEUE_SIZE_MAX && (f->q.size & (f->q.size - 1)) == 0);
	CHECK(in_memory(f->mem, f->q.desc, 16ULL * f->q.size));
	CHECK(in_memory(f->mem, f->q.avail, 6 + 2ULL * f->q.size));
	CHECK(in_memory(f->mem, f->q.used, 6 + 8ULL * f->q.size));
}

static void check_chain(const struct fuzz *f)
{
	const struct chain *c = &f->chain;
	uint64_t read_len = 0, write_len = 0;

	CHECK(c->nread + c->nwrite <= QUEUE_CHAIN_MAX);
	CHECK(c->head < f->q.size);
	for (uint16_t i = 0; i < c->nread + c->nwrite; i++) {
		CHECK(c->iov[i].iov_len > 0);
		CHECK(in_memory(f->mem, c->iov[i].iov_base, c->iov[i].iov_len));
		*(i < c->nread ? &read_len : &write_len) += c->iov[i].iov_len;
	}
	CHECK(read_len == c->read_len && write_len == c->write_len);
}

static void next(struct fuzz *f)
{
	struct queue before = f->q;
	uint16_t waiting = (uint16_t)(f->q.avail->idx - f->q.next_avail);

	switch (queue_next(&f->q, &f->chain)) {
	case CHAIN_OK:
		CHECK(waiting > 0 && waiting <= f->q.size);
		before.next_avail++;
		f->has_chain = true;
		check_chain(f);
		break;
	case CHAIN_EMPTY:
		CHECK(waiting == 0);
		break;
	case CHAIN_BAD:
		CHECK(waiting > 0);
		break;
	}
	CHECK(memcmp(&f->q, &before, sizeof(before)) == 0);
}

static void put_back(struct fuzz *f, uint32_t len)
{
	uint16_t idx = f->q.next_used;

	if (!f->has_chain)
		return;
	f->has_chain = false;
	queue_put(&f->q, f->chain.head, len);
	CHECK(f->q.used->idx == (uint16_t)(idx + 1));
}

static void do_one(struct fuzz *f, struct input *in, uint8_t op)
{
	switch (op) {
	case OFFER:
		offer(f->mem, f->setup.avail, f->q.size, &f->avail, take16(in));
		break;
	case INDEX:
		f->avail = take16(in);
		put(f->mem, f->setup.avail + 2, &f->avail, 2);
		break;
	case NEXT:
		next(f);
		break;
	case PUT:
		put_back(f, take32(in));
		break;
	case UNDO:
		if (f->has_chain)
			queue_undo(&f->q);
		f->has_chain = false;
		break;
	case ASK:
		(void)queue_should_interrupt(&f->q);
		CHECK(!queue_should_interrupt(&f->q)); /* nothing was put in between */
		break;
	case DISARM:
		queue_disarm(&f->q);
		break;
	default:
		CHECK(queue_arm(&f->q) == (f->q.avail->idx != f->q.next_avail));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {.mem = fuzz_memory()};
	struct input in = {data, size};

	start(&f, &in);
	while (in.len > 0) {
		uint8_t op = take8(&in) % OPS;

		if (op == MEMORY)
			write_memory(&in, f.mem);
		else if (op == DESC)
			write_desc(&in, f.mem, f.q.mem != NULL ? f.setup.desc : FUZZ_DESC);
		else if (op == INDIRECT)
			write_desc(&in, f.mem, TABLE);
		else if (op == START)
			start(&f, &in);
		else if (f.q.mem != NULL)
			do_one(&f, &in, op);
	}
	return 0;
}
