/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/term.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/own.h"

bool term_in_background(const struct term *term)
{
	pid_t foreground = tcgetpgrp(term->fd);

	/* -1: not this session's terminal, so there is no job control on it. */
	return foreground >= 0 && foreground != getpgrp();
}

void term_make_raw(struct term *term)
{
	struct termios t;

	if (term->fd < 0 || term_in_background(term) || tcgetattr(term->fd, &t) < 0)
		return;
	if (!term->raw)
		term->saved = t;
	cfmakeraw(&t);
	t.c_oflag = term->saved.c_oflag;
	/* TCSANOW: draining would wait for a terminal that is stopped with Ctrl-S. */
	if (tcsetattr(term->fd, TCSANOW, &t) == 0)
		term->raw = true;
}

void term_restore(const struct term *term)
{
	if (term->fd >= 0 && term->raw && !term_in_background(term))
		(void)tcsetattr(term->fd, TCSANOW, &term->saved);
}

int term_pty_open(struct term_pty *pty, struct verr *e)
{
	auto_fd master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	auto_fd slave = -1;
	struct termios t;

	if (master < 0)
		return verr_os(e, "open a pseudo-terminal");
	if (grantpt(master) < 0 || unlockpt(master) < 0)
		return verr_os(e, "unlock a pseudo-terminal");
	if (ptsname_r(master, pty->name, sizeof(pty->name)) != 0)
		return verr_os(e, "name of a pseudo-terminal");
	slave = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return verr_os(e, "open %s", pty->name);
	if (tcgetattr(slave, &t) < 0)
		return verr_os(e, "settings of %s", pty->name);
	cfmakeraw(&t);
	if (tcsetattr(slave, TCSANOW, &t) < 0)
		return verr_os(e, "settings of %s", pty->name);
	pty->master = fd_take(&master);
	pty->slave = fd_take(&slave);
	return 0;
}
