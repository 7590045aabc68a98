/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libevent refers to glibc's resolver, whose modules cannot be loaded into a static program, and
 * which nothing here ever calls. These stand in its place: smaller, and with nothing behind them.
 */
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **res)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)res;
	errno = ENOSYS;
	return EAI_SYSTEM;
}

void freeaddrinfo(struct addrinfo *res)
{
	(void)res;
}

struct protoent *getprotobynumber(int proto)
{
	(void)proto;
	return NULL;
}

struct servent *getservbyname(const char *name, const char *proto)
{
	(void)name;
	(void)proto;
	return NULL;
}
