/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on numbers that a guest, a file or a user chose: false says that it overflowed. */
#ifndef VOLT_BASE_CHECKED_H
#define VOLT_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

V_MUST_CHECK static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

V_MUST_CHECK static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* Round up to a power of two. */
V_MUST_CHECK static inline bool align_up_u64(uint64_t value, uint64_t power, uint64_t *aligned)
{
	if (!add_u64(value, power - 1, aligned))
		return false;
	*aligned &= ~(power - 1);
	return true;
}

/* Does [start, start + len) lie within [0, size)? An empty range does, if it starts in [0, size].
 */
V_MUST_CHECK static inline bool range_within(uint64_t start, uint64_t len, uint64_t size)
{
	return start <= size && len <= size - start;
}

#endif
