/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rootfs/volt-init/address.h"
#include "rootfs/volt-init/say.h"

/* Interfaces are looked for by number; a guest that has just started has no gaps. */
#define INDEX_MAX 64

#define RESOLV_CONF "/etc/resolv.conf"

/* --- netlink: one request, one answer --- */

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
	*request = (struct request){
		.head = {.nlmsg_len = NLMSG_HDRLEN,
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE}};
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

static int add_address(unsigned index, const struct address_setup *setup)
{
	const struct address *own = &setup->own;
	struct ifaddrmsg body = {.ifa_family = (unsigned char)own->family,
				 .ifa_prefixlen = (unsigned char)setup->prefix,
				 /* Usable at once: nobody is asked whether it is taken. */
				 .ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD,
				 .ifa_index = index};
	struct request request;

	begin(&request, RTM_NEWADDR, &body, sizeof(body));
	append_attribute(&request, IFA_LOCAL, own->bytes, address_size(own->family));
	append_attribute(&request, IFA_ADDRESS, own->bytes, address_size(own->family));
	return ask(&request);
}

/* The gateway may lie outside the address's own network, as with /32. */
static int add_route(unsigned index, const struct address *gateway)
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

/* --- interfaces --- */

static bool name_of(int fd, int index, struct ifreq *request)
{
	*request = (struct ifreq){.ifr_ifindex = index};
	return ioctl(fd, SIOCGIFNAME, request) == 0;
}

static void bring_up(int fd, struct ifreq *request, bool debug)
{
	if (ioctl(fd, SIOCGIFFLAGS, request) < 0 || request->ifr_flags & IFF_UP)
		return;
	request->ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, request) < 0)
		say("cannot bring up %.16s: %s", request->ifr_name, strerror(errno));
	else
		say_step(debug, "%.16s is up", request->ifr_name);
}

/* The number of the interface with this name; without one, of the first that is not "lo". */
static unsigned find(int fd, const char *name)
{
	struct ifreq request;

	for (int i = 1; i <= INDEX_MAX; i++) {
		if (name_of(fd, i, &request) &&
		    (name ? strncmp(request.ifr_name, name, IFNAMSIZ) == 0
			  : strcmp(request.ifr_name, "lo") != 0))
			return (unsigned)i;
	}
	return 0;
}

/* --- name servers --- */

/* A link there leads to what another init would have made. */
static int open_resolv_conf(void)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_APPEND | O_CLOEXEC;
	int fd = open(RESOLV_CONF, flags, 0644);

	if (fd < 0 && errno == ELOOP && unlink(RESOLV_CONF) == 0)
		fd = open(RESOLV_CONF, flags, 0644);
	return fd;
}

static void write_servers(int *fd, const struct address_setup *setup)
{
	char address[INET6_ADDRSTRLEN], line[INET6_ADDRSTRLEN + 16];

	if (setup->servers > 0 && *fd < 0)
		*fd = open_resolv_conf();
	for (size_t i = 0; i < setup->servers; i++) {
		const struct address *server = &setup->server[i];
		int size;

		(void)inet_ntop(server->family, server->bytes, address, sizeof(address));
		size = snprintf(line, sizeof(line), "nameserver %s\n", address);
		if (*fd < 0 || write(*fd, line, (size_t)size) != size) {
			say("cannot write " RESOLV_CONF ": %s", strerror(errno));
			return;
		}
	}
}

/* --- one option --- */

static void set_up(int fd, struct ip_option *option, int *resolv, bool debug)
{
	const char *name = option->interface;
	struct address_setup setup;
	struct why why;
	unsigned index;

	if (address_parse(&setup, option->value, &why) < 0) {
		say("volt.ip%s%.16s: %s", name ? "." : "", name ? name : "", why.text);
		return;
	}
	index = find(fd, name);
	if (index == 0) {
		say("volt.ip: no network interface %.16s", name ? name : "is there");
		return;
	}
	if (add_address(index, &setup) < 0)
		say("volt.ip: cannot set the address: %s", strerror(errno));
	else if (setup.gateway.family != 0 && add_route(index, &setup.gateway) < 0)
		say("volt.ip: cannot set the gateway: %s", strerror(errno));
	else
		say_step(debug, "interface %u has its address", index);
	write_servers(resolv, &setup);
}

void network_up(struct options *options)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int resolv = -1;
	struct ifreq request;

	if (fd < 0) {
		if (options->ipc > 0)
			say("volt.ip: the kernel has no network: %s", strerror(errno));
		return;
	}
	for (int i = 1; i <= INDEX_MAX; i++) {
		if (name_of(fd, i, &request))
			bring_up(fd, &request, options->debug);
	}
	for (size_t i = 0; i < options->ipc; i++)
		set_up(fd, &options->ip[i], &resolv, options->debug);
	if (resolv >= 0)
		close(resolv);
	close(fd);
}
