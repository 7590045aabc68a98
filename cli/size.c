/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/size.h"

#include <stdio.h>

#include "base/compiler.h"

const char *size_text(uint64_t bytes, char out[SIZE_TEXT])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(out, SIZE_TEXT, "%llu B", (unsigned long long)bytes);
		return out;
	}
	for (; n >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1024;
	(void)snprintf(out, SIZE_TEXT, "%.1f %s", n, units[i]);
	return out;
}
