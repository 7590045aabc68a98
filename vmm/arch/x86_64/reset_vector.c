/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"

_Static_assert(LAYOUT_PORT_RESET >> 8 < 0x100, "the port fits the instruction");

int reset_vector_write(struct mem *mem, struct verr *e)
{
	static const uint8_t code[] = {
		0xBA,
		LAYOUT_PORT_RESET & 0xFF,
		LAYOUT_PORT_RESET >> 8, /* mov $port, %dx */
		0xB0,
		LAYOUT_RESET_VALUE, /* mov $value, %al */
		0xEE,               /* out %al, %dx */
		0xF4,               /* hlt */
		0xEB,
		0xFD, /* jmp to the hlt */
	};

	return mem_write(mem, LAYOUT_RESET_VECTOR, code, sizeof(code), e);
}
