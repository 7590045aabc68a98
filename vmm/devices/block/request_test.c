/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/request.h"

#include <linux/virtio_blk.h>

#include "base/bytes.h"
#include "base/test.h"

#define SECTORS 100

/* A chain in host memory: header, then `data`, cut into pieces of `piece` bytes, then the status.
 */
struct built {
	struct request r;
	uint8_t out[16 + 8192], in[8192 + 1];
};

static void add(struct chain *c, uint8_t *at, size_t len, size_t piece, bool writable)
{
	while (len > 0) {
		size_t part = MIN(len, piece);

		c->iov[c->nread + c->nwrite] = (struct iovec){.iov_base = at, .iov_len = part};
		*(writable ? &c->nwrite : &c->nread) += 1;
		*(writable ? &c->write_len : &c->read_len) += (uint32_t)part;
		at += part;
		len -= part;
	}
}

static enum request_kind build(struct built *b, uint32_t type, uint64_t sector, size_t out,
			       size_t in, size_t piece)
{
	const struct block_limits limits = {
		.sectors = SECTORS, .discard = true, .write_zeroes = true};

	b->r = (struct request){0};
	put_le32(b->out, type);
	put_le64(b->out + 8, sector);
	add(&b->r.chain, b->out, 16 + out, piece, false);
	add(&b->r.chain, b->in, in + 1, piece, true);
	return request_parse(&b->r, &limits);
}

static uint64_t iov_sum(const struct disk_io *io)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < io->niov; i++)
		sum += io->iov[i].iov_len;
	return sum;
}

/* Whatever the layout of the buffers (2.7.4.2): the same request. */
static void test_any_layout(void **state)
{
	struct built b;

	(void)state;
	for (size_t piece = 512; piece >= 64; piece /= 2) {
		assert_int_equal(build(&b, VIRTIO_BLK_T_IN, 3, 0, 4096, piece), REQUEST_IO);
		assert_int_equal(b.r.io.op, DISK_READ);
		assert_int_equal(b.r.io.offset, 3 * 512);
		assert_int_equal(b.r.io.len, 4096);
		assert_int_equal(iov_sum(&b.r.io), 4096);
		assert_ptr_equal(b.r.io.iov[0].iov_base, b.in);
		assert_ptr_equal(b.r.status_byte, b.in + 4096);
	}
	for (size_t piece = 1024; piece >= 40; piece -= 7) {
		assert_int_equal(build(&b, VIRTIO_BLK_T_OUT, 99, 512, 0, piece), REQUEST_IO);
		assert_int_equal(b.r.io.op, DISK_WRITE);
		assert_int_equal(iov_sum(&b.r.io), 512);
		assert_ptr_equal(b.r.io.iov[0].iov_base, b.out + 16);
		assert_ptr_equal(b.r.status_byte, b.in);
	}
	/* The header byte by byte. */
	assert_int_equal(build(&b, VIRTIO_BLK_T_FLUSH, 0, 0, 0, 1), REQUEST_IO);
	assert_int_equal(b.r.io.op, DISK_FLUSH);
}

static void test_where_the_disk_ends(void **state)
{
	static const struct {
		uint64_t sector;
		size_t len;
		enum request_kind kind;
	} rows[] = {
		{SECTORS - 1, 512, REQUEST_IO},
		{SECTORS - 1, 1024, REQUEST_ANSWER},
		{SECTORS, 512, REQUEST_ANSWER},
		{SECTORS, 0, REQUEST_ANSWER},
		{UINT64_MAX, 512, REQUEST_ANSWER},
		{UINT64_MAX / 512, 1024, REQUEST_ANSWER},
		{1ULL << 55, 512, REQUEST_ANSWER},
		{0, 513, REQUEST_ANSWER},
		{0, 1, REQUEST_ANSWER},
	};
	struct built b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool nothing = rows[i].len == 0;

		assert_int_equal(build(&b, VIRTIO_BLK_T_IN, rows[i].sector, 0, rows[i].len, 4096),
				 rows[i].kind);
		if (rows[i].kind == REQUEST_ANSWER)
			assert_int_equal(b.r.status,
					 nothing ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR);
		assert_int_equal(build(&b, VIRTIO_BLK_T_OUT, rows[i].sector, rows[i].len, 0, 4096),
				 rows[i].kind);
	}
}

static void test_readonly(void **state)
{
	const struct block_limits limits = {.sectors = SECTORS, .readonly = true};
	struct built b;

	(void)state;
	(void)build(&b, VIRTIO_BLK_T_IN, 0, 512, 0, 4096);
	b.r.chain = (struct chain){0};
	put_le32(b.out, VIRTIO_BLK_T_OUT);
	add(&b.r.chain, b.out, 16 + 512, 4096, false);
	add(&b.r.chain, b.in, 1, 1, true);
	assert_int_equal(request_parse(&b.r, &limits), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_IOERR);
}

static void test_no_room_for_an_answer(void **state)
{
	struct built b = {0};
	const struct block_limits limits = {.sectors = SECTORS};

	(void)state;
	add(&b.r.chain, b.out, 16, 16, false);
	assert_int_equal(request_parse(&b.r, &limits), REQUEST_BROKEN);
	/* A header that is too short, and none, are answered. */
	for (size_t len = 0; len < 16; len++) {
		b.r.chain = (struct chain){0};
		add(&b.r.chain, b.out, len, 16, false);
		add(&b.r.chain, b.in, 1, 1, true);
		assert_int_equal(request_parse(&b.r, &limits), REQUEST_ANSWER);
		assert_int_equal(b.r.status, VIRTIO_BLK_S_IOERR);
	}
}

static void test_unknown_types_are_answered(void **state)
{
	static const uint32_t types[] = {2, 3, 5, 6, 7, 10, 12, 14, 16, 0x80000000, UINT32_MAX};
	struct built b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		assert_int_equal(build(&b, types[i], 0, 512, 512, 4096), REQUEST_ANSWER);
		assert_int_equal(b.r.status, VIRTIO_BLK_S_UNSUPP);
	}
}

static enum request_kind range(struct built *b, uint32_t type, uint64_t sector, uint32_t sectors,
			       uint32_t flags)
{
	put_le64(b->out + 16, sector);
	put_le32(b->out + 24, sectors);
	put_le32(b->out + 28, flags);
	return build(b, type, 0, 16, 0, 4096);
}

static void test_ranges(void **state)
{
	const uint32_t discard = VIRTIO_BLK_T_DISCARD, zero = VIRTIO_BLK_T_WRITE_ZEROES;
	struct built b;

	(void)state;
	assert_int_equal(range(&b, discard, 8, 16, 0), REQUEST_IO);
	assert_int_equal(b.r.io.op, DISK_DISCARD);
	assert_int_equal(b.r.io.offset, 8 * 512);
	assert_int_equal(b.r.io.len, 16 * 512);
	assert_int_equal(range(&b, zero, 8, 16, 1), REQUEST_IO);
	assert_true(b.r.io.unmap);
	assert_int_equal(range(&b, zero, SECTORS - 1, 1, 0), REQUEST_IO);
	assert_int_equal(range(&b, zero, SECTORS - 1, 2, 0), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(&b, discard, UINT64_MAX, UINT32_MAX, 0), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_IOERR);
	assert_int_equal(range(&b, discard, 0, 1, 1), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range(&b, zero, 0, 1, 2), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(range(&b, zero, 0, 0, 0), REQUEST_ANSWER);
	assert_int_equal(b.r.status, VIRTIO_BLK_S_OK);
	/* Parts of a range, and more than one. */
	for (size_t len = 0; len <= 48; len++)
		if (len != 16) {
			assert_int_equal(build(&b, discard, 0, len, 0, 4096), REQUEST_ANSWER);
			assert_int_equal(b.r.status, VIRTIO_BLK_S_IOERR);
		}
}

static void test_id(void **state)
{
	static const uint8_t id[BLOCK_ID_LEN] = "twenty bytes of a na";
	struct built b;

	(void)state;
	for (size_t room = 0; room <= 40; room++) {
		memset(b.in, 0xEE, sizeof(b.in));
		assert_int_equal(build(&b, VIRTIO_BLK_T_GET_ID, 0, 0, room, 7), REQUEST_GET_ID);
		assert_int_equal(request_put_id(&b.r, id), MIN(room, BLOCK_ID_LEN));
		assert_memory_equal(b.in, id, MIN(room, BLOCK_ID_LEN));
		assert_int_equal(b.in[MIN(room, BLOCK_ID_LEN)], 0xEE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_layout),
		cmocka_unit_test(test_where_the_disk_ends),
		cmocka_unit_test(test_readonly),
		cmocka_unit_test(test_no_room_for_an_answer),
		cmocka_unit_test(test_unknown_types_are_answered),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
