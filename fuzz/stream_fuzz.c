/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that sends any bytes in any pieces: each frame that is given to a NIC is one that stands
 * in them, in order, and a length that no frame has ends the link for good. The input is pieces,
 * each behind its length in one byte.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/virtio_fuzz.h"
#include "vmm/devices/net/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that was sent, and how much of it is behind the frames that came. */
static uint8_t sent[1 << 16];
static size_t nsent, at;
static bool ended;

static uint32_t length_at(size_t place)
{
	return (uint32_t)sent[place] << 24 | (uint32_t)sent[place + 1] << 16 |
	       (uint32_t)sent[place + 2] << 8 | sent[place + 3];
}

static void take_all(struct net_backend *b)
{
	static uint8_t frame[NET_HEADER_LEN + NET_FRAME_MAX];
	struct iovec iov[] = {{frame, 3}, {frame + 3, sizeof(frame) - 3}};
	ssize_t n;

	while ((n = b->class->receive(b, 0, iov, 2)) >= 0) {
		uint32_t len = length_at(at);

		CHECK(!ended && n == (ssize_t)(NET_HEADER_LEN + len));
		CHECK(memcmp(frame + NET_HEADER_LEN, sent + at + 4, len) == 0);
		at += 4 + len;
		CHECK(at <= nsent);
	}
	if (errno == EAGAIN) {
		CHECK(!ended);
		CHECK(nsent - at < 4 || length_at(at) > nsent - at - 4);
		return;
	}
	CHECK(ended || (errno == EPROTO && length_at(at) > NET_FRAME_MAX));
	ended = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_options o = {.mtu = STREAM_MTU};
	struct net_backend *b = NULL;
	struct verr e = VERR_INIT;
	int both[2];

	nsent = at = 0;
	ended = false;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0);
	CHECK(stream_new(both[0], &o, &b, &e) == 0);
	while (size > 1 && !ended) {
		size_t len = MIN((size_t)data[0], size - 1);

		if (len > sizeof(sent) - nsent)
			break;
		memcpy(sent + nsent, data + 1, len);
		CHECK(write(both[1], sent + nsent, len) == (ssize_t)len);
		nsent += len;
		data += 1 + len;
		size -= 1 + len;
		take_all(b);
	}
	(void)close(both[1]);
	(void)net_backend_free(b);
	return 0;
}
