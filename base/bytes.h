/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded little-endian access to a run of bytes. A getter outside the run returns false and
 * leaves its output alone; a putter does nothing. Any alignment.
 */
#ifndef VOLT_BASE_BYTES_H
#define VOLT_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/checked.h"

struct bytes {
	const uint8_t *at; /* borrowed */
	size_t len;
};

static inline struct bytes bytes_of(const void *at, size_t len)
{
	return (struct bytes){.at = at, .len = len};
}

V_MUST_CHECK static inline bool bytes_copy(struct bytes b, uint64_t off, void *out, size_t len)
{
	if (!range_within(off, len, b.len))
		return false;
	memcpy(out, b.at + off, len);
	return true;
}

V_MUST_CHECK static inline bool bytes_u8(struct bytes b, uint64_t off, uint8_t *out)
{
	return bytes_copy(b, off, out, sizeof(*out));
}

static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
	return (uint32_t)le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
	return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32;
}

V_MUST_CHECK static inline bool bytes_u16(struct bytes b, uint64_t off, uint16_t *out)
{
	if (!range_within(off, sizeof(*out), b.len))
		return false;
	*out = le16(b.at + off);
	return true;
}

V_MUST_CHECK static inline bool bytes_u32(struct bytes b, uint64_t off, uint32_t *out)
{
	if (!range_within(off, sizeof(*out), b.len))
		return false;
	*out = le32(b.at + off);
	return true;
}

V_MUST_CHECK static inline bool bytes_u64(struct bytes b, uint64_t off, uint64_t *out)
{
	if (!range_within(off, sizeof(*out), b.len))
		return false;
	*out = le64(b.at + off);
	return true;
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

#endif
