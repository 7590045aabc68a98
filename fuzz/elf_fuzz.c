/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as an ELF kernel. */
#include "fuzz/boot_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_kernel(elf_load, data, size);
	return 0;
}
