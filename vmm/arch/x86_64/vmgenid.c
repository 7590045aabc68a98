/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/random.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/platform.h"

int vmgenid_write(struct mem *mem, struct verr *e)
{
	uint8_t id[VMGENID_LEN];

	if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return verr_os(e, "get random bytes");
	return mem_write(mem, LAYOUT_VMGENID, id, sizeof(id), e);
}
