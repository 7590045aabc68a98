/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/network.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rootfs/volt-init/address.h"
#include "rootfs/volt-init/dhcp.h"
#include "rootfs/volt-init/netlink.h"
#include "rootfs/volt-init/resolv.h"
#include "rootfs/volt-init/say.h"

/* Interfaces are looked for by number; a guest that has just started has no gaps. */
#define INDEX_MAX 64

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

/* --- one option --- */

static void no_interface(const char *name)
{
	say("volt.ip: no network interface %.16s", name ? name : "is there");
}

static void set_up(int fd, struct ip_option *option, bool *servers, bool debug)
{
	const char *name = option->interface;
	struct address_setup setup;
	struct ifreq request;
	struct why why;
	unsigned index;

	if (strcmp(option->value, "dhcp") == 0) {
		index = find(fd, name);
		if (index != 0 && name_of(fd, (int)index, &request))
			dhcp_up(index, request.ifr_name, servers, debug);
		else
			no_interface(name);
		return;
	}
	if (address_parse(&setup, option->value, &why) < 0) {
		say("volt.ip%s%.16s: %s", name ? "." : "", name ? name : "", why.text);
		return;
	}
	index = find(fd, name);
	if (index == 0) {
		no_interface(name);
		return;
	}
	if (netlink_add_address(index, &setup) < 0)
		say("volt.ip: cannot set the address: %s", strerror(errno));
	else if (setup.gateway.family != 0 && netlink_add_route(index, &setup.gateway) < 0)
		say("volt.ip: cannot set the gateway: %s", strerror(errno));
	else
		say_step(debug, "interface %u has its address", index);
	resolv_write(&setup, NULL, servers);
}

void network_up(struct options *options)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool servers = false;
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
		set_up(fd, &options->ip[i], &servers, options->debug);
	close(fd);
}
