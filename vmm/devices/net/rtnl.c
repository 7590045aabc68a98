/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/rtnl.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"

/* Long enough for every request here. */
#define ROOM 256

struct request {
	union {
		struct nlmsghdr head;
		char bytes[ROOM];
	};
};

int rtnl_open(struct verr *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? verr_os(e, "create a netlink socket") : fd;
}

static void begin(struct request *r, uint16_t type, uint16_t flags, unsigned index)
{
	struct ifinfomsg info = {.ifi_index = (int)index};

	memset(r, 0, sizeof(*r));
	r->head = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(info)),
				    .nlmsg_type = type,
				    .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags)};
	memcpy(NLMSG_DATA(&r->head), &info, sizeof(info));
}

/* Returns where the attribute is, for end_nest(). */
static size_t add(struct request *r, uint16_t type, const void *data, size_t len)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);
	struct rtattr a = {.rta_len = (uint16_t)RTA_LENGTH(len), .rta_type = type};

	memcpy(r->bytes + at, &a, sizeof(a));
	if (len > 0)
		memcpy(r->bytes + at + RTA_LENGTH(0), data, len);
	r->head.nlmsg_len = (uint32_t)(at + RTA_LENGTH(len));
	return at;
}

/* What has been added since `at` was is inside of it. */
static void end_nest(struct request *r, size_t at)
{
	uint16_t len = (uint16_t)(r->head.nlmsg_len - at);

	memcpy(r->bytes + at + offsetof(struct rtattr, rta_len), &len, sizeof(len));
}

/* Send it and wait for what the kernel says. */
static int ask(int rtnl, const struct request *r)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[ROOM + 256];
	} answer;
	ssize_t n;

	if (send(rtnl, r->bytes, r->head.nlmsg_len, 0) < 0)
		return -1;
	do
		n = recv(rtnl, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -1;
	if (n < (ssize_t)(sizeof(answer.head) + sizeof(answer.error)) ||
	    answer.head.nlmsg_type != NLMSG_ERROR) {
		errno = EPROTO;
		return -1;
	}
	errno = -answer.error.error;
	return errno == 0 ? 0 : -1;
}

int rtnl_add_macvtap(int rtnl, const char *name, unsigned parent, const uint8_t mac[static 6])
{
	static const char kind[] = "macvtap";
	uint32_t on = parent, mode = MACVLAN_MODE_BRIDGE;
	struct request r;
	size_t info, data;

	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	(void)add(&r, IFLA_IFNAME, name, strlen(name) + 1);
	(void)add(&r, IFLA_LINK, &on, sizeof(on));
	(void)add(&r, IFLA_ADDRESS, mac, 6);
	info = add(&r, IFLA_LINKINFO, NULL, 0);
	(void)add(&r, IFLA_INFO_KIND, kind, sizeof(kind));
	data = add(&r, IFLA_INFO_DATA, NULL, 0);
	(void)add(&r, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
	end_nest(&r, data);
	end_nest(&r, info);
	return ask(rtnl, &r);
}

int rtnl_delete(int rtnl, unsigned index)
{
	struct request r;

	begin(&r, RTM_DELLINK, 0, index);
	return ask(rtnl, &r);
}
