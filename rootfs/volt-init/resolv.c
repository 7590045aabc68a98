/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/resolv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

#define RESOLV_CONF "/etc/resolv.conf"

/* A link there leads to what another init would have made. */
static int open_resolv_conf(bool more)
{
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_APPEND | O_CLOEXEC | (more ? 0 : O_TRUNC);
	int fd = open(RESOLV_CONF, flags, 0644);

	if (fd < 0 && errno == ELOOP && unlink(RESOLV_CONF) == 0)
		fd = open(RESOLV_CONF, flags, 0644);
	return fd;
}

void resolv_write(const struct address_setup *setup, bool *written)
{
	char address[INET6_ADDRSTRLEN], text[ADDRESS_SERVERS * (INET6_ADDRSTRLEN + 16)];
	size_t size = 0;
	int fd;

	if (setup->servers == 0)
		return;
	for (size_t i = 0; i < setup->servers; i++) {
		const struct address *server = &setup->server[i];

		(void)inet_ntop(server->family, server->bytes, address, sizeof(address));
		size += (size_t)snprintf(text + size, sizeof(text) - size, "nameserver %s\n",
					 address);
	}
	fd = open_resolv_conf(*written);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		say("cannot write " RESOLV_CONF ": %s", strerror(errno));
	*written = true;
	if (fd >= 0)
		close(fd);
}
