/* SPDX-License-Identifier: Apache-2.0 */
/* Network, disk and terminal of the host. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "volt/check.h"
#include "volt/program.h"

static bool has_net_admin(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &head, data) == 0 &&
	       (data[0].effective & (1U << CAP_NET_ADMIN)) != 0;
}

void check_tun(struct check_context *c, struct finding *f)
{
	auto_fd fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	(void)c;
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		check_missing(f,
			      "chmod 666 /dev/net/tun (harmless: making an interface needs "
			      "CAP_NET_ADMIN besides)",
			      "no permission to open /dev/net/tun: no TAP interfaces");
	else if (fd < 0)
		check_missing(f, "modprobe tun",
			      "/dev/net/tun cannot be opened (%s): no TAP interfaces",
			      strerror(errno));
	else if (!has_net_admin())
		check_limited(f, "have root make one: ip tuntap add NAME mode tap user USER",
			      "existing TAP interfaces can be used; making one needs "
			      "CAP_NET_ADMIN");
	else
		check_ok(f, "TAP interfaces can be made and used");
}

void check_vhost_net(struct check_context *c, struct finding *f)
{
	auto_fd fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	(void)c;
	if (fd >= 0)
		check_ok(f, "the host's kernel can carry a guest's packets");
	else if (errno == EACCES || errno == EPERM)
		check_limited(f, "join the group of /dev/vhost-net (often kvm), or chmod it",
			      "no permission to open /dev/vhost-net: volt-vmm carries the packets "
			      "itself, slower");
	else
		check_limited(f, "modprobe vhost_net",
			      "/dev/vhost-net cannot be opened (%s): volt-vmm carries the packets "
			      "itself, slower",
			      strerror(errno));
}

/* Its first line is "passt" and the version; some builds do not know theirs. */
void check_passt(struct check_context *c, struct finding *f)
{
	const char *const argv[] = {"passt", "--version", NULL};
	struct verr e = VERR_INIT;
	char out[256];

	(void)c;
	if (!program_find(argv[0], out, sizeof(out)))
		check_missing(f, "apt install passt",
			      "passt is not in PATH: no network without privilege, and no "
			      "published ports");
	else if (program_run(argv, NULL, out, sizeof(out), &e) < 0)
		check_missing(f, "apt install --reinstall passt",
			      "passt does not run (%s): no network without privilege, and no "
			      "published ports",
			      e.text);
	else
		check_ok(f, "%.*s: a network without privilege, and published ports",
			 (int)strcspn(out, "\n"), out);
}

/* What a busy disk takes: a small ring may be granted where this one is not. */
#define RING_ENTRIES 256

void check_io_uring(struct check_context *c, struct finding *f)
{
	struct io_uring_params params = {0};
	auto_fd fd = (int)syscall(SYS_io_uring_setup, RING_ENTRIES, &params);

	(void)c;
	if (fd >= 0)
		check_ok(f, "disks are served asynchronously");
	else if (errno == ENOSYS)
		check_limited(f, "Linux 5.10 or newer with CONFIG_IO_URING=y",
			      "this kernel has no io_uring: disks are served by threads");
	else if (errno == EPERM)
		check_limited(f,
			      "sysctl kernel.io_uring_disabled=0, and allow it in the "
			      "container's seccomp profile",
			      "io_uring is forbidden: disks are served by threads");
	else
		check_limited(
			f, errno == ENOMEM ? "raise the limit of locked memory (ulimit -l)" : "",
			"io_uring_setup fails (%s): disks are served by threads", strerror(errno));
}

void check_pty(struct check_context *c, struct finding *f)
{
	auto_fd fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	(void)c;
	if (fd < 0)
		check_missing(f, "mount -t devpts -o ptmxmode=666 devpts /dev/pts",
			      "no pseudo-terminals (%s): --console pty does not work",
			      strerror(errno));
	else if (ptsname_r(fd, name, sizeof(name)) != 0 || access(name, F_OK) < 0)
		check_missing(f, "mount -t devpts devpts /dev/pts",
			      "pseudo-terminals have no name in /dev/pts: --console pty does not "
			      "work");
	else
		check_ok(f, "pseudo-terminals are there");
}
