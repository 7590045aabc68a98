/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/config/ip.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED "expected dhcp, none or ADDRESS/LENGTH[+GATEWAY[+SERVER...]]"

/* As many as resolvers ask. */
#define SERVERS_MAX 3

/* The address that is being read. */
struct reader {
	char (*out)[IP_WORD_LEN];
	int count;
	int family;    /* of the last address; AF_UNSPEC: what went before is complete */
	size_t behind; /* parts behind it */
};

static int family_of(const char *text)
{
	struct in6_addr bytes;
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;

	return inet_pton(family, text, &bytes) == 1 ? family : AF_UNSPEC;
}

static bool is_length(const char *text, int family)
{
	size_t digits = strspn(text, "0123456789");

	return digits >= 1 && digits <= 3 && text[digits] == '\0' &&
	       strtoul(text, NULL, 10) <= (family == AF_INET6 ? 128 : 32);
}

/* "dhcp" or ADDRESS/LENGTH, with which a value begins. */
static int begin(struct reader *r, const char *part, struct verr *e)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(part, '/');

	r->family = AF_UNSPEC;
	if (slash != NULL) {
		(void)snprintf(address, sizeof(address), "%.*s", (int)(slash - part), part);
		r->family = family_of(address);
		if (r->family == AF_UNSPEC || !is_length(slash + 1, r->family))
			return verr_invalid(e, "%.50s: " EXPECTED, part);
	}
	if (r->count == IP_WORDS_MAX)
		return verr_invalid(e, "at most %d addresses", IP_WORDS_MAX);
	r->behind = 0;
	(void)snprintf(r->out[r->count++], IP_WORD_LEN, "%s", part);
	return 0;
}

/* A gateway, which may be empty, then name servers. */
static int go_on(struct reader *r, const char *part, struct verr *e)
{
	char *word = r->out[r->count - 1];
	size_t len = strlen(word);
	int family = family_of(part);

	if (r->behind++ == 0 && *part != '\0' && family != r->family)
		return verr_invalid(e, "%.50s: expected a gateway's address of the same kind",
				    part);
	if (r->behind > 1 && family == AF_UNSPEC)
		return verr_invalid(e, "%.50s: expected a name server's address", part);
	if (r->behind > SERVERS_MAX + 1)
		return verr_invalid(e, "at most %d name servers", SERVERS_MAX);
	(void)snprintf(word + len, IP_WORD_LEN - len, ",%s", part);
	return 0;
}

int ip_parse(const char *text, char out[IP_WORDS_MAX][IP_WORD_LEN], struct verr *e)
{
	struct reader r = {.out = out, .family = AF_UNSPEC};
	char part[64];

	if (text == NULL || strcmp(text, "none") == 0)
		return 0;
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, "+");
		bool begins;

		if (len >= sizeof(part))
			return verr_invalid(e, "%.50s: " EXPECTED, at);
		memcpy(part, at, len);
		part[len] = '\0';
		begins = strcmp(part, "dhcp") == 0 || strchr(part, '/') != NULL;
		if (!begins && r.family == AF_UNSPEC)
			return verr_invalid(e, "%.50s: " EXPECTED, part);
		if ((begins ? begin(&r, part, e) : go_on(&r, part, e)) < 0)
			return -1;
		at += len;
		if (*at == '\0')
			return r.count;
	}
}
