/* SPDX-License-Identifier: Apache-2.0 */
/* Bits of CPUID that are to be others: "LEAF:SUBLEAF:REGISTER=BITS", with '+' between. */
#ifndef VOLT_VMM_CONFIG_CPUID_H
#define VOLT_VMM_CONFIG_CPUID_H

#include <stdint.h>

#include "base/verr.h"

#define CPUID_CHANGES_MAX 128

struct cpuid_change {
	uint32_t leaf, subleaf;
	unsigned reg; /* 0: EAX, 1: EBX, 2: ECX, 3: EDX */
	uint32_t clear, set;
};

/*
 * Parse a whole list (NULL: an empty one) into `out`, which has room for CPUID_CHANGES_MAX; returns
 * how many, or -1 with what was expected. Numbers are as in C, or binary with "0b"; BITS is "0b"
 * and at most 32 of 0, 1 and x (as it is), the lowest last, with _ anywhere between.
 */
V_MUST_CHECK int cpuid_parse(const char *text, struct cpuid_change *out, struct verr *e);

#endif
