/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum that ACPI and MP tables share: all bytes of a table add up to zero modulo 256. */
#ifndef VOLT_VMM_ARCH_X86_64_CHECKSUM_H
#define VOLT_VMM_ARCH_X86_64_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The byte that makes the sum zero, given that its place holds zero now. */
static inline uint8_t checksum_of(const uint8_t *table, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += table[i];
	return (uint8_t)(0u - sum);
}

#endif
