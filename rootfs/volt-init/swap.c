/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/swap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/unescape.h"

#define SWAPS_MAX ((size_t)64 << 10)

#ifndef SWAP_FLAG_DISCARD
#define SWAP_FLAG_DISCARD 0x10000 /* swapon(2) */
#endif

int swap_flags(const char *options)
{
	int flags = 0;

	for (;; options++) {
		size_t size = strcspn(options, ",");

		if (strncmp(options, "pri=", 4) == 0) {
			long priority = strtol(options + 4, NULL, 10);

			if (priority >= 0 && priority <= SWAP_FLAG_PRIO_MASK)
				flags |= SWAP_FLAG_PREFER | (int)priority;
		}
		if (size == 7 && strncmp(options, "discard", 7) == 0)
			flags |= SWAP_FLAG_DISCARD;
		options += size;
		if (!*options)
			return flags;
	}
}

bool swap_on(const char *path, const char *options)
{
	/* One that is in use already is what was wanted. */
	return swapon(path, swap_flags(options)) == 0 || errno == EBUSY;
}

void swap_off_all(bool debug)
{
	size_t size;
	/* A kernel without swap has no such file. */
	char *text = file_read("/proc/swaps", SWAPS_MAX, &size);
	char *line;

	(void)strsep(&text, "\n"); /* the headings */
	while ((line = strsep(&text, "\n"))) {
		char *path = strsep(&line, " \t");

		if (!*path)
			continue;
		unescape(path);
		if (swapoff(path) == 0)
			say_step(debug, "swap on %s is off", path);
		else
			say("cannot turn swap on %s off: %s", path, strerror(errno));
	}
}
