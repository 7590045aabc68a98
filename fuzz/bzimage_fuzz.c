/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a bzImage. */
#include "fuzz/boot_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kernel(bzimage_load, data, size);
	return 0;
}
