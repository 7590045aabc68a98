/* SPDX-License-Identifier: Apache-2.0 */
#include "base/passed.h"

#include <string.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "base/own.h"

/* Room for one control message, aligned as such. */
union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(PASSED_MAX * sizeof(int))];
};

static void take(struct passed *p, struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		p->count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(p->fds, CMSG_DATA(c), p->count * sizeof(int));
	}
}

ssize_t passed_receive(struct passed *p, size_t most, int socket, void *bytes, size_t len,
		       int flags)
{
	struct iovec iov = {bytes, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control;
	ssize_t n;

	most = MIN(most, PASSED_MAX);
	if (most > 0 && p->count == 0) {
		m.msg_control = &control;
		/* Not CMSG_SPACE(): in its padding there would be room for one more. */
		m.msg_controllen = CMSG_LEN(most * sizeof(int));
	}
	n = recvmsg(socket, &m, flags | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return n;
	p->cut |= (m.msg_flags & MSG_CTRUNC) != 0;
	if (m.msg_control != NULL)
		take(p, &m);
	return n;
}

ssize_t passed_send(int socket, const void *bytes, size_t len, int flags, const int *fds,
		    size_t count)
{
	struct iovec iov = {(void *)(uintptr_t)bytes, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control control = {.bytes = {0}};

	if (count > 0) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_LEN(count * sizeof(int));
		control.head = (struct cmsghdr){.cmsg_len = m.msg_controllen,
						.cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	}
	return sendmsg(socket, &m, flags);
}

void passed_close(struct passed *p)
{
	for (size_t i = 0; i < p->count; i++)
		fd_close(&p->fds[i]);
	p->count = 0;
	p->cut = false;
}
