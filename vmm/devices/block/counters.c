/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/counters.h"

#define ROW(field, text)                                                                       \
	{                                                                                      \
		.name = #field, .help = text, .offset = offsetof(struct block_counters, field) \
	}

const struct metric_row block_metric_rows[] = {
	ROW(reads, "read requests"),
	ROW(writes, "write requests"),
	ROW(flushes, "flush requests"),
	ROW(discards, "discard requests"),
	ROW(zeroes, "write-zeroes requests"),
	ROW(others, "other requests, refused ones among them"),
	ROW(read_bytes, "bytes read"),
	ROW(written_bytes, "bytes written"),
	ROW(errors, "requests answered with an error"),
	ROW(throttled, "times the rate limit made a queue wait"),
};
const size_t block_metric_count = ARRAY_LEN(block_metric_rows);

void block_count(struct block_counters *c, const struct disk_io *io)
{
	switch (io->op) {
	case DISK_READ:
		counter_add(&c->reads, 1);
		counter_add(&c->read_bytes, io->len);
		break;
	case DISK_WRITE:
		counter_add(&c->writes, 1);
		counter_add(&c->written_bytes, io->len);
		break;
	case DISK_FLUSH:
		counter_add(&c->flushes, 1);
		break;
	case DISK_DISCARD:
		counter_add(&c->discards, 1);
		break;
	case DISK_WRITE_ZEROES:
		counter_add(&c->zeroes, 1);
		break;
	}
}
