/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/mac.h"

#include <string.h>

static bool parse_digit(char c, unsigned *out)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	*out = at != NULL ? (unsigned)(at - digits) % 16 : 0;
	return at != NULL;
}

bool mac_parse(const char *text, uint8_t mac[static MAC_LEN])
{
	for (int i = 0; i < MAC_LEN; i++, text += 3) {
		char end = i + 1 < MAC_LEN ? ':' : '\0';
		unsigned high, low;

		if (!parse_digit(text[0], &high) || !parse_digit(text[1], &low) || text[2] != end)
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool mac_is_unicast(const uint8_t mac[static MAC_LEN])
{
	static const uint8_t none[MAC_LEN];

	return !(mac[0] & 1) && memcmp(mac, none, MAC_LEN) != 0;
}

void mac_make_local(uint8_t mac[static MAC_LEN])
{
	mac[0] = (uint8_t)((mac[0] & ~1U) | 2);
}

/* FNV-1a; the NUL goes in, too: "a" "bc" is not "ab" "c". */
static uint64_t hash(uint64_t h, const char *text)
{
	do {
		h = (h ^ (uint8_t)*text) * 0x100000001B3;
	} while (*text++ != '\0');
	return h;
}

void mac_derive(const char *machine, const char *nic, uint8_t mac[static MAC_LEN])
{
	uint64_t h = hash(hash(0xCBF29CE484222325, machine), nic);

	/* FNV leaves the high bits of short texts alike; a round of mixing does not. */
	h = (h ^ h >> 32) * 0x9E3779B97F4A7C15;
	h ^= h >> 29;
	for (int i = 0; i < MAC_LEN; i++)
		mac[i] = (uint8_t)(h >> 8 * i);
	mac[0] = 0x02;
}
