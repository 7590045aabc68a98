/* SPDX-License-Identifier: Apache-2.0 */
/* For tests and fuzz targets: make the checksums of a file that was changed fit again. */
#ifndef VOLT_VMM_STATE_STATE_TEST_H
#define VOLT_VMM_STATE_STATE_TEST_H

#include "base/bytes.h"
#include "vmm/state/wire.h"

/* As far as its sections make sense. */
static inline void state_seal(uint8_t *file, size_t len)
{
	uint64_t seed;
	size_t at = HEAD_LEN;

	if (len < HEAD_LEN)
		return;
	seed = XXH3_64bits(file, HEAD_SUM);
	put_le64(file + HEAD_SUM, seed);
	while (range_within(at, SECTION_HEAD_LEN, len)) {
		uint64_t body = le64(file + at + SECTION_LENGTH);

		if (body > len || !range_within(at + SECTION_HEAD_LEN, padded(body), len))
			return;
		put_le64(file + at + SECTION_SUM, section_sum(file + at, padded(body), seed));
		at += SECTION_HEAD_LEN + padded(body);
	}
}

#endif
