/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/request.h"

#include <linux/virtio_blk.h>
#include <string.h>

#include "base/bytes.h"

#define HEADER_LEN 16 /* type, reserved, sector */
#define RANGE_LEN 16  /* sector, count, flags */

/* Copy up to `len` bytes from the front of the buffers, and take them off; returns how many. */
static size_t take_front(struct iovec **iov, uint32_t *niov, uint8_t *out, size_t len)
{
	size_t done = 0;

	while (done<len && * niov> 0) {
		size_t part = MIN(len - done, (*iov)->iov_len);

		memcpy(out + done, (*iov)->iov_base, part);
		done += part;
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + part;
		(*iov)->iov_len -= part;
		if ((*iov)->iov_len == 0) {
			++*iov;
			--*niov;
		}
	}
	return done;
}

/* The last writable byte is the answer's; NULL without one. */
static uint8_t *take_status_byte(struct chain *c)
{
	struct iovec *last;

	if (c->nwrite == 0)
		return NULL;
	last = &c->iov[c->nread + c->nwrite - 1];
	if (--last->iov_len == 0)
		c->nwrite--;
	c->write_len--;
	return (uint8_t *)last->iov_base + last->iov_len;
}

static enum request_kind answer(struct request *r, uint8_t status)
{
	r->status = status;
	return REQUEST_ANSWER;
}

static bool inside(const struct block_limits *l, uint64_t sector, uint64_t sectors)
{
	return range_within(sector, sectors, l->sectors);
}

/* Data to or from the disk: `len` bytes that r->io.iov holds. */
static enum request_kind parse_transfer(struct request *r, const struct block_limits *l,
					enum disk_op op, uint64_t sector, uint64_t len)
{
	if (len % BLOCK_SECTOR != 0 || !inside(l, sector, len / BLOCK_SECTOR) ||
	    (op == DISK_WRITE && l->readonly))
		return answer(r, VIRTIO_BLK_S_IOERR);
	if (len == 0)
		return answer(r, VIRTIO_BLK_S_OK);
	r->io.op = op;
	r->io.offset = sector * BLOCK_SECTOR;
	r->io.len = len;
	return REQUEST_IO;
}

/* One range to discard or zero (5.2.6.2). */
static enum request_kind parse_range(struct request *r, const struct block_limits *l,
				     enum disk_op op, uint64_t len)
{
	uint8_t range[RANGE_LEN];
	uint64_t sector;
	uint32_t sectors, flags;

	if (op == DISK_DISCARD ? !l->discard : !l->write_zeroes)
		return answer(r, VIRTIO_BLK_S_UNSUPP);
	/* More ranges than the configuration space allows, or a part of one. */
	if (len != RANGE_LEN || take_front(&r->io.iov, &r->io.niov, range, RANGE_LEN) != RANGE_LEN)
		return answer(r, VIRTIO_BLK_S_IOERR);
	sector = le64(range);
	sectors = le32(range + 8);
	flags = le32(range + 12);
	if ((flags & ~(uint32_t)VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP) != 0 ||
	    (flags != 0 && op == DISK_DISCARD))
		return answer(r, VIRTIO_BLK_S_UNSUPP);
	if (l->readonly || sectors > BLOCK_RANGE_MAX || !inside(l, sector, sectors))
		return answer(r, VIRTIO_BLK_S_IOERR);
	if (sectors == 0)
		return answer(r, VIRTIO_BLK_S_OK);
	r->io.op = op;
	r->io.unmap = flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	r->io.offset = sector * BLOCK_SECTOR;
	r->io.len = sectors * BLOCK_SECTOR;
	return REQUEST_IO;
}

static enum request_kind parse_by_type(struct request *r, const struct block_limits *l,
				       uint32_t type, uint64_t sector)
{
	struct chain *c = &r->chain;
	uint64_t out_len = c->read_len - HEADER_LEN;

	switch (type) {
	case VIRTIO_BLK_T_IN:
		r->io.iov = &c->iov[c->nread];
		r->io.niov = c->nwrite;
		return parse_transfer(r, l, DISK_READ, sector, c->write_len);
	case VIRTIO_BLK_T_OUT:
		return parse_transfer(r, l, DISK_WRITE, sector, out_len);
	case VIRTIO_BLK_T_FLUSH:
		r->io.op = DISK_FLUSH;
		return REQUEST_IO;
	case VIRTIO_BLK_T_GET_ID:
		r->io.iov = &c->iov[c->nread];
		r->io.niov = c->nwrite;
		return REQUEST_GET_ID;
	case VIRTIO_BLK_T_DISCARD:
		return parse_range(r, l, DISK_DISCARD, out_len);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return parse_range(r, l, DISK_WRITE_ZEROES, out_len);
	default:
		return answer(r, VIRTIO_BLK_S_UNSUPP);
	}
}

enum request_kind request_parse(struct request *r, const struct block_limits *l)
{
	struct chain *c = &r->chain;
	uint8_t header[HEADER_LEN];

	r->io = (struct disk_io){.iov = c->iov, .niov = c->nread};
	r->status_byte = take_status_byte(c);
	if (r->status_byte == NULL)
		return REQUEST_BROKEN;
	if (take_front(&r->io.iov, &r->io.niov, header, HEADER_LEN) != HEADER_LEN)
		return answer(r, VIRTIO_BLK_S_IOERR);
	return parse_by_type(r, l, le32(header), le64(header + 8));
}

uint32_t request_put_id(struct request *r, const uint8_t id[static BLOCK_ID_LEN])
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < r->io.niov && done < BLOCK_ID_LEN; i++) {
		size_t part = MIN(BLOCK_ID_LEN - done, r->io.iov[i].iov_len);

		memcpy(r->io.iov[i].iov_base, id + done, part);
		done += (uint32_t)part;
	}
	return done;
}
