/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/publish.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

#define LONGEST 80

#define EXPECTED "expected [ADDRESS:]HOSTPORT:GUESTPORT[/udp], such as 8080:80"

/* A port from 1 on, whose digits end at `*end`. */
static bool parse_port(const char *text, const char **end, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long n = strtoul(text, NULL, 10);

	*port = (uint16_t)n;
	*end = text + digits;
	return digits >= 1 && digits <= 5 && n >= 1 && n <= UINT16_MAX;
}

/* "PORT" or "FIRST-LAST". */
static bool parse_range(const char *text, uint16_t *first, uint16_t *count)
{
	uint16_t last;

	*count = 1;
	if (!parse_port(text, &text, first))
		return false;
	if (*text != '-')
		return *text == '\0';
	if (!parse_port(text + 1, &text, &last) || *text != '\0' || last < *first ||
	    last - *first >= PUBLISH_RANGE_MAX)
		return false;
	*count = (uint16_t)(last - *first + 1);
	return true;
}

/* Cut "/tcp" or "/udp" off. */
static bool take_protocol(char *text, struct publish *p)
{
	char *slash = strrchr(text, '/');

	if (slash == NULL)
		return true;
	*slash = '\0';
	p->udp = strcmp(slash + 1, "udp") == 0;
	return p->udp || strcmp(slash + 1, "tcp") == 0;
}

static bool take_address(char *text, struct publish *p)
{
	size_t len = strlen(text);
	uint8_t bytes[16];

	p->family = AF_INET;
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		p->family = AF_INET6;
		text[len - 1] = '\0';
		text++;
	}
	if (strlen(text) >= sizeof(p->address) || inet_pton(p->family, text, bytes) != 1)
		return false;
	(void)inet_ntop(p->family, bytes, p->address, sizeof(p->address));
	return true;
}

/* Without "+"; cut up. */
static int parse_one(char *text, struct publish *p, struct verr *e)
{
	uint16_t guests;
	char *guest, *host;

	*p = (struct publish){.family = AF_UNSPEC};
	if (!take_protocol(text, p))
		return verr_invalid(e, "expected /tcp or /udp at the end");
	guest = strrchr(text, ':');
	if (guest == NULL)
		return verr_invalid(e, EXPECTED);
	*guest++ = '\0';
	host = strrchr(text, ':');
	/* The colons of an IPv6 address are within its brackets. */
	if (host != NULL && strchr(host, ']') != NULL)
		return verr_invalid(e, EXPECTED);
	if (host != NULL) {
		*host++ = '\0';
		if (!take_address(text, p))
			return verr_invalid(e, "%.50s: expected an address of the host, IPv6 in []",
					    text);
	}
	if (!parse_range(host != NULL ? host : text, &p->host, &p->count) ||
	    !parse_range(guest, &p->guest, &guests))
		return verr_invalid(
			e, EXPECTED ", ports from 1 to 65535 or FIRST-LAST, at most %d of them",
			PUBLISH_RANGE_MAX);
	if (guests != p->count)
		return verr_invalid(e,
				    "expected two ranges of one length, such as 8000-8010:80-90");
	return 0;
}

static int check_twice(const struct publish *all, int count, struct verr *e)
{
	const struct publish *last = &all[count - 1];

	for (int i = 0; i + 1 < count; i++)
		if (all[i].udp == last->udp && all[i].host < last->host + last->count &&
		    last->host < all[i].host + all[i].count)
			return verr_invalid(e, "port %u is published twice",
					    MAX(all[i].host, last->host));
	return 0;
}

int publish_parse(const char *text, struct publish *out, struct verr *e)
{
	char one[LONGEST];
	int count = 0;

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, "+");

		if (count == PUBLISH_MAX)
			return verr_invalid(e, "at most %d ports of one NIC", PUBLISH_MAX);
		if (len >= sizeof(one))
			return verr_invalid(e, "%.*s...: " EXPECTED, 40, text);
		memcpy(one, text, len);
		one[len] = '\0';
		if (parse_one(one, &out[count++], e) < 0 || check_twice(out, count, e) < 0)
			return verr_note(e, "%.*s", (int)len, text);
		text += len;
		/* An end that promises more is a mistake. */
		if (*text == '+' && *++text == '\0')
			return verr_invalid(e, EXPECTED " after the last +");
	}
	return count;
}
