/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver asks of a disk: one chain, understood (VIRTIO 1.2, 5.2.6). All of it is the guest's
 * word; what cannot be done becomes an answer, never more.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_REQUEST_H
#define VOLT_VMM_DEVICES_BLOCK_REQUEST_H

#include "vmm/devices/block/disk.h"
#include "vmm/virtio/queue.h"

#define BLOCK_SECTOR 512ULL
#define BLOCK_ID_LEN 20 /* VIRTIO_BLK_ID_BYTES */

/* The longest discard or zeroing of one request, in sectors: 1 GiB. */
#define BLOCK_RANGE_MAX (1U << 21)

/* What a disk is, as requests are checked against it. */
struct block_limits {
	uint64_t sectors;
	bool readonly;
	bool discard, write_zeroes; /* negotiated */
};

enum request_kind {
	REQUEST_IO,     /* do `io`, then answer */
	REQUEST_GET_ID, /* copy the id into the request's buffers (request_put_id()) */
	REQUEST_ANSWER, /* answer `status` */
	REQUEST_BROKEN, /* there is no room for an answer: the driver broke the rules */
};

struct request {
	struct disk_io io;
	uint8_t *status_byte; /* in guest memory */
	uint8_t status;       /* VIRTIO_BLK_S_*, of REQUEST_ANSWER */
	struct chain chain;
};

/* Understand request->chain. Its iovecs are used up by this. */
enum request_kind request_parse(struct request *r, const struct block_limits *limits);

/* REQUEST_GET_ID: copy the id, as far as there is room. Returns the bytes written. */
uint32_t request_put_id(struct request *r, const uint8_t id[static BLOCK_ID_LEN]);

#endif
