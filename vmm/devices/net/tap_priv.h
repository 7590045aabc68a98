/* SPDX-License-Identifier: Apache-2.0 */
/* TAP devices and macvtaps, for the files that open them. */
#ifndef VOLT_VMM_DEVICES_NET_TAP_PRIV_H
#define VOLT_VMM_DEVICES_NET_TAP_PRIV_H

#include <linux/if_tun.h>
#include <net/if.h>

#include "vmm/devices/net/keeper.h"
#include "vmm/devices/net/tap.h"

#define TAP_MAC_LEN 6

/* The MTU of one in another network namespace, which cannot be asked. */
#define TAP_MTU 1500

enum tap_kind { TAP_OF_TUN, TAP_OF_MACVTAP };

struct tap {
	struct net_backend backend; /* first */
	enum tap_kind kind;
	char name[IFNAMSIZ];
	unsigned index;        /* of one that is watched */
	int link;              /* as in link.h, to ask for it; -1: nobody does */
	uint16_t attached;     /* pairs that the kernel gives frames to */
	struct keeper *keeper; /* of an interface that goes with this process; or NULL */
};

/* Without descriptors yet; NULL: out of memory. net_backend_free() ends it. */
struct tap *tap_alloc(enum tap_kind kind, uint16_t pairs);

/* Take the descriptors "N" or "N:N", one a pair, with the name of what they are of. */
V_MUST_CHECK int tap_take_given(struct tap *t, const char *fds, struct verr *e);

/* As struct net_backend_class has it; what was made for this process goes. */
V_MUST_CHECK int tap_exchange(struct net_backend *b, const struct net_exchange *x, struct verr *e);

/* Is a descriptor of a TAP or macvtap the latter? */
bool tap_fd_is_macvtap(int fd);

/* Is the interface of its name, in this network namespace, its own? `link` as in link.h. */
bool tap_is_here(const struct tap *t, int link);

/* Have net_backend.changes tell when it goes. Of one in another namespace nothing is told. */
V_MUST_CHECK int tap_watch(struct tap *t, struct verr *e);

/* With all descriptors there: headers, and what it can do. */
V_MUST_CHECK int tap_finish(struct tap *t, struct verr *e);

#endif
