/* SPDX-License-Identifier: Apache-2.0 */
#include "base/netlink.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* As large as the kernel's own messages get (NLMSG_GOODSIZE is less). */
#define ANSWER_BYTES KIB(32)

int netlink_open(int protocol, struct verr *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd < 0 ? verr_os(e, "create a netlink socket") : fd;
}

/* Room at the end of the message, zeroed; NULL, and too large from then on, where there is none. */
static void *append(struct netlink_message *m, size_t size)
{
	size_t at = NLMSG_ALIGN(m->head.nlmsg_len);

	if (at > sizeof(m->bytes) || size > sizeof(m->bytes) - at) {
		m->head.nlmsg_len = sizeof(m->bytes) + 1;
		return NULL;
	}
	m->head.nlmsg_len = (uint32_t)(at + size);
	return m->bytes + at;
}

void netlink_begin(struct netlink_message *m, uint16_t type, uint16_t flags, const void *body,
		   size_t size)
{
	void *at;

	memset(m, 0, sizeof(*m));
	m->head.nlmsg_len = NLMSG_HDRLEN;
	m->head.nlmsg_type = type;
	m->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	at = append(m, size);
	if (at != NULL)
		memcpy(at, body, size);
}

void netlink_put(struct netlink_message *m, uint16_t type, const void *data, size_t size)
{
	struct rtattr *a = append(m, RTA_LENGTH(size));

	if (a == NULL)
		return;
	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	if (size > 0)
		memcpy(RTA_DATA(a), data, size);
}

void netlink_put_text(struct netlink_message *m, uint16_t type, const char *text)
{
	netlink_put(m, type, text, strlen(text) + 1);
}

size_t netlink_open_nest(struct netlink_message *m, uint16_t type)
{
	size_t nest = NLMSG_ALIGN(m->head.nlmsg_len);

	netlink_put(m, type | NLA_F_NESTED, NULL, 0);
	return nest;
}

void netlink_close_nest(struct netlink_message *m, size_t nest)
{
	struct rtattr *a = (void *)(m->bytes + nest);

	if (m->head.nlmsg_len <= sizeof(m->bytes))
		a->rta_len = (uint16_t)(m->head.nlmsg_len - nest);
}

static int send_message(int fd, struct netlink_message *m)
{
	if (m->head.nlmsg_len > sizeof(m->bytes)) {
		errno = EMSGSIZE;
		return -1;
	}
	return send(fd, m, m->head.nlmsg_len, 0) < 0 ? -1 : 0;
}

enum answer { ANSWER_MORE, ANSWER_END, ANSWER_ERROR };

/* What one datagram says, message by message. */
static enum answer read_answer(const char *bytes, size_t size, netlink_fn *fn, void *context)
{
	const struct nlmsghdr *h = (const void *)bytes;
	size_t step;

	for (; size >= sizeof(*h); bytes += step, size -= step, h = (const void *)bytes) {
		const struct nlmsgerr *error = NLMSG_DATA(h);

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > size)
			break;
		step = MIN((size_t)NLMSG_ALIGN(h->nlmsg_len), size);
		if (h->nlmsg_type == NLMSG_DONE)
			return ANSWER_END;
		if (h->nlmsg_type == NLMSG_ERROR) {
			errno = NLMSG_PAYLOAD(h, 0) < sizeof(*error) ? EPROTO : -error->error;
			return errno == 0 ? ANSWER_END : ANSWER_ERROR;
		}
		if (fn != NULL)
			fn(h->nlmsg_type, NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0), context);
	}
	return ANSWER_MORE;
}

static int receive(int fd, netlink_fn *fn, void *context)
{
	_Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
	enum answer answer = ANSWER_MORE;

	while (answer == ANSWER_MORE) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		answer = read_answer(bytes, (size_t)n, fn, context);
	}
	return answer == ANSWER_END ? 0 : -1;
}

int netlink_ask(int fd, struct netlink_message *m)
{
	return netlink_get(fd, m, NULL, NULL);
}

int netlink_get(int fd, struct netlink_message *m, netlink_fn *fn, void *context)
{
	m->head.nlmsg_flags |= NLM_F_ACK;
	return send_message(fd, m) < 0 ? -1 : receive(fd, fn, context);
}

int netlink_dump(int fd, struct netlink_message *m, netlink_fn *fn, void *context)
{
	m->head.nlmsg_flags |= NLM_F_DUMP;
	return send_message(fd, m) < 0 ? -1 : receive(fd, fn, context);
}

const struct rtattr *netlink_find(const void *at, size_t size, uint16_t type)
{
	const struct rtattr *a = at;

	while (size >= sizeof(*a) && a->rta_len >= sizeof(*a) && a->rta_len <= size) {
		size_t step = MIN((size_t)RTA_ALIGN(a->rta_len), size);

		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
		a = (const void *)((const char *)a + step);
		size -= step;
	}
	return NULL;
}

const struct rtattr *netlink_find_in(const struct rtattr *a, uint16_t type)
{
	return a == NULL ? NULL : netlink_find(RTA_DATA(a), RTA_PAYLOAD(a), type);
}

uint32_t netlink_u32(const struct rtattr *a, uint32_t absent)
{
	if (a != NULL && RTA_PAYLOAD(a) == sizeof(absent))
		memcpy(&absent, RTA_DATA(a), sizeof(absent));
	return absent;
}
