/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt(1), which carries a guest's frames as an ordinary process's sockets: no privilege, no
 * interface on the host. Each such NIC has a passt of its own, started here with one end of a pair
 * of sockets; it ends by itself when the other end is closed, however this process ends, and leaves
 * nothing behind. Or its NIC uses a passt that is there already, by its socket.
 *
 *	passt_start()  forks: before there are threads that matter, before the sandbox
 *	passt_ready()  waits until it serves, or says why it does not
 *	passt_watch()  its words go to the log from now on, and so does its end
 */
#ifndef VOLT_VMM_DEVICES_NET_PASST_H
#define VOLT_VMM_DEVICES_NET_PASST_H

#include "base/loop.h"
#include "vmm/devices/net/backend.h"

struct passt;

struct passt_options {
	const char *publish; /* ports, as publish_parse() has them, checked; or NULL */
	uint16_t mtu;        /* that the guest is told of */
	bool loopback;       /* the gateway's address is the host's loopback */
};

/* `*fd` becomes the NIC's end. */
V_MUST_CHECK int passt_start(const struct passt_options *options, struct passt **out, int *fd,
			     struct verr *e);

/*
 * Ask `backend`, which has the NIC's end, for an answer; `mac` is the guest's. Bounded in time. A
 * fault has passt's own reason.
 */
V_MUST_CHECK int passt_ready(struct passt *passt, struct net_backend *backend, const uint8_t mac[6],
			     struct verr *e);

/* `ended` is called in the loop, once, when passt has ended. `name` is the NIC's, borrowed. */
V_MUST_CHECK int passt_watch(struct passt *passt, struct loop *loop, const char *name,
			     loop_fn *ended, void *arg, struct verr *e);

/* After the NIC's end is closed: waits for passt to end, for its ports are free only then. Accepts
 * NULL, returns NULL. */
struct passt *passt_free(struct passt *passt);

/* The socket of a passt that somebody else has started; -1 with a fault. */
V_MUST_CHECK int passt_connect(const char *path, struct verr *e);

#endif
