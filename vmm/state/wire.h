/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of a state file, as file.h draws it, for who writes and who reads it. */
#ifndef VOLT_VMM_STATE_WIRE_H
#define VOLT_VMM_STATE_WIRE_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#define STATE_MAGIC "VOLT\r\n\x1a\0"
#define STATE_ALIGN 8U

enum {
	HEAD_FORMAT = 8,
	HEAD_ARCH = 12,
	HEAD_LENGTH = 16,
	HEAD_SECTIONS = 24,
	HEAD_ZERO = 28,
	HEAD_SUM = 32,
	HEAD_LEN = 40
};

enum {
	SECTION_KIND = 0,
	SECTION_INSTANCE = 4,
	SECTION_LENGTH = 8,
	SECTION_SUM = 16,
	SECTION_HEAD_LEN = 24
};

static inline uint64_t padded(uint64_t len)
{
	return (len + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;
}

/* Of the section that begins at `head`, its body with its zeros `len` bytes long. */
static inline uint64_t section_sum(const uint8_t *head, uint64_t len, uint64_t seed)
{
	uint64_t of_head = XXH3_64bits_withSeed(head, SECTION_SUM, seed);

	return XXH3_64bits_withSeed(head + SECTION_HEAD_LEN, len, of_head);
}

#endif
