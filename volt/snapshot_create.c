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

enum { API, BASE, PAUSE, STORE, DIR };

static const struct verb_option options[] = {
	[API] = {.name = "api", .value = "SOCKET", .help = "the machine's --api-socket"},
	[BASE] = {.name = "base",
		  .value = "DIR",
		  .help = "save only what changed since this snapshot, the machine's last; needs "
			  "volt-vmm --track-dirty on"},
	[PAUSE] = {.name = "pause", .help = "leave the machine paused at that instant"},
	[STORE] = {.name = "cas-store",
		   .value = "STORE",
		   .help = "put it into this store, as NAME; the store keeps what it has not yet"},
	[DIR] = {.name = "dir",
		 .value = "DIR",
		 .help = "with --cas-store: where the machine writes it meanwhile, a folder of its "
			 "--snapshot-dir; by default the first one"},
};

char *snapshot_absolute(const char *path, struct verr *e)
{
	char copy[PATH_MAX], folder[PATH_MAX];
	size_t len = strlen(path);
	const char *name;
	char *slash, *whole;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len >= sizeof(copy)) {
		(void)verr_invalid(e, "%s: a path is longer than %d", path, PATH_MAX);
		return NULL;
	}
	(void)snprintf(copy, sizeof(copy), "%.*s", (int)len, path);
	slash = strrchr(copy, '/');
	name = slash != NULL ? slash + 1 : copy;
	if (slash != NULL)
		*slash = '\0';
	if (realpath(slash == NULL ? "." : slash == copy ? "/" : copy, folder) == NULL) {
		(void)verr_invalid_os(e, "%s: its folder", path);
		return NULL;
	}
	if (asprintf(&whole, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name) >= 0)
		return whole;
	(void)verr_host(e, "out of memory");
	return NULL;
}

char *snapshot_wish(const char *path, const char *base, bool pause, struct verr *e)
{
	json_t *wish = json_pack("{s:s,s:s*,s:b}", "path", path, "base", base, "resume", !pause);
	char *body = wish != NULL ? json_dumps(wish, JSON_COMPACT) : NULL;

	json_decref(wish);
	if (body == NULL)
		(void)verr_invalid(e, "%s: expected a path in UTF-8", path);
	return body;
}

static int create_stored(const struct verb_args *args, struct verr *e)
{
	const struct snapshot_create how = {.api = args->options[API],
					    .store = args->options[STORE],
					    .dir = args->options[DIR],
					    .name = args->operands[0],
					    .pause = args->options[PAUSE] != NULL};

	if (args->options[BASE] != NULL)
		return verr_invalid(e,
				    "--base: a store keeps only what it has not yet; expected no "
				    "--base with --cas-store");
	return snapshot_create_stored(&how, e);
}

static int create_folder(const struct verb_args *args, struct verr *e)
{
	auto_free char *path = snapshot_absolute(args->operands[0], e), *base = NULL, *body = NULL;
	int r;

	if (args->options[DIR] != NULL)
		return verr_invalid(e, "--dir: expected --cas-store STORE beside it");
	if (args->options[BASE] != NULL)
		base = snapshot_absolute(args->options[BASE], e);
	if (path == NULL || (args->options[BASE] != NULL && base == NULL))
		return -1;
	body = snapshot_wish(path, base, args->options[PAUSE] != NULL, e);
	if (body == NULL)
		return -1;
	verb_progress("writing memory and disks to %s; the machine goes on", path);
	r = api_ask(args->options[API], "PUT", "/v1/snapshot", body, e);
	if (r == 0)
		putchar('\n');
	return r < 0 ? -1 : STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	if (args->options[API] == NULL)
		return verr_invalid(e, "expected --api SOCKET, the machine's");
	return args->options[STORE] != NULL ? create_stored(args, e) : create_folder(args, e);
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
		"printed as JSON. With --cas-store it is kept in a store as NAME, and in no "
		"folder.\n"
		"\nExample:\n"
		"  volt-vmm --kernel vmlinux --rootfs disk.img --api-socket vm.sock --snapshot-dir "
		"/snaps &\n"
		"  volt snapshot create --api vm.sock /snaps/first\n"
		"  volt snapshot create --api vm.sock --cas-store store first\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "DIR|NAME",
	.operands_min = 1,
	.operands_max = 1,
};
