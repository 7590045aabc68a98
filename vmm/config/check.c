/* SPDX-License-Identifier: Apache-2.0 */
/* What one row of machine.def cannot say. */
#include <string.h>

#include "vmm/config/config.h"

#define ID_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

static int check_console(const char *console, struct verr *e)
{
	if (strcmp(console, "stdio") == 0 || strcmp(console, "pty") == 0 ||
	    strcmp(console, "none") == 0)
		return 0;
	if (strncmp(console, "file=", 5) == 0 && console[5] != '\0')
		return 0;
	return verr_invalid(e, "--console %s: expected stdio, file=PATH, pty or none", console);
}

int config_check(const struct config *c, struct verr *e)
{
	if (c->kernel == NULL)
		return verr_invalid(e,
				    "--kernel: missing; expected the path of a vmlinux or bzImage");
	if (c->memory % MIB(2) != 0)
		return verr_invalid(e, "--memory: expected a multiple of 2M");
	if (c->id != NULL &&
	    (strspn(c->id, ID_CHARS) != strlen(c->id) || strlen(c->id) < 1 || strlen(c->id) > 64))
		return verr_invalid(e, "--id %.80s: expected 1 to 64 of A-Z a-z 0-9 -", c->id);
	if (c->cmdline != NULL && strpbrk(c->cmdline, "\n\r") != NULL)
		return verr_invalid(e, "--cmdline: expected one line");
	return check_console(c->console, e);
}
