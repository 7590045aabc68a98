/* SPDX-License-Identifier: Apache-2.0 */
/* One character of UTF-8. */
#ifndef VOLT_INIT_UTF8_H
#define VOLT_INIT_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4

/*
 * How many bytes the character at the start of "text" takes: 1 to 4, or 0 where it is not a valid
 * one (cut off, overlong, a surrogate, past U+10FFFF).
 */
size_t utf8_measure(const char *text, size_t size);

/* "code" must be a valid character; returns how many bytes it took. */
size_t utf8_encode(uint32_t code, char bytes[UTF8_MAX]);

#endif
