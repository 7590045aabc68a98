/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/utf8.h"

#define TAIL_BITS 6

/* By length: the bits that lead the first byte, their mask, and the first code that needs so many.
 */
static const struct form {
	unsigned char lead;
	unsigned char mask;
	uint32_t first;
} forms[] = {
	{0x00, 0x80, 0x0},
	{0xc0, 0xe0, 0x80},
	{0xe0, 0xf0, 0x800},
	{0xf0, 0xf8, 0x10000},
};

size_t utf8_measure(const char *text, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)text;

	for (size_t tail = 0; tail < UTF8_MAX && tail < size; tail++) {
		const struct form *form = &forms[tail];

		if ((bytes[0] & form->mask) != form->lead)
			continue;
		uint32_t code = bytes[0] & (unsigned char)~form->mask;
		for (size_t i = 1; i <= tail; i++) {
			if ((bytes[i] & 0xc0) != 0x80)
				return 0;
			code = code << TAIL_BITS | (bytes[i] & 0x3f);
		}
		if (code < form->first || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
			return 0;
		return tail + 1;
	}
	return 0;
}

size_t utf8_encode(uint32_t code, char bytes[UTF8_MAX])
{
	size_t tail = UTF8_MAX - 1;

	while (tail > 0 && code < forms[tail].first)
		tail--;
	for (size_t i = tail; i > 0; i--) {
		bytes[i] = (char)(0x80 | (code & 0x3f));
		code >>= TAIL_BITS;
	}
	bytes[0] = (char)(forms[tail].lead | code);
	return tail + 1;
}
