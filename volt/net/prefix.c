/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/prefix.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Of IPv4: a network has an address for the host and one for a guest, and is somebody's. */
#define LEN4_MIN 8
#define LEN4_MAX 30
/* RFC 4862 has interface identifiers of 64 bits. */
#define LEN6 64

size_t prefix_size(const struct prefix *p)
{
	return p->family == AF_INET6 ? 16 : 4;
}

bool prefix_parse(struct prefix *p, const char *text)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/'), *at;
	unsigned len = 0;

	*p = (struct prefix){.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	if (slash == NULL || (size_t)(slash - text) >= sizeof(address))
		return false;
	(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	for (at = slash + 1; *at >= '0' && *at <= '9' && at - slash <= 3; at++)
		len = len * 10 + (unsigned)(*at - '0');
	if (at == slash + 1 || *at != '\0' || len > 8 * prefix_size(p))
		return false;
	p->len = (uint8_t)len;
	return inet_pton(p->family, address, p->bytes) == 1;
}

const char *prefix_address(const struct prefix *p, char *out)
{
	if (inet_ntop(p->family, p->bytes, out, PREFIX_TEXT) == NULL)
		*out = '\0';
	return out;
}

const char *prefix_text(const struct prefix *p, char *out)
{
	size_t len = strlen(prefix_address(p, out));

	(void)snprintf(out + len, PREFIX_TEXT - len, "/%u", p->len);
	return out;
}

/* The bits of byte `i` that belong to the network's part. */
static uint8_t mask_of(unsigned len, size_t i)
{
	if (len >= 8 * (i + 1))
		return 0xFF;
	return (uint8_t)(len <= 8 * i ? 0 : 0xFF << (8 - len % 8));
}

const char *prefix_network(const struct prefix *p, char *out)
{
	struct prefix network = *p;

	for (size_t i = 0; i < prefix_size(p); i++)
		network.bytes[i] = (uint8_t)(p->bytes[i] & mask_of(p->len, i));
	return prefix_text(&network, out);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->len == b->len &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	unsigned len = MIN(a->len, b->len);

	if (a->family != b->family)
		return false;
	for (size_t i = 0; i < prefix_size(a); i++)
		if ((a->bytes[i] ^ b->bytes[i]) & mask_of(len, i))
			return false;
	return true;
}

/* Are the bits after the network's part all `bit`? */
static bool is_host_part(const struct prefix *p, bool bit)
{
	for (size_t i = 0; i < prefix_size(p); i++)
		if ((uint8_t)(p->bytes[i] ^ (bit ? 0xFF : 0)) & (uint8_t)~mask_of(p->len, i))
			return false;
	return true;
}

static int check4(const struct prefix *p, const char *text, struct verr *e)
{
	const uint8_t *b = p->bytes;

	if (p->len < LEN4_MIN || p->len > LEN4_MAX)
		return verr_invalid(e, "%s: expected a length of %d to %d", text, LEN4_MIN,
				    LEN4_MAX);
	if (b[0] == 0 || b[0] == 127 || b[0] >= 224 || (b[0] == 169 && b[1] == 254))
		return verr_invalid(e,
				    "%s: expected an address such as 10.86.0.1/24, of no "
				    "special kind",
				    text);
	if (is_host_part(p, false) || is_host_part(p, true))
		return verr_invalid(e,
				    "%s is the network's first or last address; expected one "
				    "between them",
				    text);
	return 0;
}

int prefix_check(const struct prefix *p, const char *text, struct verr *e)
{
	const struct in6_addr *six = (const void *)p->bytes;

	if (p->family == AF_INET)
		return check4(p, text, e);
	if (p->len != LEN6)
		return verr_invalid(e, "%s: expected a length of %d", text, LEN6);
	if (IN6_IS_ADDR_LINKLOCAL(six) || IN6_IS_ADDR_MULTICAST(six) || IN6_IS_ADDR_LOOPBACK(six) ||
	    IN6_IS_ADDR_V4MAPPED(six) || p->bytes[0] == 0)
		return verr_invalid(
			e, "%s: expected an address such as fd00:86::1/64, of no special kind",
			text);
	if (is_host_part(p, false))
		return verr_invalid(e, "%s is the network's first address; expected one after it",
				    text);
	return 0;
}
