/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/frame.h"

#include "base/test.h"
#include "vmm/devices/net/backend.h"

#define ALL UINT64_MAX
#define LEN 2000
#define CSUM VIRTIO_NET_HDR_F_NEEDS_CSUM
#define TCP4 VIRTIO_NET_HDR_GSO_TCPV4
#define TCP6 VIRTIO_NET_HDR_GSO_TCPV6
#define ECN VIRTIO_NET_HDR_GSO_ECN

static uint64_t without(unsigned bit)
{
	return ~(1ULL << bit);
}

static void test_what_passes(void **state)
{
	static const struct {
		uint64_t flags, gso_type, hdr_len, gso_size, start, offset, len;
		uint64_t missing; /* features */
		uint64_t ok;
	} rows[] = {
		{0, 0, 0, 0, 0, 0, 14, 0, true},
		{0, 0, 0, 0, 0, 0, 13, 0, false},
		{0, 0, 0, 0, 0, 0, 0, 0, false},
		{0, 0, 0, 0, 0, 0, NET_FRAME_MAX, 0, true},
		{0, 0, 0, 0, 0, 0, NET_FRAME_MAX + 1, 0, false},
		/* Checksums: their place is within the frame. */
		{CSUM, 0, 0, 0, 34, 16, LEN, 0, true},
		{CSUM, 0, 0, 0, 34, 16, LEN, 1ULL << VIRTIO_NET_F_CSUM, false},
		{CSUM, 0, 0, 0, LEN - 18, 16, LEN, 0, true},
		{CSUM, 0, 0, 0, LEN - 17, 16, LEN, 0, false},
		{CSUM, 0, 0, 0, 0, LEN - 1, LEN, 0, false},
		{CSUM, 0, 0, 0, 0xFFFF, 0xFFFF, LEN, 0, false},
		{CSUM, 0, 0, 0, 0xFFFF, 0xFFFF, NET_FRAME_MAX, 0, false},
		{CSUM, 0, 0, 0, 0xFFF0, 16, NET_FRAME_MAX, 0, true},
		{0, 0, 0, 0, 0xFFFF, 0xFFFF, LEN, 0, true}, /* means nothing */
		/* Segments. */
		{CSUM, TCP4, 54, 1448, 34, 16, LEN, 0, true},
		{CSUM, TCP4, 54, 1448, 34, 16, LEN, 1ULL << VIRTIO_NET_F_HOST_TSO4, false},
		{CSUM, TCP6, 74, 1428, 54, 16, LEN, 0, true},
		{CSUM, TCP6, 74, 1428, 54, 16, LEN, 1ULL << VIRTIO_NET_F_HOST_TSO6, false},
		{CSUM, TCP4 | ECN, 54, 1448, 34, 16, LEN, 0, true},
		{CSUM, TCP4 | ECN, 54, 1448, 34, 16, LEN, 1ULL << VIRTIO_NET_F_HOST_ECN, false},
		{CSUM, NET_GSO_UDP_L4, 42, 1448, 34, 6, LEN, 0, true},
		{CSUM, NET_GSO_UDP_L4, 42, 1448, 34, 6, LEN, 1ULL << NET_F_HOST_USO, false},
		{CSUM, NET_GSO_UDP_L4 | ECN, 42, 1448, 34, 6, LEN, 0, false},
		{0, TCP4, 54, 1448, 34, 16, LEN, 0, false}, /* no checksum */
		{CSUM, TCP4, 54, 0, 34, 16, LEN, 0, false}, /* parts of nothing */
		{CSUM, TCP4, LEN, 1448, 34, 16, LEN, 0, true},
		{CSUM, TCP4, LEN + 1, 1448, 34, 16, LEN, 0, false},
		{CSUM, TCP4, 0xFFFF, 1448, 34, 16, LEN, 0, false},
		{CSUM, ECN, 54, 1448, 34, 16, LEN, 0, false},
		{CSUM, VIRTIO_NET_HDR_GSO_UDP, 42, 1448, 34, 6, LEN, 0, false},
		{CSUM, 2, 42, 1448, 34, 6, LEN, 0, false},
		{CSUM, 0x7F, 42, 1448, 34, 6, LEN, 0, false},
		{CSUM, 0xFF, 42, 1448, 34, 6, LEN, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct virtio_net_hdr_v1 h = {.flags = (uint8_t)rows[i].flags,
					      .gso_type = (uint8_t)rows[i].gso_type,
					      .hdr_len = (uint16_t)rows[i].hdr_len,
					      .gso_size = (uint16_t)rows[i].gso_size,
					      .csum_start = (uint16_t)rows[i].start,
					      .csum_offset = (uint16_t)rows[i].offset};

		if (frame_check(&h, rows[i].len, ~rows[i].missing) != rows[i].ok)
			fail_msg("row %zu", i);
	}
}

static void test_what_means_nothing_is_cleared(void **state)
{
	struct virtio_net_hdr_v1 h = {.flags = 0xFE,
				      .hdr_len = 99,
				      .gso_size = 98,
				      .csum_start = 97,
				      .csum_offset = 96,
				      .num_buffers = 95};
	struct virtio_net_hdr_v1 clear = {0};

	(void)state;
	assert_true(frame_check(&h, 60, without(VIRTIO_NET_F_CSUM)));
	assert_memory_equal(&h, &clear, sizeof(h));
	h = (struct virtio_net_hdr_v1){.flags = 0xFF, .csum_start = 20, .num_buffers = 7};
	assert_true(frame_check(&h, 60, ALL));
	assert_int_equal(h.flags, CSUM);
	assert_int_equal(h.num_buffers, 0);
}

static void test_buffers_in_parts(void **state)
{
	uint8_t a[3] = {1, 2, 3}, b[1] = {4}, c[4] = {5, 6, 7, 8}, out[8];
	struct iovec iov[] = {{a, 3}, {b, 1}, {c, 4}}, rest[3];

	(void)state;
	assert_int_equal(iov_read(iov, 3, 0, out, 8), 8);
	assert_memory_equal(out, ((uint8_t[]){1, 2, 3, 4, 5, 6, 7, 8}), 8);
	assert_int_equal(iov_read(iov, 3, 2, out, 3), 3);
	assert_memory_equal(out, ((uint8_t[]){3, 4, 5}), 3);
	assert_int_equal(iov_read(iov, 3, 6, out, 8), 2);
	assert_int_equal(iov_read(iov, 3, 8, out, 8), 0);
	assert_int_equal(iov_read(iov, 3, SIZE_MAX, out, 8), 0);
	assert_int_equal(iov_write(iov, 3, 3, "xy", 2), 2);
	assert_int_equal(b[0], 'x');
	assert_int_equal(c[0], 'y');
	assert_int_equal(iov_skip(iov, 3, 0, rest), 3);
	assert_int_equal(iov_skip(iov, 3, 3, rest), 2);
	assert_ptr_equal(rest[0].iov_base, b);
	assert_int_equal(iov_skip(iov, 3, 6, rest), 1);
	assert_ptr_equal(rest[0].iov_base, c + 2);
	assert_int_equal(rest[0].iov_len, 2);
	assert_int_equal(iov_skip(iov, 3, 8, rest), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_passes),
		cmocka_unit_test(test_what_means_nothing_is_cleared),
		cmocka_unit_test(test_buffers_in_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
