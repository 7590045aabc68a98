/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/loopback.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

void loopback_up(bool debug)
{
	/* The kernel gives it its addresses when it goes up. */
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		say_step(debug, "lo stays down: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}
