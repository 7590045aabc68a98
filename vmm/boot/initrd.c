/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/checked.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/boot_priv.h"

/* `floor`: the first page after the kernel. Is it this VM that is too small, or any? */
static int does_not_fit(const struct mem *mem, const struct boot_kernel *kernel, uint64_t floor,
			uint64_t size, struct verr *e)
{
	uint64_t limit = MIN(kernel->initrd_limit, MEM_HOLE_START);
	uint64_t end;

	if (!add_u64(floor, size, &end) || end > limit)
		return verr_invalid(e,
				    "%" PRIu64 " bytes do not fit between the kernel's end at "
				    "%#" PRIx64 " and %#" PRIx64
				    ", the most that the kernel can reach: make it smaller",
				    size, floor, limit);
	return verr_invalid(e,
			    "%" PRIu64 " bytes do not fit between the kernel's end at %#" PRIx64
			    " and the end of guest memory at %#" PRIx64
			    ": it takes --memory %" PRIu64 "M at least",
			    size, floor, boot_low_end(mem), (end + MIB(1) - 1) >> 20);
}

int initrd_load(struct mem *mem, const struct boot_kernel *kernel, int fd, uint64_t size,
		struct boot_initrd *out, struct verr *e)
{
	uint64_t limit = MIN(kernel->initrd_limit, boot_low_end(mem));
	uint64_t floor, gpa;

	if (size == 0)
		return verr_invalid(e, "the file is empty");
	if (!align_up_u64(MAX(kernel->end_gpa, LAYOUT_HIGH_RAM), MEM_PAGE, &floor))
		return verr_invalid(e, "the kernel ends at %#" PRIx64, kernel->end_gpa);
	if (floor > limit || size > limit - floor)
		return does_not_fit(mem, kernel, floor, size, e);
	gpa = (limit - size) & ~(MEM_PAGE - 1);
	if (mem_load(mem, gpa, fd, 0, size, e) < 0)
		return -1;
	*out = (struct boot_initrd){.gpa = gpa, .len = size};
	return 0;
}
