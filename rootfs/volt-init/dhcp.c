/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/dhcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "rootfs/volt-init/dhcpmessage.h"
#include "rootfs/volt-init/netlink.h"
#include "rootfs/volt-init/resolv.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/signals.h"

/* How long the start waits: a switch that learns first takes some seconds of it. */
#define PATIENCE_MS 5000

/* A question is asked again after this time, then after twice as long, and so on. */
#define ASK_MS 100
#define ASK_MAX_MS 30000
/* Who has offered an address and then says nothing is asked so often. */
#define REQUESTS 5
/* Between attempts to renew; less where the lease itself is short. */
#define RENEW_MS 60000
#define RENEW_MIN_MS 500

/* After a lost lease; such losses are said no more often than this. */
#define LOST_MS 1000
#define LOST_SAID_MS 60000

#define MTU_MIN 576

struct client {
	unsigned index;
	const char *name;
	bool *servers;
	bool debug;
	int started; /* the start waits for a byte in here; -1: no longer */
	uint8_t mac[6];
	int64_t asked_ms; /* the first time */
	struct dhcp_reply lease;
	struct address_setup named; /* its name servers are in resolv.conf */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- one question --- */

/* Hears every IPv4 packet of the interface, so it is open only while an answer is expected. */
static int open_socket(const struct client *client)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_IP),
				      .sll_ifindex = (int)client->index};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void send_request(const struct client *client, int fd, struct dhcp_request *request)
{
	struct sockaddr_ll everybody = {.sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_IP),
					.sll_ifindex = (int)client->index,
					.sll_halen = 6,
					.sll_addr = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};
	uint8_t packet[DHCP_REQUEST_SIZE];

	request->seconds = (uint16_t)((now_ms() - client->asked_ms) / 1000);
	memcpy(request->mac, client->mac, sizeof(request->mac));
	dhcp_build(request, packet);
	/* What cannot be sent (the link is not up yet) is like what is not answered. */
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)&everybody,
		     sizeof(everybody));
}

/* An answer to "request" of the one type or the other, within that time. */
static bool await(const struct client *client, int fd, const struct dhcp_request *request,
		  enum dhcp_type one, enum dhcp_type other, int64_t milliseconds,
		  struct dhcp_reply *reply)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint8_t packet[DHCP_REPLY_MAX];
	int64_t end = now_ms() + milliseconds, left;

	while ((left = end - now_ms()) > 0) {
		ssize_t size;

		if (poll(&ready, 1, (int)left) <= 0)
			continue;
		size = recv(fd, packet, sizeof(packet), 0);
		if (size > 0 && dhcp_parse(packet, (size_t)size, reply) &&
		    reply->transaction == request->transaction &&
		    memcmp(reply->mac, client->mac, sizeof(reply->mac)) == 0 &&
		    (reply->type == one || reply->type == other))
			return true;
		/* An interface that is down reports that at once, again and again. */
		if (size < 0 && errno != EAGAIN && errno != EINTR)
			(void)poll(NULL, 0, ASK_MS);
	}
	return false;
}

static uint32_t random_number(void)
{
	uint32_t number;

	/* There are none yet: that two machines begin at the same moment is unlikely enough. */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)now_ms();
	return number;
}

/* --- the lease --- */

/* True: it is ours. */
static bool request_offer(struct client *client, int fd, struct dhcp_request *request,
			  const struct dhcp_reply *offer)
{
	int64_t wait = ASK_MS;

	request->type = DHCP_REQUEST;
	memcpy(request->wanted, offer->setup.own.bytes, 4);
	memcpy(request->server, offer->server, 4);
	for (int i = 0; i < REQUESTS; i++, wait *= 2) {
		send_request(client, fd, request);
		if (await(client, fd, request, DHCP_ACK, DHCP_NAK, wait, &client->lease))
			return client->lease.type == DHCP_ACK;
	}
	return false;
}

/* Returns with a lease; false where there is no way to ask. */
static bool acquire(struct client *client)
{
	int fd = open_socket(client);
	int64_t wait = ASK_MS;
	bool have = false;

	client->asked_ms = now_ms();
	if (fd < 0) {
		say("volt.ip: cannot ask by DHCP on %s: %s", client->name, strerror(errno));
		return false;
	}
	while (!have) {
		struct dhcp_request request = {.type = DHCP_DISCOVER,
					       .transaction = random_number()};
		struct dhcp_reply offer;
		int64_t end = now_ms() + wait;

		send_request(client, fd, &request);
		if (await(client, fd, &request, DHCP_OFFER, DHCP_OFFER, wait, &offer))
			have = request_offer(client, fd, &request, &offer);
		/* Also where the answer was a refusal: nobody is to be flooded. */
		if (!have && end > now_ms())
			(void)poll(NULL, 0, (int)(end - now_ms()));
		wait = wait * 2 < ASK_MAX_MS ? wait * 2 : ASK_MAX_MS;
	}
	close(fd);
	return true;
}

static void set_mtu(const struct client *client)
{
	struct ifreq request = {.ifr_mtu = client->lease.mtu};
	int fd;

	if (client->lease.mtu < MTU_MIN)
		return;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", client->name);
	if (fd < 0 || ioctl(fd, SIOCSIFMTU, &request) < 0)
		say_step(client->debug, "%s: no MTU of %d: %s", client->name, client->lease.mtu,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void apply(struct client *client)
{
	const struct address_setup *setup = &client->lease.setup;
	char address[INET_ADDRSTRLEN];

	set_mtu(client);
	(void)inet_ntop(AF_INET, setup->own.bytes, address, sizeof(address));
	if (netlink_add_address(client->index, setup) < 0)
		say("volt.ip: cannot set the address: %s", strerror(errno));
	else if (setup->gateway.family != 0 &&
		 netlink_add_route(client->index, &setup->gateway) < 0)
		say("volt.ip: cannot set the gateway: %s", strerror(errno));
	else
		say_step(client->debug, "%s has %s/%u by DHCP", client->name, address,
			 setup->prefix);
	resolv_write(setup, &client->named, client->servers);
	if (setup->servers > 0)
		client->named = *setup;
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool same_setup(const struct dhcp_reply *a, const struct dhcp_reply *b)
{
	bool same = a->mtu == b->mtu && a->setup.prefix == b->setup.prefix &&
		    a->setup.servers == b->setup.servers &&
		    same_address(&a->setup.own, &b->setup.own) &&
		    same_address(&a->setup.gateway, &b->setup.gateway);

	for (size_t i = 0; same && i < a->setup.servers; i++)
		same = same_address(&a->setup.server[i], &b->setup.server[i]);
	return same;
}

/* The lease goes on, perhaps with another network around the same address. */
static void go_on(struct client *client, const struct dhcp_reply *lease)
{
	struct dhcp_reply old = client->lease;

	client->lease = *lease;
	if (same_setup(&old, lease))
		return;
	/* What differs in its prefix would be another address; and its routes go with it. */
	if (old.setup.prefix != lease->setup.prefix ||
	    !same_address(&old.setup.gateway, &lease->setup.gateway))
		(void)netlink_delete_address(client->index, &old.setup);
	apply(client);
}

/* The start goes on. */
static void report(struct client *client)
{
	char servers = client->lease.setup.servers > 0;

	if (client->started < 0)
		return;
	if (write(client->started, &servers, 1) < 0) {
		/* It has gone on already. */
	}
	close(client->started);
	client->started = -1;
}

static void sleep_until(int64_t then)
{
	int64_t left;

	while ((left = then - now_ms()) > 0)
		(void)poll(NULL, 0, (int)(left < INT32_MAX ? left : INT32_MAX));
}

/* Ask whether the address may be kept, once; false: not. */
static bool ask_again(struct client *client, int64_t milliseconds, bool *answered)
{
	struct dhcp_request request = {.type = DHCP_REQUEST, .transaction = random_number()};
	struct dhcp_reply reply;
	int fd = open_socket(client);

	*answered = false;
	memcpy(request.current, client->lease.setup.own.bytes, 4);
	if (fd < 0) {
		sleep_until(now_ms() + milliseconds);
		return true;
	}
	send_request(client, fd, &request);
	*answered = await(client, fd, &request, DHCP_ACK, DHCP_NAK, milliseconds, &reply);
	close(fd);
	if (!*answered)
		return true;
	if (reply.type == DHCP_NAK || !same_address(&reply.setup.own, &client->lease.setup.own))
		return false;
	go_on(client, &reply);
	return true;
}

/*
 * Keeps the lease; returns when it is lost. Everybody is asked from the start, as RFC 2131 has it
 * only for the last eighth of a lease: the server that gave it hears that as well.
 */
static void keep(struct client *client)
{
	for (;;) {
		int64_t begin = now_ms();
		int64_t end = begin + (int64_t)client->lease.lease * 1000;
		bool answered = false;

		sleep_until(begin + (int64_t)client->lease.renew * 1000);
		client->asked_ms = now_ms();
		while (!answered) {
			int64_t left = end - now_ms();
			int64_t wait = left / 2 < RENEW_MS ? left / 2 : RENEW_MS;

			if (left <= 0 ||
			    !ask_again(client, wait > RENEW_MIN_MS ? wait : RENEW_MIN_MS,
				       &answered))
				return;
		}
		if (client->lease.lease == DHCP_FOR_EVER)
			return;
		say_step(client->debug, "%s keeps its address for %u s", client->name,
			 client->lease.lease);
	}
}

/* --- the process --- */

/* A mistake of its own ends this process, not the machine; and it ends as all do when told to. */
static void become_ordinary(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		(void)signal(faults[i], SIG_DFL);
	signals_unblock();
	(void)signal(SIGPIPE, SIG_IGN); /* the start may have gone on without us */
	(void)prctl(PR_SET_NAME, "volt-dhcp");
}

static bool find_mac(struct client *client)
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool found;

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", client->name);
	found = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &request) == 0;
	memcpy(client->mac, request.ifr_hwaddr.sa_data, sizeof(client->mac));
	if (fd >= 0)
		close(fd);
	return found;
}

static void lose(struct client *client, int64_t *said_ms)
{
	if (*said_ms == 0 || now_ms() - *said_ms >= LOST_SAID_MS) {
		say("volt.ip: %s has lost the address that DHCP gave it; asking for another",
		    client->name);
		*said_ms = now_ms();
	}
	(void)netlink_delete_address(client->index, &client->lease.setup);
	/* A server that gives and takes at once gets no flood out of us. */
	sleep_until(now_ms() + LOST_MS);
}

static void run(struct client *client)
{
	int64_t said_ms = 0;

	if (!find_mac(client))
		return;
	while (acquire(client)) {
		apply(client);
		report(client);
		if (client->lease.lease == DHCP_FOR_EVER)
			return;
		keep(client);
		if (client->lease.lease == DHCP_FOR_EVER)
			return;
		lose(client, &said_ms);
	}
}

static void await_start(int fd, const char *name, bool *servers)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char some;

	if (poll(&ready, 1, PATIENCE_MS) == 0)
		say("volt.ip: no answer by DHCP on %s within %d s; going on without, and asking on",
		    name, PATIENCE_MS / 1000);
	else if (read(fd, &some, 1) == 1 && some)
		*servers = true;
}

void dhcp_up(unsigned index, const char *name, bool *servers, bool debug)
{
	struct client client = {.index = index, .name = name, .servers = servers, .debug = debug};
	int ends[2];
	pid_t pid;

	if (pipe(ends) < 0 || (pid = fork()) < 0) {
		say("volt.ip: cannot make a process: %s", strerror(errno));
		return;
	}
	if (pid == 0) {
		close(ends[0]);
		client.started = ends[1];
		become_ordinary();
		run(&client);
		_exit(0);
	}
	close(ends[1]);
	await_start(ends[0], name, servers);
	close(ends[0]);
}
