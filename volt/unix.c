/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/unix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/own.h"

int unix_connect(const char *path, const char *who, const char *what, struct verr *e)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return verr_os(e, "create a socket");
	if (strlen(path) >= sizeof(address.sun_path))
		return verr_invalid(e, "%s: too long for a socket's path", path);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd_take(&fd);
	if (errno == ECONNREFUSED)
		return verr_host(e, "%s: no %s serves this socket any more", path, who);
	return verr_invalid_os(e, "cannot connect to %s (%s)", path, what);
}
