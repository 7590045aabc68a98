/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/cpuid.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED                                                             \
	"expected LEAF:SUBLEAF:REGISTER=BITS, such as 0x7:0:ebx=0bx0x, the " \
	"lowest bit last"

/* A number of `len` characters. */
static bool parse_number(const char *text, size_t len, uint32_t *out)
{
	char digits[40], *end;
	bool binary = len > 2 && strncmp(text, "0b", 2) == 0;
	unsigned long n;

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	/* strtoul() takes a sign and blanks, too. */
	if (digits[0] < '0' || digits[0] > '9')
		return false;
	n = strtoul(binary ? digits + 2 : digits, &end, binary ? 2 : 0);
	*out = (uint32_t)n;
	return *end == '\0' && n <= UINT32_MAX && (!binary || digits[2] == '0' || digits[2] == '1');
}

static bool parse_register(const char *text, size_t len, unsigned *reg)
{
	static const char names[][4] = {"eax", "ebx", "ecx", "edx"};

	for (*reg = 0; *reg < 4; ++*reg)
		if (len == 3 && strncmp(text, names[*reg], 3) == 0)
			return true;
	return false;
}

static bool parse_bits(const char *text, size_t len, struct cpuid_change *c)
{
	unsigned bit = 0;

	if (len < 3 || strncmp(text, "0b", 2) != 0)
		return false;
	for (size_t i = len; i-- > 2;) {
		if (text[i] == '_')
			continue;
		if (strchr("01x", text[i]) == NULL || bit == 32)
			return false;
		c->set |= (uint32_t)(text[i] == '1') << bit;
		c->clear |= (uint32_t)(text[i] == '0') << bit;
		bit++;
	}
	return bit > 0;
}

/* Cut a part off that ends with `mark`, or at `end`; NULL: there is none. */
static const char *take_part(const char **at, const char *end, char mark, size_t *len)
{
	const char *part = *at, *found = memchr(part, mark, (size_t)(end - part));

	if (found == NULL)
		return NULL;
	*len = (size_t)(found - part);
	*at = found + 1;
	return part;
}

static bool parse_one(const char *at, const char *end, struct cpuid_change *c)
{
	const char *part;
	size_t len;

	*c = (struct cpuid_change){0};
	part = take_part(&at, end, ':', &len);
	if (part == NULL || !parse_number(part, len, &c->leaf))
		return false;
	part = take_part(&at, end, ':', &len);
	if (part == NULL || !parse_number(part, len, &c->subleaf))
		return false;
	part = take_part(&at, end, '=', &len);
	return part != NULL && parse_register(part, len, &c->reg) &&
	       parse_bits(at, (size_t)(end - at), c);
}

int cpuid_parse(const char *text, struct cpuid_change *out, struct verr *e)
{
	int count = 0;

	while (text != NULL) {
		size_t len = strcspn(text, "+");

		if (count == CPUID_CHANGES_MAX)
			return verr_invalid(e, "at most %d of them", CPUID_CHANGES_MAX);
		if (!parse_one(text, text + len, &out[count++]))
			return verr_invalid(e, "%.*s: " EXPECTED, (int)(len > 80 ? 80 : len), text);
		text = text[len] == '+' ? text + len + 1 : NULL;
	}
	return count;
}
