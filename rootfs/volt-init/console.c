/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "rootfs/volt-init/say.h"

#define CONSOLE_PATH "/dev/console"
#define CONSOLE_MAJOR 5
#define CONSOLE_MINOR 1

#define DRAIN_STEP_MS 1
#define DRAIN_STEPS 500

static int open_node(void)
{
	int fd = open(CONSOLE_PATH, O_RDWR | O_NOCTTY);

	/* A kernel without devtmpfs leaves it to us to make the node. */
	if (fd < 0 && errno == ENOENT &&
	    mknod(CONSOLE_PATH, S_IFCHR | 0600, makedev(CONSOLE_MAJOR, CONSOLE_MINOR)) == 0)
		fd = open(CONSOLE_PATH, O_RDWR | O_NOCTTY);
	return fd;
}

void console_open(void)
{
	int fd = open_node();

	if (fd < 0 && fcntl(STDIN_FILENO, F_GETFD) >= 0)
		return;
	if (fd < 0)
		fd = open("/dev/null", O_RDWR);
	if (fd < 0)
		return;
	for (int stdio = STDIN_FILENO; stdio <= STDERR_FILENO; stdio++)
		(void)dup2(fd, stdio);
	if (fd > STDERR_FILENO)
		close(fd);
}

void console_claim(void)
{
	(void)setsid();
	/* 1: also from another session, which an initrd may have left. */
	(void)ioctl(STDIN_FILENO, TIOCSCTTY, 1);
}

void console_take(uid_t uid)
{
	(void)setpgid(0, 0);
	/* SIGTTOU, the answer to a group that is not in the foreground yet, is blocked. */
	if (tcsetpgrp(STDIN_FILENO, getpid()) < 0 || uid == 0)
		return;
	if (fchown(STDIN_FILENO, uid, (gid_t)-1) < 0)
		say("the console stays root's: %s", strerror(errno));
}

void console_drain(void)
{
	for (int step = 0; step < DRAIN_STEPS; step++) {
		int left = 0;

		if (ioctl(STDOUT_FILENO, TIOCOUTQ, &left) < 0 || left <= 0)
			return;
		(void)poll(NULL, 0, DRAIN_STEP_MS);
	}
}
