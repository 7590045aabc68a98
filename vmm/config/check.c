/* SPDX-License-Identifier: Apache-2.0 */
/* What one row of machine.def cannot say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
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

/* --rootfs is a disk like the others, and the first. */
static int add_root(struct config *c, struct verr *e)
{
	struct drive_config *d, root;

	if (c->rootfs == NULL)
		return 0;
	d = list_add(&c->drives, &drive_class, e);
	if (d == NULL)
		return verr_note(e, "--rootfs");
	d->path = ptr_take(c->rootfs);
	d->id = strdup(CONFIG_ROOTFS_ID);
	d->root = true;
	root = *d;
	memmove(config_drives(c) + 1, config_drives(c), (c->drives.count - 1) * sizeof(*d));
	*config_drives(c) = root;
	return root.id == NULL ? verr_host(e, "out of memory") : 0;
}

/* The guest names disks by their order: the root disk's is the first, whatever the user's order. */
static int put_root_first(struct config *c, struct verr *e)
{
	struct drive_config *d = config_drives(c), root;
	size_t at = 0, roots = 0;

	for (size_t i = 0; i < c->drives.count; i++)
		if (d[i].root) {
			at = roots == 0 ? i : at;
			roots++;
		}
	if (roots > 1)
		return verr_invalid(e,
				    "--drive: %zu root disks; at most one has root=on, or is "
				    "--rootfs",
				    roots);
	if (at > 0) {
		root = d[at];
		memmove(d + 1, d, at * sizeof(*d));
		d[0] = root;
	}
	return 0;
}

static int check_drive(struct drive_config *d, size_t index, struct verr *e)
{
	if (d->path == NULL)
		return verr_invalid(e, "path: missing; expected path=FILE");
	if (d->id == NULL && asprintf(&d->id, "disk%zu", index) < 0)
		return verr_host(e, "out of memory");
	if (strspn(d->id, ID_CHARS "_") != strlen(d->id) || strlen(d->id) < 1 || strlen(d->id) > 20)
		return verr_invalid(e, "id=%.80s: expected 1 to 20 of A-Z a-z 0-9 _ -", d->id);
	if (d->iothreads > d->queues)
		return verr_invalid(e, "iothreads=%u: expected at most one a queue, queues=%u",
				    d->iothreads, d->queues);
	return 0;
}

static int check_drives(struct config *c, struct verr *e)
{
	struct drive_config *d;

	if (add_root(c, e) < 0 || put_root_first(c, e) < 0)
		return -1;
	d = config_drives(c);
	for (size_t i = 0; i < c->drives.count; i++) {
		if (check_drive(&d[i], i, e) < 0)
			return verr_note(e, "--drive %s", d[i].path != NULL ? d[i].path : "");
		for (size_t k = 0; k < i; k++)
			if (strcmp(d[i].id, d[k].id) == 0)
				return verr_invalid(e, "--drive id=%s: two disks have this name",
						    d[i].id);
	}
	return 0;
}

/* Is `word` one of the blank-separated words of `line`? */
static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = line; (at = strstr(at, word)) != NULL; at += len)
		if ((at == line || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

int config_check(struct config *c, struct verr *e)
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
	/* A guest that does not look at ACPI finds its devices by the command line. */
	if (c->cmdline != NULL && has_word(c->cmdline, "acpi=off"))
		c->acpi = false;
	return check_drives(c, e) < 0 ? -1 : check_console(c->console, e);
}
