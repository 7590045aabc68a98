/* SPDX-License-Identifier: Apache-2.0 */
/* volt snapshot create: ask a volt-vmm for one. */
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "volt/api.h"
#include "volt/snapshot.h"

enum { API, BASE, PAUSE };

static const struct verb_option options[] = {
	[API] = {.name = "api", .value = "SOCKET", .help = "the machine's --api-socket"},
	[BASE] = {.name = "base",
		  .value = "DIR",
		  .help = "save only what changed since this snapshot, the machine's last; needs "
			  "volt-vmm --track-dirty on"},
	[PAUSE] = {.name = "pause", .help = "leave the machine paused at that instant"},
};

/* What the monitor, which has another current folder, takes for the same. */
static char *absolute(const char *path, struct verr *e)
{
	auto_free char *copy = strdup(path), *folder = NULL;
	const char *name;
	char *slash, *whole;

	if (copy == NULL)
		return NULL;
	while (strlen(copy) > 1 && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	slash = strrchr(copy, '/');
	name = slash != NULL ? slash + 1 : copy;
	if (slash != NULL)
		*slash = '\0';
	folder = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
	if (folder == NULL) {
		(void)verr_invalid_os(e, "%s: its folder", path);
		return NULL;
	}
	if (asprintf(&whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name) >= 0)
		return whole;
	(void)verr_host(e, "out of memory");
	return NULL;
}

static int run(const struct verb_args *args, struct verr *e)
{
	auto_free char *path = absolute(args->operands[0], e), *base = NULL, *body = NULL;
	json_t *wish;
	int r;

	if (args->options[API] == NULL)
		return verr_invalid(e, "expected --api SOCKET, the machine's");
	if (args->options[BASE] != NULL)
		base = absolute(args->options[BASE], e);
	if (path == NULL || (args->options[BASE] != NULL && base == NULL))
		return -1;
	wish = json_pack("{s:s,s:s*,s:b}", "path", path, "base", base, "resume",
			 args->options[PAUSE] == NULL);
	body = wish != NULL ? json_dumps(wish, JSON_COMPACT) : NULL;
	json_decref(wish);
	if (body == NULL)
		return verr_invalid(e, "%s: expected a path in UTF-8", path);
	r = api_ask(args->options[API], "PUT", "/v1/snapshot", body, e);
	if (r == 0)
		putchar('\n');
	return r < 0 ? -1 : STATUS_OK;
}

const struct verb snapshot_create_verb = {
	.name = "create",
	.summary = "make a snapshot of a running machine",
	.about =
		"DIR is a new folder, in one that volt-vmm was given by --snapshot-dir. The "
		"machine "
		"goes on\n"
		"while its memory is written, and stands still for what it changes meanwhile. What "
		"was made is\n"
		"printed as JSON.\n"
		"\nExample:\n"
		"  volt-vmm --kernel vmlinux --rootfs disk.img --api-socket vm.sock --snapshot-dir "
		"/snaps &\n"
		"  volt snapshot create --api vm.sock /snaps/first\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "DIR",
	.operands_min = 1,
	.operands_max = 1,
};
