/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a connected stream socket, as passt and QEMU's "-netdev stream" have them: each
 * behind its length, 32 bits, big-endian. No header of virtio's, so nothing is left to the other
 * side: checksums are complete and segments small enough when they come.
 *
 * The other side is not trusted. What it sends is taken into one buffer of fixed size; a frame that
 * says to be longer than any frame ends the link. What it does not take is the rest of one frame at
 * most, and the driver waits.
 */
#ifndef VOLT_VMM_DEVICES_NET_STREAM_H
#define VOLT_VMM_DEVICES_NET_STREAM_H

#include <stdbool.h>

#include "vmm/devices/net/backend.h"

/* As passt's: what 65,535 bytes hold behind an Ethernet header, rounded down to words. */
#define STREAM_MTU 65520

struct stream_options {
	uint16_t mtu;
	bool loopback; /* frames to loopback addresses go through */
	bool fresh;    /* the other side is new: it knows of no connection of before a restore */
};

/* `fd` becomes the backend's, also after a fault. */
V_MUST_CHECK int stream_new(int fd, const struct stream_options *options, struct net_backend **out,
			    struct verr *e);

/*
 * Is this the start of a frame to an address that means the other side's own host (127.0.0.0/8,
 * 0.0.0.0/8, ::1, :: and the first two as IPv6 writes them)? No guest has reason to send one, and
 * there is a passt that connects it to the host's services.
 */
bool stream_to_loopback(const uint8_t *frame, size_t len);

#endif
