/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

#define OF_HOST "/etc/resolv.conf"
#define OF_RESOLVED "/run/systemd/resolve/resolv.conf"

/* Files that are longer have something else in them. */
#define FILE_MAX 8192

#define BLANKS " \t\r"

enum address_kind { ADDRESS_NONE, ADDRESS_LOOPBACK, ADDRESS_USABLE };

static enum address_kind kind_of(const char *text)
{
	struct in6_addr in6;
	uint8_t in[4];
	bool loopback;

	if (inet_pton(AF_INET, text, in) == 1)
		loopback = in[0] == 127;
	else if (inet_pton(AF_INET6, text, &in6) == 1)
		loopback = IN6_IS_ADDR_LOOPBACK(&in6);
	else
		return ADDRESS_NONE;
	return loopback ? ADDRESS_LOOPBACK : ADDRESS_USABLE;
}

size_t resolver_parse(char *text, char out[RESOLVERS_MAX][INET6_ADDRSTRLEN], size_t *loopback)
{
	size_t count = 0;
	char *line, *word, *address, *rest;

	*loopback = 0;
	while ((line = strsep(&text, "\n")) != NULL) {
		word = strtok_r(line, BLANKS, &rest);
		address = word != NULL ? strtok_r(NULL, BLANKS, &rest) : NULL;
		if (address == NULL || strcmp(word, "nameserver") != 0)
			continue;
		switch (kind_of(address)) {
		case ADDRESS_NONE:
			break;
		case ADDRESS_LOOPBACK:
			++*loopback;
			break;
		case ADDRESS_USABLE:
			if (count < RESOLVERS_MAX)
				(void)snprintf(out[count++], INET6_ADDRSTRLEN, "%s", address);
			break;
		}
	}
	return count;
}

static size_t read_file(const char *path, char out[RESOLVERS_MAX][INET6_ADDRSTRLEN],
			size_t *loopback)
{
	char text[FILE_MAX + 1];
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_MAX);

	text[n > 0 ? n : 0] = '\0';
	return resolver_parse(text, out, loopback);
}

enum resolver_kind resolver_upstream(char out[RESOLVERS_MAX][INET6_ADDRSTRLEN], size_t *count)
{
	size_t loopback, none;

	*count = 0;
	if (read_file(OF_HOST, out, &loopback) > 0 || loopback == 0)
		return RESOLVER_AS_IT_IS;
	*count = read_file(OF_RESOLVED, out, &none);
	return *count > 0 ? RESOLVER_UPSTREAM : RESOLVER_LOOPBACK;
}
