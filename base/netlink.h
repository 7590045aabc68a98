/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink: requests of bounded size, and what the kernel answers. A message is begun with its type
 * and fixed header, gets attributes, and is sent; nested attributes are opened and closed in order.
 */
#ifndef VOLT_BASE_NETLINK_H
#define VOLT_BASE_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

#define NETLINK_MESSAGE_MAX 512

/* What does not fit is left out, and the message is refused when it is sent. */
struct netlink_message {
	union {
		struct nlmsghdr head;
		char bytes[NETLINK_MESSAGE_MAX];
	};
};

/* A socket for one of NETLINK_ROUTE, NETLINK_NETFILTER; -1 with a fault. */
V_MUST_CHECK int netlink_open(int protocol, struct verr *e);

/* `flags` besides NLM_F_REQUEST; `body` is the fixed header of that type. */
void netlink_begin(struct netlink_message *m, uint16_t type, uint16_t flags, const void *body,
		   size_t size);
void netlink_put(struct netlink_message *m, uint16_t type, const void *data, size_t size);
void netlink_put_text(struct netlink_message *m, uint16_t type, const char *text);

/* Returns what netlink_close_nest() wants back. */
size_t netlink_open_nest(struct netlink_message *m, uint16_t type);
void netlink_close_nest(struct netlink_message *m, size_t nest);

/* Send it and wait for the kernel's word: 0, or -1 with errno. */
V_MUST_CHECK int netlink_ask(int fd, struct netlink_message *m);

/* Called for each message of an answer; its fixed header begins at `body`. */
typedef void netlink_fn(uint16_t type, const void *body, size_t size, void *context);

/* Ask for one thing: 0, or -1 with errno. */
V_MUST_CHECK int netlink_get(int fd, struct netlink_message *m, netlink_fn *fn, void *context);

/* Ask for all there is of a kind: 0, or -1 with errno. */
V_MUST_CHECK int netlink_dump(int fd, struct netlink_message *m, netlink_fn *fn, void *context);

/* The attribute of this type among those in `size` bytes at `at`; NULL: it is not there. */
const struct rtattr *netlink_find(const void *at, size_t size, uint16_t type);

/* The same within an attribute, which may be NULL. */
const struct rtattr *netlink_find_in(const struct rtattr *a, uint16_t type);

/* Its content as a number; `absent` where it is NULL or not of that size. */
uint32_t netlink_u32(const struct rtattr *a, uint32_t absent);

#endif
