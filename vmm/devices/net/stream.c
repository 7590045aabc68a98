/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/devices/net/frame.h"
#include "vmm/devices/net/stale.h"
#include "vmm/virtio/queue.h"

#define LENGTH_LEN sizeof(uint32_t)

/* The longest frame that passt takes. */
#define SEND_MAX 65535

/* Room for two of the longest frames, so that a read brings more than the rest of one. */
#define IN_SIZE ((size_t)128 << 10)

/* Of a frame to be sent this much is looked at, in a copy: its addresses stand in there. */
#define TYPE 12
#define IPV4_DESTINATION (ETH_HLEN + 16)
#define IPV6_DESTINATION (ETH_HLEN + 24)
#define HEAD_LEN STALE_HEAD_LEN

struct stream {
	struct net_backend backend; /* first */
	bool loopback;
	bool ended;
	bool fresh;    /* as the options have it */
	bool restored; /* and the guest may have connections of before: */
	struct stale stale;
	size_t first, used; /* of `in` */
	size_t out_first, out_used;
	struct iovec iov[QUEUE_CHAIN_MAX + 2];
	uint8_t in[IN_SIZE];
	uint8_t out[LENGTH_LEN + SEND_MAX]; /* the rest of a frame */
};

static struct stream *stream_of(const struct net_backend *b)
{
	return (struct stream *)(uintptr_t)b;
}

static int end(struct stream *s, int error)
{
	s->ended = true;
	errno = error;
	return -1;
}

/* --- to the guest --- */

/* Read once what there is; -1 with errno. */
static int fill(struct stream *s)
{
	ssize_t n;

	if (s->first > 0) {
		memmove(s->in, s->in + s->first, s->used);
		s->first = 0;
	}
	n = read(s->backend.fds[0], s->in + s->used, sizeof(s->in) - s->used);
	if (n > 0) {
		s->used += (size_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	return end(s, n == 0 ? ECONNRESET : errno);
}

/* The length of the frame that stands in the buffer in whole; -1 with errno. */
static ssize_t next_frame(struct stream *s)
{
	uint32_t len;

	for (;;) {
		if (s->used >= LENGTH_LEN) {
			memcpy(&len, s->in + s->first, sizeof(len));
			len = ntohl(len);
			if (len > NET_FRAME_MAX)
				return end(s, EPROTO);
			if (s->used >= LENGTH_LEN + len)
				return (ssize_t)len;
		}
		if (fill(s) < 0)
			return -1;
	}
}

static ssize_t give(const struct iovec *iov, int niov, const uint8_t *frame, size_t len)
{
	static const uint8_t header[NET_HEADER_LEN];
	size_t done = iov_write(iov, (size_t)niov, 0, header, sizeof(header));

	return (ssize_t)(done + iov_write(iov, (size_t)niov, sizeof(header), frame, len));
}

static ssize_t receive(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	struct stream *s = stream_of(b);
	ssize_t len = -1, done;

	(void)pair;
	errno = ECONNRESET;
	if (s->stale.len > 0 && !s->ended) {
		done = give(iov, niov, s->stale.answer, s->stale.len);
		s->stale.len = 0;
		b->answers = false;
		return done;
	}
	if (!s->ended)
		len = next_frame(s);
	if (len < 0)
		return -1;
	if (s->restored)
		stale_note(&s->stale, s->in + s->first + LENGTH_LEN, (size_t)len);
	done = give(iov, niov, s->in + s->first + LENGTH_LEN, (size_t)len);
	s->first += LENGTH_LEN + (size_t)len;
	s->used -= LENGTH_LEN + (size_t)len;
	return done;
}

/* --- from the guest --- */

static bool is_own_ipv4(const uint8_t address[4])
{
	return address[0] == 127 || address[0] == 0;
}

static bool is_own_ipv6(const uint8_t address[16])
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xFF, [11] = 0xFF};

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return is_own_ipv4(address + sizeof(mapped));
	return memcmp(address, zero, 15) == 0 && address[15] <= 1;
}

bool stream_to_loopback(const uint8_t *frame, size_t len)
{
	uint16_t type = 0;

	if (len >= ETH_HLEN)
		type = (uint16_t)(frame[TYPE] << 8 | frame[TYPE + 1]);
	if (type == ETH_P_IP && len >= IPV4_DESTINATION + 4)
		return is_own_ipv4(frame + IPV4_DESTINATION);
	if (type == ETH_P_IPV6 && len >= IPV6_DESTINATION + 16)
		return is_own_ipv6(frame + IPV6_DESTINATION);
	return false;
}

/* Put what the socket did not take of `len` bytes aside. */
static void keep(struct stream *s, const struct iovec *iov, size_t niov, size_t taken, size_t len)
{
	s->out_first = 0;
	s->out_used = iov_read(iov, niov, taken, s->out, len - taken);
}

static ssize_t send_some(struct stream *s, struct iovec *iov, size_t niov)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = niov};
	ssize_t n = sendmsg(s->backend.fds[0], &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS)
		return end(s, EBADFD);
	return n;
}

static bool flush(struct net_backend *b, uint16_t pair)
{
	struct stream *s = stream_of(b);
	struct iovec rest = {.iov_base = s->out + s->out_first, .iov_len = s->out_used};
	ssize_t n;

	(void)pair;
	if (s->ended || s->out_used == 0)
		return true;
	n = send_some(s, &rest, 1);
	if (n > 0) {
		s->out_first += (size_t)n;
		s->out_used -= (size_t)n;
	}
	return s->ended || s->out_used == 0;
}

/* The frame's head is sent from the copy that was looked at. */
static ssize_t send_frame(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	struct stream *s = stream_of(b);
	uint8_t head[LENGTH_LEN + HEAD_LEN];
	size_t len = 0, looked;
	uint32_t length;
	ssize_t n;

	for (int i = 0; i < niov; i++)
		len += iov[i].iov_len;
	len -= MIN(len, NET_HEADER_LEN);
	looked = iov_read(iov, (size_t)niov, NET_HEADER_LEN, head + LENGTH_LEN, HEAD_LEN);
	errno = len > SEND_MAX || niov > QUEUE_CHAIN_MAX + 1 ? EMSGSIZE : EPERM;
	if (errno == EMSGSIZE || (!s->loopback && stream_to_loopback(head + LENGTH_LEN, looked)))
		return -1;
	errno = EAGAIN;
	if (!flush(b, pair))
		return -1;
	if (s->ended)
		return end(s, EBADFD);
	if (s->restored && stale_check(&s->stale, head + LENGTH_LEN, looked)) {
		b->answers = s->stale.len > 0;
		return (ssize_t)(NET_HEADER_LEN + len);
	}
	length = htonl((uint32_t)len);
	memcpy(head, &length, sizeof(length));
	s->iov[0] = (struct iovec){.iov_base = head, .iov_len = LENGTH_LEN + looked};
	niov = 1 + (int)iov_skip(iov, (size_t)niov, NET_HEADER_LEN + looked, s->iov + 1);
	n = send_some(s, s->iov, (size_t)niov);
	if (n < 0)
		return -1;
	keep(s, s->iov, (size_t)niov, (size_t)n, LENGTH_LEN + len);
	return (ssize_t)(NET_HEADER_LEN + len);
}

/* --- the rest --- */

static int set_features(struct net_backend *b, uint64_t features, struct verr *e)
{
	(void)b;
	(void)features;
	(void)e;
	return 0;
}

static int set_pairs(struct net_backend *b, uint16_t pairs, struct verr *e)
{
	(void)b;
	(void)pairs;
	(void)e;
	return 0;
}

static void restored(struct net_backend *b)
{
	struct stream *s = stream_of(b);

	s->restored = s->fresh;
}

static void stream_free(struct net_backend *b)
{
	fd_close(&b->fds[0]);
	free(stream_of(b));
}

static const struct net_backend_class stream_class = {
	.name = "passt",
	.receive = receive,
	.send = send_frame,
	.flush = flush,
	.set_features = set_features,
	.set_pairs = set_pairs,
	.restored = restored,
	.free = stream_free,
};

int stream_new(int fd, const struct stream_options *o, struct net_backend **out, struct verr *e)
{
	auto_fd owned = fd;
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		free(s);
		return verr_os(e, "not to wait for passt");
	}
	s->backend.class = &stream_class;
	s->backend.pairs = 1;
	s->backend.mtu = o->mtu;
	s->backend.fds[0] = fd_take(&owned);
	s->loopback = o->loopback;
	s->fresh = o->fresh;
	*out = &s->backend;
	return 0;
}
