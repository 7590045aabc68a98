/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and small macros that every room uses. */
#ifndef VOLT_BASE_COMPILER_H
#define VOLT_BASE_COMPILER_H

#include <stdint.h>

#define V_MUST_CHECK __attribute__((warn_unused_result))
#define V_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define V_PACKED __attribute__((packed))

/* The number of elements of an array; a pointer does not compile. */
#define ARRAY_LEN(a)                                                                               \
	(sizeof(a) / sizeof((a)[0]) +                                                              \
	 0 * sizeof(struct {                                                                       \
		 _Static_assert(!__builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0])), \
				"not an array");                                                   \
		 int unused;                                                                       \
	 }))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#endif
