/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP connections of a guest that has another host's side than before: whoever ended them there is gone, and the new
 * one drops their segments without a word, so that the guest would wait for its own time-outs, a quarter of an hour.
 * These answer in its place, as a host does that knows of no such connection (RFC 9293, 3.5.2): with a reset.
 *
 * Which connections are new is noted at their first segment, of either side, as a bit by a hash of its addresses and ports: two
 * connections may have one bit. So what is new is never taken for old, and what is old at worst
 * goes unanswered, as before.
 */
#ifndef VOLT_VMM_DEVICES_NET_STALE_H
#define VOLT_VMM_DEVICES_NET_STALE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So much of a frame is looked at: Ethernet's header, the longest of IPv4, and that of TCP without options. */
#define STALE_HEAD_LEN (14 + 60 + 20)

/* The longest answer, by IPv6. */
#define STALE_ANSWER_LEN (14 + 40 + 20)

struct stale {
	uint8_t fresh[1 << 13];
	size_t len; /* of the answer that waits; 0: none does */
	uint8_t answer[STALE_ANSWER_LEN];
};

/* A frame to the guest, or its first STALE_HEAD_LEN bytes. */
void stale_note(struct stale *stale, const uint8_t *frame, size_t len);

/*
 * A frame from the guest, or its first STALE_HEAD_LEN bytes. True: it belongs to a connection of before, and is not to be
 * passed on; `answer` has a frame to the guest, unless it waits with an earlier one: then the guest sends its own again.
 */
bool stale_check(struct stale *stale, const uint8_t *frame, size_t len);

#endif
