/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/address.h"

#include <arpa/inet.h>
#include <string.h>

size_t address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool parse_one(struct address *address, const char *text)
{
	address->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(address->family, text, address->bytes) == 1;
}

static bool parse_prefix(unsigned *prefix, const char *text, size_t bits)
{
	size_t digits = strspn(text, "0123456789");

	*prefix = 0;
	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return false;
	for (; *text; text++)
		*prefix = *prefix * 10 + (unsigned)(*text - '0');
	return *prefix <= bits;
}

static int parse_own(struct address_setup *setup, char *text, struct why *why)
{
	char *slash = strchr(text, '/');

	if (!slash)
		return why_set(why, "\"%.64s\": expected ADDRESS/LENGTH", text);
	*slash = '\0';
	if (!parse_one(&setup->own, text))
		return why_set(why, "\"%.64s\": not an address", text);
	if (!parse_prefix(&setup->prefix, slash + 1, 8 * address_size(setup->own.family)))
		return why_set(why, "\"%.64s\": not the length of a network", slash + 1);
	return 0;
}

int address_parse(struct address_setup *setup, char *text, struct why *why)
{
	char *part;

	*setup = (struct address_setup){0};
	if (parse_own(setup, strsep(&text, ","), why) < 0)
		return -1;
	part = strsep(&text, ",");
	if (part && *part &&
	    (!parse_one(&setup->gateway, part) || setup->gateway.family != setup->own.family))
		return why_set(why, "\"%.64s\": not a gateway's address of the same kind", part);
	while ((part = strsep(&text, ","))) {
		if (setup->servers == ADDRESS_SERVERS)
			return why_set(why, "more than %d name servers", ADDRESS_SERVERS);
		if (!parse_one(&setup->server[setup->servers++], part))
			return why_set(why, "\"%.64s\": not a name server's address", part);
	}
	return 0;
}
