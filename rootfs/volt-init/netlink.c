/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct request {
	struct nlmsghdr head;
	char body[256];
};

/* Room for "size" bytes at the end of the message; requests here are of bounded size. */
static void *append(struct request *request, size_t size)
{
	void *at = (char *)request + NLMSG_ALIGN(request->head.nlmsg_len);

	request->head.nlmsg_len = (uint32_t)(NLMSG_ALIGN(request->head.nlmsg_len) + size);
	return at;
}

static void append_attribute(struct request *request, unsigned short type, const void *data,
			     size_t size)
{
	struct rtattr *attribute = append(request, RTA_LENGTH(size));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), data, size);
}

static void begin(struct request *request, unsigned short type, const void *body, size_t size)
{
	*request = (struct request){.head = {.nlmsg_len = NLMSG_HDRLEN,
					     .nlmsg_type = type,
					     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}};

	if (type != RTM_DELADDR)
		request->head.nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	memcpy(append(request, size), body, size);
}

/* -1 with errno where the kernel refuses. */
static int ask(const struct request *request)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	ssize_t size = -1;

	if (fd < 0)
		return -1;
	if (send(fd, request, request->head.nlmsg_len, 0) >= 0)
		size = recv(fd, &answer, sizeof(answer), 0);
	close(fd);
	if (size < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)))
		return -1;
	errno = -answer.error.error;
	return errno == 0 ? 0 : -1;
}

static int change_address(unsigned short type, unsigned index, const struct address_setup *setup)
{
	const struct address *own = &setup->own;
	struct ifaddrmsg body = {.ifa_family = (unsigned char)own->family,
				 .ifa_prefixlen = (unsigned char)setup->prefix,
				 /* Usable at once: nobody is asked whether it is taken. */
				 .ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD,
				 .ifa_index = index};
	struct request request;

	begin(&request, type, &body, sizeof(body));
	append_attribute(&request, IFA_LOCAL, own->bytes, address_size(own->family));
	append_attribute(&request, IFA_ADDRESS, own->bytes, address_size(own->family));
	return ask(&request);
}

int netlink_add_address(unsigned index, const struct address_setup *setup)
{
	return change_address(RTM_NEWADDR, index, setup);
}

int netlink_delete_address(unsigned index, const struct address_setup *setup)
{
	return change_address(RTM_DELADDR, index, setup);
}

int netlink_add_route(unsigned index, const struct address *gateway)
{
	struct rtmsg body = {.rtm_family = (unsigned char)gateway->family,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_protocol = RTPROT_BOOT,
			     .rtm_scope = RT_SCOPE_UNIVERSE,
			     .rtm_type = RTN_UNICAST,
			     .rtm_flags = RTNH_F_ONLINK};
	struct request request;

	begin(&request, RTM_NEWROUTE, &body, sizeof(body));
	append_attribute(&request, RTA_GATEWAY, gateway->bytes, address_size(gateway->family));
	append_attribute(&request, RTA_OIF, &index, sizeof(index));
	return ask(&request);
}
