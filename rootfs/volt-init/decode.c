/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/decode.h"

#include <stddef.h>

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int decode_word(char *word, struct workload *workload, struct why *why)
{
	char *from = word;
	char *to = word;
	char *arg = word;

	for (; *from; from++) {
		char byte = *from;

		if (byte == '%') {
			int high = digit(from[1]);
			int low = high < 0 ? -1 : digit(from[2]);

			if (low < 0)
				return why_set(why, "offset %td: %% without two hexadecimal digits",
					       from - word);
			byte = (char)(high << 4 | low);
			from += 2;
		}
		*to++ = byte;
		if (byte == '\0') {
			if (workload_add_arg(workload, arg, why) < 0)
				return -1;
			arg = to;
		}
	}
	*to = '\0';
	return workload_add_arg(workload, arg, why);
}
