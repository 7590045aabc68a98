/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Give chains to the understanding of disk requests. Whatever a driver sends, what is to be done
 * lies on the disk and in the request's own buffers, a read-only disk is only read, and the answer
 * goes to the last byte that may be written.
 */
#include <sys/mman.h>

#include "fuzz/virtio_fuzz.h"
#include "vmm/devices/block/file.h"
#include "vmm/devices/block/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A long buffer is part of an area that nobody writes to; a short one has a place of its own. */
#define AREA MIB(512)
#define SHORT 64

struct fuzz {
	struct block_limits limits;
	struct request r;
	struct chain before;
	uint8_t *own[QUEUE_CHAIN_MAX];
};

static uint8_t *area(void)
{
	static uint8_t *at;

	if (at == NULL)
		at = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(at != MAP_FAILED);
	return at;
}

/* False when it would be too much for one chain. */
static bool add_buffer(struct fuzz *f, struct input *in, bool writable, size_t len)
{
	struct chain *c = &f->r.chain;
	uint32_t *total = writable ? &c->write_len : &c->read_len;
	uint16_t n = (uint16_t)(c->nread + c->nwrite);
	size_t given = MIN(len, in->len);

	if (len > UINT32_MAX - *total)
		return false;
	*total += (uint32_t)len;
	*(writable ? &c->nwrite : &c->nread) += 1;
	c->iov[n] = (struct iovec){.iov_base = area(), .iov_len = len};
	if (len > SHORT)
		return true;
	c->iov[n].iov_base = f->own[n] = calloc(1, len);
	CHECK(f->own[n] != NULL);
	if (writable)
		return true;
	memcpy(f->own[n], in->at, given);
	in->at += given;
	in->len -= given;
	return true;
}

/* Each buffer: a byte that says how long, and whether the writable ones begin; then its content. */
static void build_chain(struct fuzz *f, struct input *in)
{
	struct chain *c = &f->r.chain;
	bool more = true;

	while (more && in->len > 0 && c->nread + c->nwrite < QUEUE_CHAIN_MAX) {
		uint8_t how = take8(in);
		size_t len = (how & 0x7f) % (SHORT + 2) + 1;

		if (len == SHORT + 1)
			len = (take16(in) + 1ULL) * BLOCK_SECTOR;
		else if (len > SHORT)
			len = take32(in) % AREA + 1;
		more = add_buffer(f, in, how & 0x80 || c->nwrite > 0, len);
	}
}

static bool lies_in(const struct iovec *part, const struct iovec *whole)
{
	const uint8_t *p = part->iov_base, *w = whole->iov_base;

	return p >= w && range_within((uint64_t)(p - w), part->iov_len, whole->iov_len);
}

/* The operation's buffers are parts of the chain's, in their order, on the right side. */
static void check_buffers(const struct fuzz *f)
{
	const struct disk_io *io = &f->r.io;
	const struct chain *b = &f->before;
	uint64_t sum = 0;

	CHECK(io->niov <= QUEUE_CHAIN_MAX);
	for (uint32_t i = 0; i < io->niov; i++) {
		size_t at = (size_t)(&io->iov[i] - f->r.chain.iov);

		CHECK(at < (size_t)b->nread + b->nwrite);
		CHECK((io->op == DISK_READ) == (at >= b->nread));
		CHECK(io->iov[i].iov_len > 0 && lies_in(&io->iov[i], &b->iov[at]));
		sum += io->iov[i].iov_len;
	}
	CHECK(sum == io->len);
}

static void check_io(const struct fuzz *f)
{
	const struct disk_io *io = &f->r.io;
	const struct block_limits *l = &f->limits;

	if (io->op == DISK_FLUSH)
		return;
	CHECK(io->len > 0 && io->len % BLOCK_SECTOR == 0 && io->offset % BLOCK_SECTOR == 0);
	CHECK(range_within(io->offset, io->len, l->sectors * BLOCK_SECTOR));
	CHECK(io->op == DISK_READ || !l->readonly);
	if (io->op == DISK_READ || io->op == DISK_WRITE) {
		check_buffers(f);
		return;
	}
	CHECK(io->op == DISK_DISCARD ? l->discard : l->write_zeroes);
	CHECK(io->len <= BLOCK_RANGE_MAX * BLOCK_SECTOR && io->niov == 0);
	CHECK(!io->unmap || io->op == DISK_WRITE_ZEROES);
}

/* Parts of it are done, as the host likes. */
static void advance(struct fuzz *f, struct input *in)
{
	struct disk_io *io = &f->r.io;

	while (io->len > 0) {
		uint64_t part = in->len > 0 ? take32(in) % io->len + 1 : io->len,
			 left = io->len - part;

		disk_io_advance(io, part);
		CHECK(io->len == left);
		check_buffers(f);
	}
	CHECK(io->niov == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t id[BLOCK_ID_LEN] = "twenty bytes of name";
	static struct fuzz f;
	struct input in = {data, size}, rest;
	const struct iovec *last;
	uint8_t how = take8(&in);

	f = (struct fuzz){.limits = {.sectors = take(&in, 7) >> (how >> 3),
				     .readonly = how & 1,
				     .discard = how & 2,
				     .write_zeroes = how & 4}};
	/* No file has more bytes than off_t can say. */
	f.limits.sectors &= INT64_MAX / BLOCK_SECTOR;
	build_chain(&f, &in);
	rest = (struct input){data, size};
	f.before = f.r.chain;
	last = &f.before.iov[f.before.nread + f.before.nwrite - (f.before.nwrite > 0)];
	switch (request_parse(&f.r, &f.limits)) {
	case REQUEST_IO:
		check_io(&f);
		if (f.r.io.op == DISK_READ || f.r.io.op == DISK_WRITE)
			advance(&f, &rest);
		break;
	case REQUEST_GET_ID:
		CHECK(request_put_id(&f.r, id) == MIN(BLOCK_ID_LEN, f.before.write_len - 1));
		break;
	case REQUEST_ANSWER:
		CHECK(f.r.status <= 2);
		break;
	case REQUEST_BROKEN:
		CHECK(f.before.nwrite == 0);
		break;
	}
	if (f.before.nwrite > 0) {
		CHECK(f.r.status_byte == (uint8_t *)last->iov_base + last->iov_len - 1);
		*f.r.status_byte = 0;
	}
	for (size_t i = 0; i < QUEUE_CHAIN_MAX; i++)
		free(f.own[i]);
	return 0;
}
