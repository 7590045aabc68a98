/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/saved.h"
#include "vmm/state/file.h"

int saved_memory_fits(const struct mem *mem, const struct state_reader *in, struct verr *e)
{
	const struct mem_region *regions;
	size_t count = mem_regions(mem, &regions);
	struct memory_state saved;
	bool same;

	if (state_count(in, STATE_KIND_MEMORY) == 0)
		return 0;
	if (state_get(in, STATE_KIND_MEMORY, 0, &saved, e) < 0)
		return -1;
	same = saved.regions_count == count;
	for (size_t i = 0; same && i < count; i++)
		same = saved.regions[i].gpa == regions[i].gpa &&
		       saved.regions[i].len == regions[i].len;
	return same ? 0
		    : verr_corrupt(e, "the saved machine's memory was at other addresses than "
				      "this one's");
}
