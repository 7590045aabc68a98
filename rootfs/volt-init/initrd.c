/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/initrd.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "contract/initrd.h"
#include "rootfs/volt-init/memroot.h"
#include "rootfs/volt-init/modules.h"
#include "rootfs/volt-init/mounts.h"
#include "rootfs/volt-init/newroot.h"
#include "rootfs/volt-init/rootdisk.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/signals.h"

#define TARGET "/newroot"

/* The kernel's own list, after ours. */
static const char *const inits[] = {
	"/sbin/volt-init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh",
};
#define INITS (sizeof(inits) / sizeof(inits[0]))

bool initrd_leads_on(const struct options *options, char **argv)
{
	return options->root && argv[0] && strcmp(argv[0], VOLT_INITRD_INIT) == 0 && memroot_is();
}

/* Returns only on failure, with errno; the arguments are the kernel's. */
static void execute(const char *path, char **argv, struct port *port)
{
	argv[0] = (char *)(uintptr_t)path;
	port_close(port);
	signals_unblock();
	(void)execve(path, argv, environ);
	int err = errno;
	signals_block();
	port_open(port);
	errno = err;
}

static int execute_any(const struct options *options, char **argv, struct port *port,
		       struct why *why)
{
	static const char remedy[] =
		"\"volt rootfs build\" puts volt-init on it, init=PATH on the kernel command line "
		"names another";

	if (options->init) {
		execute(options->init, argv, port);
		if (errno == ENOENT && access(options->init, F_OK) < 0)
			return why_set(why, "the root disk has no %.64s: %s", options->init,
				       remedy);
		return why_set(why, "cannot execute init=%.64s: %s", options->init,
			       strerror(errno));
	}
	for (size_t i = 0; i < INITS; i++) {
		execute(inits[i], argv, port);
		if (errno != ENOENT)
			say("cannot execute %s: %s", inits[i], strerror(errno));
	}
	return why_set(why, "the root disk has no init: %s", remedy);
}

int initrd_go(const struct options *options, char **argv, struct port *port, struct why *why)
{
	bool debug = options->debug;

	mounts_make_for_initrd(debug);
	modules_load(VOLT_INITRD_LIST, debug);
	if (rootdisk_mount(options, TARGET, why) < 0)
		return -1;
	say_step(debug, "mounted root=%s", options->root);
	if (newroot_enter(TARGET, why) < 0)
		return -1;
	say_step(debug, "the root disk is /");
	return execute_any(options, argv, port, why);
}
