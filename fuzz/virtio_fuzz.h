/* SPDX-License-Identifier: Apache-2.0 */
/* What the virtio fuzz targets share: an input read piece by piece, and a driver's memory. */
#ifndef VOLT_FUZZ_VIRTIO_FUZZ_H
#define VOLT_FUZZ_VIRTIO_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "vmm/virtio/queue.h"

#define FUZZ_MEMORY MIB(1)

/* Where rings are unless the input says otherwise. */
#define FUZZ_DESC 0x1000
#define FUZZ_AVAIL 0x3000
#define FUZZ_USED 0x5000

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

/* The rest of the input; what it does not have is zero. */
struct input {
	const uint8_t *at;
	size_t len;
};

static inline uint64_t take(struct input *in, size_t len)
{
	uint8_t bytes[8] = {0};
	size_t there = MIN(len, in->len);

	memcpy(bytes, in->at, there);
	in->at += there;
	in->len -= there;
	return le64(bytes);
}

static inline uint8_t take8(struct input *in)
{
	return (uint8_t)take(in, 1);
}

static inline uint16_t take16(struct input *in)
{
	return (uint16_t)take(in, 2);
}

static inline uint32_t take32(struct input *in)
{
	return (uint32_t)take(in, 4);
}

/* One guest's memory for all runs, empty again. */
static inline struct mem *fuzz_memory(void)
{
	static struct mem *mem;
	struct mem_options options = {.size = FUZZ_MEMORY, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;

	if (mem == NULL)
		CHECK(mem_new(&options, &mem, &e) == 0);
	CHECK(mem_zero(mem, 0, FUZZ_MEMORY, &e) == 0);
	return mem;
}

static inline bool in_memory(const struct mem *mem, const void *at, uint64_t len)
{
	const uint8_t *start = mem_ptr(mem, 0, FUZZ_MEMORY);

	return (const uint8_t *)at >= start &&
	       range_within((uint64_t)((const uint8_t *)at - start), len, FUZZ_MEMORY);
}

static inline void put(struct mem *mem, uint64_t gpa, const void *from, uint64_t len)
{
	struct verr e = VERR_INIT;

	if (mem_write(mem, gpa, from, len, &e) < 0)
		return; /* the input's address is none */
}

/* address 24 bits, length 8, as many bytes */
static inline void write_memory(struct input *in, struct mem *mem)
{
	uint64_t gpa = take(in, 3);
	size_t len = take8(in);

	len = MIN(len, in->len);
	put(mem, gpa, in->at, len);
	in->at += len;
	in->len -= len;
}

/* table entry 8 bits, address 64, length 32, flags 16, next 16 */
static inline void write_desc(struct input *in, struct mem *mem, uint64_t table)
{
	uint64_t at = table + 16ULL * take8(in);
	uint8_t desc[16];

	put_le64(desc, take(in, 8));
	put_le64(desc + 8, take(in, 8));
	put(mem, at, desc, sizeof(desc));
}

/* Put a head into the ring at `avail`, where `idx` is the next. */
static inline void offer(struct mem *mem, uint64_t avail, uint16_t size, uint16_t *idx,
			 uint16_t head)
{
	uint8_t bytes[2];

	put_le16(bytes, head);
	put(mem, avail + 4 + 2ULL * (*idx & (size - 1U)), bytes, sizeof(bytes));
	put_le16(bytes, ++*idx);
	put(mem, avail + 2, bytes, sizeof(bytes));
}

#endif
