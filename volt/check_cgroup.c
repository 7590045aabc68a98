/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup v2, which limits what a machine takes of the host. */
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "volt/check.h"

#define DELEGATE_REMEDY \
	"systemd-run --user --scope -p Delegate=yes COMMAND, or a unit with Delegate=yes"

/* The controllers that Volt sets limits with. */
static const char *const controllers[] = {"cpu", "io", "memory", "pids"};

bool check_cgroup_path(const char *text, char *out, size_t size)
{
	const char *line = text;

	while (line != NULL && strncmp(line, "0::/", 4) != 0) {
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	if (line == NULL)
		return false;
	line += 3;
	return (size_t)snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line) < size;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; *at != '\0'; at += strspn(at, " \n")) {
		size_t n = strcspn(at, " \n");

		if (n == len && strncmp(at, word, n) == 0)
			return true;
		at += n;
	}
	return false;
}

/* Append the controllers that this cgroup lacks to `out`. */
static void missing_controllers(const char *folder, char *out, size_t size)
{
	char path[PATH_MAX + 32], have[512] = "";
	size_t used = 0;

	(void)snprintf(path, sizeof(path), "%s/cgroup.controllers", folder);
	(void)check_read_file(path, have, sizeof(have));
	*out = '\0';
	for (size_t i = 0; i < ARRAY_LEN(controllers) && used < size; i++)
		if (!has_word(have, controllers[i]))
			used += (size_t)snprintf(out + used, size - used, "%s%s",
						 used > 0 ? ", " : "", controllers[i]);
}

static bool is_cgroup2(const char *path)
{
	struct statfs s;

	return statfs(path, &s) == 0 && s.f_type == CGROUP2_SUPER_MAGIC;
}

static bool is_delegated(const char *folder)
{
	static const char *const files[] = {"", "/cgroup.procs", "/cgroup.subtree_control"};
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", folder, files[i]);
		if (access(path, W_OK) < 0)
			return false;
	}
	return true;
}

void check_cgroup(struct check_context *c, struct finding *f)
{
	static const char unified[] = "/sys/fs/cgroup", hybrid[] = "/sys/fs/cgroup/unified";
	const char *mount = is_cgroup2(unified) ? unified : is_cgroup2(hybrid) ? hybrid : NULL;
	char text[8192], own[2048], folder[PATH_MAX], missing[64];

	(void)c;
	if (mount == NULL) {
		check_missing(f,
			      "mount -t cgroup2 none /sys/fs/cgroup, or boot the host with "
			      "systemd.unified_cgroup_hierarchy=1",
			      "cgroup v2 is not mounted: no limits on what a machine takes");
		return;
	}
	if (!check_read_file("/proc/self/cgroup", text, sizeof(text)) ||
	    !check_cgroup_path(text, own, sizeof(own))) {
		check_missing(f, "", "this process is in no v2 cgroup");
		return;
	}
	(void)snprintf(folder, sizeof(folder), "%s%s", mount, own);
	missing_controllers(folder, missing, sizeof(missing));
	if (!is_delegated(folder))
		check_limited(f, DELEGATE_REMEDY,
			      "v2, but %s is not this user's to divide: no limits on what a "
			      "machine takes",
			      own);
	else if (*missing != '\0')
		check_limited(f,
			      mount == hybrid
				      ? "boot the host with systemd.unified_cgroup_hierarchy=1"
				      : DELEGATE_REMEDY,
			      "v2, delegated, but without the controllers %s", missing);
	else
		check_ok(f, "v2, delegated: limits can be set on a machine");
}
