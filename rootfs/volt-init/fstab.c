/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/fstab.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "rootfs/volt-init/device.h"
#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/diskmount.h"
#include "rootfs/volt-init/mountopts.h"
#include "rootfs/volt-init/mounts.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/swap.h"
#include "rootfs/volt-init/unescape.h"

#define FSTAB_MAX ((size_t)256 << 10)
#define BLANKS " \t\r"

/* Cuts the next field off a line; NULL at its end. */
static char *next_field(char **line)
{
	char *field = *line + strspn(*line, BLANKS);
	size_t size = strcspn(field, BLANKS);

	if (size == 0)
		return NULL;
	*line = field + size;
	if (**line)
		*(*line)++ = '\0';
	unescape(field);
	return field;
}

static enum fstab_result cut(char *line, struct fstab_entry *entry)
{
	static char defaults[] = "";

	entry->source = next_field(&line);
	entry->target = next_field(&line);
	entry->type = next_field(&line);
	if (!entry->source || !entry->target || !entry->type)
		return FSTAB_BAD;
	entry->options = next_field(&line);
	if (!entry->options)
		entry->options = defaults;
	/* The frequency of dumps and the order of checks that follow are for nobody here. */
	return FSTAB_ENTRY;
}

enum fstab_result fstab_next(char **text, struct fstab_entry *entry)
{
	char *line;

	while ((line = strsep(text, "\n"))) {
		line += strspn(line, BLANKS);
		if (*line && *line != '#')
			return cut(line, entry);
	}
	return FSTAB_END;
}

static char *read_table(void)
{
	size_t size;
	char *text = file_read(FSTAB_PATH, FSTAB_MAX, &size);

	if (!text && errno != ENOENT && errno != ENOTDIR)
		say("cannot read " FSTAB_PATH ": %s", strerror(errno));
	return text;
}

bool fstab_find(struct fstab_entry *entry, const char *target)
{
	struct fstab_entry next;
	enum fstab_result result;
	bool found = false;
	char *text = read_table();

	while ((result = fstab_next(&text, &next)) != FSTAB_END) {
		if (result == FSTAB_ENTRY && strcmp(next.target, target) == 0) {
			*entry = next;
			found = true;
		}
	}
	return found;
}

/* The folder and all above it, in place; a link is followed. */
static bool make_folder(char *path)
{
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(path, 0755);
		*at = '/';
	}
	return mkdir(path, 0755) == 0 || errno == EEXIST;
}

/* The row of one that is there at every start; NULL where the entry is none of them. */
static const struct mount_row *find_ours(const struct fstab_entry *entry)
{
	size_t count;
	const struct mount_row *rows = mounts_table(&count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(rows[i].target, entry->target) == 0 &&
		    strcmp(rows[i].type, entry->type) == 0 && mounts_is_mounted(entry->target))
			return &rows[i];
	}
	return NULL;
}

/* It gets the image's options on top of its own. */
static bool change_ours(const struct mount_row *row, const struct mountopts *options)
{
	if ((options->flags & ~row->flags) == 0 && *options->data == '\0')
		return true;
	return mount(NULL, row->target, NULL, MS_REMOUNT | row->flags | options->flags,
		     options->data) == 0;
}

static bool is_swap(const struct fstab_entry *entry)
{
	return strcmp(entry->type, "swap") == 0;
}

/* What is no disk, the kernel makes up from a name that means nothing, or finds by itself. */
static bool mount_other(const struct fstab_entry *entry, const struct mountopts *options)
{
	const struct mount_row *ours = find_ours(entry);

	if (is_swap(entry))
		return swap_on(entry->source, options->data);
	if (ours)
		return change_ours(ours, options);
	if (!make_folder(entry->target) ||
	    mount(entry->source, entry->target, entry->type, options->flags, options->data) < 0)
		return false;
	/* The kernel takes no other flag together with a bind. */
	unsigned long others = options->flags & ~(unsigned long)(MS_BIND | MS_REC | MS_SILENT);
	return !(options->flags & MS_BIND) || others == 0 ||
	       mount(NULL, entry->target, NULL, MS_REMOUNT | MS_BIND | others, NULL) == 0;
}

static bool mount_disk(const struct fstab_entry *entry, const struct mountopts *options)
{
	const char *types = strcmp(entry->type, "auto") != 0 ? entry->type : NULL;
	char path[DEVICE_PATH];

	switch (device_find(entry->source, path)) {
	case DEVICE_FOUND:
		break;
	case DEVICE_ABSENT:
		errno = ENODEV;
		return false;
	case DEVICE_UNKNOWN:
		errno = ENOTSUP;
		return false;
	}
	if (is_swap(entry))
		return swap_on(path, options->data);
	return make_folder(entry->target) &&
	       diskmount(path, entry->target, types, options->flags, options->data);
}

/* False with errno. */
static bool mount_entry(const struct fstab_entry *entry, const struct mountopts *options)
{
	const char *source = entry->source;
	bool disk = strncmp(source, "/dev/", 5) == 0 || strncmp(source, "UUID=", 5) == 0 ||
		    strncmp(source, "LABEL=", 6) == 0 || strncmp(source, "PART", 4) == 0;

	return disk && !(options->flags & MS_BIND) ? mount_disk(entry, options)
						   : mount_other(entry, options);
}

static void take(const struct fstab_entry *entry, bool debug)
{
	const char *source = entry->source;
	const char *target = is_swap(entry) ? "swap" : entry->target;
	struct mountopts options;

	mountopts_parse(&options, entry->options);
	if (options.noauto || strcmp(entry->target, "/") == 0)
		return;
	if (!is_swap(entry) && entry->target[0] != '/')
		say(FSTAB_PATH ": %s: not an absolute path", entry->target);
	else if (mount_entry(entry, &options))
		say_step(debug, "%s on %s is ready", source, target);
	else if (options.nofail)
		say_step(debug, FSTAB_PATH ": no %s on %s: %s", source, target, strerror(errno));
	else
		say(FSTAB_PATH ": cannot mount %s on %s: %s", source, target, strerror(errno));
}

void fstab_mount(bool debug)
{
	struct fstab_entry entry;
	enum fstab_result result;
	char *text = read_table();

	while ((result = fstab_next(&text, &entry)) != FSTAB_END) {
		if (result == FSTAB_BAD)
			say(FSTAB_PATH ": a line has too few fields");
		else
			take(&entry, debug);
	}
}
