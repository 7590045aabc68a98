/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/stop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/signals.h"

/* Less than the monitor's own patience, so that there is time to sync and unmount after it. */
#define GRACE_MS 5000
/* A killed process ends at once, unless a device holds it. */
#define KILL_MS 2000

#define STATUS_MAX ((size_t)8 << 10)

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False where some are left after that time. */
static bool wait_all(struct run *run, int64_t milliseconds)
{
	int64_t end = now_ms() + milliseconds;

	while (reap_all(run)) {
		int64_t left = end - now_ms();

		if (left <= 0)
			return false;
		signals_wait_child((long)left);
	}
	return true;
}

bool stop_is_ignored(const char *status, int signo)
{
	static const char name[] = "\nSigIgn:\t";
	const char *mask = strstr(status, name);

	return mask && (strtoull(mask + sizeof(name) - 1, NULL, 16) >> (signo - 1) & 1);
}

/*
 * An interactive shell ignores SIGTERM and ends when its terminal hangs up. Others may take SIGHUP
 * for "read your configuration again" or die of it in the middle of an orderly end.
 */
static void hang_up(const struct run *run)
{
	char path[32];
	size_t size;

	if (run->pid == 0 || run->ended)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", run->pid);
	const char *status = file_read(path, STATUS_MAX, &size);
	if (status && stop_is_ignored(status, SIGTERM))
		(void)kill(run->pid, SIGHUP);
}

void stop_processes(struct run *run, bool debug)
{
	if (!reap_all(run))
		return;
	say_step(debug, "asking all processes to end");
	hang_up(run);
	(void)kill(-1, SIGTERM);
	(void)kill(-1, SIGCONT);
	if (wait_all(run, GRACE_MS))
		return;
	say("killing what did not end within %d s", GRACE_MS / 1000);
	(void)kill(-1, SIGKILL);
	if (!wait_all(run, KILL_MS))
		say("going on although a process cannot be killed");
}
