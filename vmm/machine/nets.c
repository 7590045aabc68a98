/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's NICs: each its backend, its device, and its threads if it has any. */
#include <string.h>
#include <sys/random.h>

#include "base/own.h"
#include "vmm/config/mac.h"
#include "vmm/devices/net/passt.h"
#include "vmm/devices/net/stream.h"
#include "vmm/devices/net/tap.h"
#include "vmm/machine/internal.h"

static int open_tap(struct nic *nic, const struct net_config *c, const struct net_options *net,
		    struct net_backend **out, struct verr *e)
{
	struct tap_options options = {.name = c->tap,
				      .fds = c->fd,
				      .bridge = c->bridge,
				      .parent = c->parent,
				      .mac_is_given = c->mac != NULL,
				      .watch = net->vhost != NULL,
				      .mtu = c->mtu,
				      .pairs = (uint16_t)c->queues};

	bool macvtap = c->backend == NET_BACKEND_MACVTAP;

	memcpy(options.mac, net->mac, sizeof(options.mac));
	if (c->backend == NET_BACKEND_VHOST)
		macvtap = tap_is_of_macvtap(&options);
	if ((macvtap ? macvtap_new : tap_new)(&options, out, e) < 0)
		return -1;
	(void)snprintf(nic->tap, sizeof(nic->tap), "%s", tap_name(*out));
	return 0;
}

/* One of our own, or the one that is there. */
static int open_passt(struct nic *nic, const struct net_config *c, struct net_backend **out,
		      struct verr *e)
{
	struct stream_options stream = {.mtu = c->mtu != 0 ? (uint16_t)c->mtu : STREAM_MTU,
					.loopback = c->loopback,
					.fresh = c->socket == NULL};
	struct passt_options passt = {
		.publish = c->publish, .mtu = stream.mtu, .loopback = c->loopback};
	auto_fd fd = -1;

	if (c->socket != NULL) {
		fd = passt_connect(c->socket, e);
		if (fd < 0) {
			(void)verr_note(e, "socket=%s", c->socket);
			return -1;
		}
	} else if (passt_start(&passt, &nic->passt, &fd, e) < 0) {
		return -1;
	}
	return stream_new(fd_take(&fd), &stream, out, e);
}

static int open_backend(struct nic *nic, const struct net_config *c, const struct net_options *net,
			struct net_backend **out, struct verr *e)
{
	switch ((enum net_backend_kind)c->backend) {
	case NET_BACKEND_TAP:
	case NET_BACKEND_VHOST:
	case NET_BACKEND_MACVTAP:
		return open_tap(nic, c, net, out, e);
	case NET_BACKEND_PASST:
		return open_passt(nic, c, out, e);
	}
	return verr_invalid(e, "backend: unknown");
}

/* Without an id two machines cannot be told apart: random addresses at least differ. */
static int choose_mac(const char *machine, const struct net_config *c, uint8_t mac[MAC_LEN],
		      struct verr *e)
{
	if (c->mac != NULL)
		return mac_parse(c->mac, mac) ? 0
					      : verr_invalid(e, "mac=%.40s: no address", c->mac);
	if (machine != NULL)
		mac_derive(machine, c->id, mac);
	else if (getrandom(mac, MAC_LEN, 0) != MAC_LEN)
		return verr_os(e, "get random bytes");
	mac_make_local(mac);
	return 0;
}

static int make_threads(struct nic *nic, struct loop **loops, struct verr *e)
{
	for (uint32_t i = 0; i < nic->config->iothreads; i++) {
		if (iothread_new(&nic->iothreads[i], e) < 0)
			return -1;
		nic->niothreads++;
		loops[i] = nic->iothreads[i]->loop;
	}
	return 0;
}

static int open_net(struct machine *m, const struct net_config *c, struct verr *e)
{
	struct nic *nic = &m->nics[m->nnics++];
	struct loop *loops[IOTHREADS_MAX] = {m->loop};
	struct net_options options = {.id = c->id,
				      .rx = nic_rx_limit(c),
				      .tx = nic_tx_limit(c),
				      .loops = loops,
				      .nloops = MAX(c->iothreads, 1),
				      .unplugged = !c->link};
	struct net_backend *backend = NULL;

	nic->config = c;
	if (c->backend == NET_BACKEND_VHOST &&
	    vhost_net_new((uint16_t)c->queues, &options.vhost, &nic->no_vhost, e) < 0)
		return -1;
	if (make_threads(nic, loops, e) < 0 || choose_mac(m->config->id, c, options.mac, e) < 0 ||
	    open_backend(nic, c, &options, &backend, e) < 0) {
		(void)vhost_net_free(options.vhost);
		return -1;
	}
	if (backend->mac_is_fixed)
		memcpy(options.mac, backend->mac, sizeof(options.mac));
	nic->lacks_multicast = backend->lacks_multicast;
	memcpy(nic->mac, options.mac, sizeof(nic->mac));
	nic->backend = backend;
	options.mtu = backend->mtu;
	return net_new(&options, backend, &nic->net, e);
}

/* How the user named it. */
static int note_net(const struct net_config *c, struct verr *e)
{
	if (c->fd != NULL)
		return verr_note(e, "--net fd=%s", c->fd);
	if (c->tap != NULL)
		return verr_note(e, "--net tap=%s", c->tap);
	if (c->parent != NULL)
		return verr_note(e, "--net parent=%s", c->parent);
	if (c->backend == NET_BACKEND_PASST)
		return verr_note(e, "--net backend=passt");
	return verr_note(e, "--net bridge=%s", c->bridge);
}

int nets_open(struct machine *m, struct verr *e)
{
	const struct config *c = m->config;

	for (size_t i = 0; i < c->nets.count; i++)
		if (open_net(m, &config_nets(c)[i], e) < 0)
			return note_net(&config_nets(c)[i], e);
	return 0;
}

/* The log has its place only now. */
static void log_nic(const struct nic *n)
{
	const char *where = n->tap[0] != '\0'           ? n->tap
			    : n->config->socket != NULL ? n->config->socket
							: "passt";

	log_info(LOG_NET, "%s is %02x:%02x:%02x:%02x:%02x:%02x on the host's %s, by %s",
		 n->config->id, n->mac[0], n->mac[1], n->mac[2], n->mac[3], n->mac[4], n->mac[5],
		 where, net_backend_name(n->net));
	if (n->no_vhost == EACCES || n->no_vhost == EPERM)
		log_warn(LOG_NET,
			 "%s: this process carries the frames, for it may not open /dev/vhost-net; "
			 "run as root: usermod -aG kvm USER",
			 n->config->id);
	else if (n->no_vhost != 0)
		log_warn(LOG_NET,
			 "%s: this process carries the frames, for there is no /dev/vhost-net; run "
			 "as root: modprobe vhost_net",
			 n->config->id);
	if (n->lacks_multicast)
		log_warn(LOG_NET,
			 "%s: %s takes no frames to groups but its own, so that IPv6 may fail; run "
			 "as root: ip link set %s allmulticast on",
			 n->config->id, n->tap, n->tap);
}

int nets_ready(struct machine *m, struct verr *e)
{
	for (size_t i = 0; i < m->nnics; i++) {
		struct nic *n = &m->nics[i];

		if (n->passt != NULL && passt_ready(n->passt, n->backend, n->mac, e) < 0)
			return note_net(n->config, e);
	}
	return 0;
}

static void on_passt_end(void *arg)
{
	struct nic *n = arg;

	net_gone(n->net);
}

static int connect_net(struct machine *m, struct nic *n, struct verr *e)
{
	log_nic(n);
	if (n->passt == NULL)
		return 0;
	return passt_watch(n->passt, m->loop, n->config->id, on_passt_end, n, e);
}

int nets_connect(struct machine *m, struct verr *e)
{
	if (nets_ready(m, e) < 0)
		return -1;
	for (size_t i = 0; i < m->nnics; i++)
		if (connect_net(m, &m->nics[i], e) < 0)
			return -1;
	return 0;
}

int nets_start(struct machine *m, struct verr *e)
{
	for (size_t i = 0; i < m->nnics; i++) {
		/* vhost makes a thread of this process: no user namespace could be entered then. */
		if (net_connect(m->nics[i].net, m->mem, e) < 0)
			return note_net(m->nics[i].config, e);
		for (size_t k = 0; k < m->nics[i].niothreads; k++)
			if (iothread_start(m->nics[i].iothreads[k], m->sandbox, e) < 0)
				return -1;
	}
	return 0;
}

void nets_stop(struct machine *m)
{
	for (size_t i = 0; i < m->nnics; i++)
		for (size_t k = 0; k < m->nics[i].niothreads; k++)
			iothread_stop(m->nics[i].iothreads[k]);
}

void nets_free(struct machine *m)
{
	for (size_t i = 0; i < m->nnics; i++) {
		struct nic *n = &m->nics[i];

		n->net = net_free(n->net);
		n->passt = passt_free(n->passt);
		for (size_t k = 0; k < n->niothreads; k++)
			n->iothreads[k] = iothread_free(n->iothreads[k]);
	}
	m->nnics = 0;
}
