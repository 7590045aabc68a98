/* SPDX-License-Identifier: Apache-2.0 */
/* volt snapshot import, export, ls, rm: snapshots in a store. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "vmm/snapshot/files.h"
#include "volt/snapshot.h"

enum { STORE };

static const struct verb_option options[] = {
	[STORE] = {.name = "cas-store", .value = "STORE", .help = "the store (required)"},
};

typedef int store_fn(struct stel *s, const struct verb_args *args, struct verr *e);

static int with_store(store_fn *work, const struct verb_args *args, struct verr *e)
{
	struct stel *s = NULL;
	int r;

	if (args->options[STORE] == NULL)
		return verr_invalid(e, "expected --cas-store STORE");
	interrupt_watch();
	if (stel_open(&s, args->options[STORE], e) < 0)
		return -1;
	r = work(s, args, e);
	(void)stel_close(s);
	interrupt_obey();
	return r < 0 ? -1 : STATUS_OK;
}

int snapshot_put(struct stel *s, const char *name, const char *folder, struct stored_made *made,
		 struct verr *e)
{
	struct progress progress;
	const struct stel_watch watch = {.go_on = progress_go_on, .ctx = &progress};
	int r;

	progress_begin(&progress, name);
	r = stored_put(s, name, folder, &watch, made, e);
	progress_end(&progress);
	return r;
}

static int import(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct stored_made made;

	if (snapshot_put(s, args->operands[1], args->operands[0], &made, e) < 0)
		return -1;
	printf("{\"name\":\"%s\",\"size\":%llu,\"raw_new\":%llu,\"stored_new\":%llu}\n",
	       args->operands[1], (unsigned long long)made.size, (unsigned long long)made.raw,
	       (unsigned long long)made.stored);
	return 0;
}

static int run_import(const struct verb_args *args, struct verr *e)
{
	return with_store(import, args, e);
}

static int export(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct progress progress;
	const struct stel_watch watch = {.go_on = progress_go_on, .ctx = &progress};
	int r;

	progress_begin(&progress, args->operands[1]);
	r = stored_export(s, args->operands[0], args->operands[1], &watch, e);
	progress_end(&progress);
	return r;
}

static int run_export(const struct verb_args *args, struct verr *e)
{
	return with_store(export, args, e);
}

static int rm(struct stel *s, const struct verb_args *args, struct verr *e)
{
	for (size_t i = 0; i < args->count; i++)
		if (stored_remove(s, args->operands[i], e) < 0)
			return -1;
	return 0;
}

static int run_rm(const struct verb_args *args, struct verr *e)
{
	return with_store(rm, args, e);
}

/* The names of one stand together, "memory" before "state". */
struct listing {
	uint64_t memory, disks;
};

static void print_one(const char *name, int len, const struct listing *l, int64_t made)
{
	char when[32] = "-";
	time_t at = (time_t)made;
	struct tm tm;

	if (gmtime_r(&at, &tm) != NULL)
		(void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	printf("%-30.*s %8llu %8llu  %s\n", len, name, (unsigned long long)(l->memory >> 20),
	       (unsigned long long)(l->disks >> 20), when);
}

static void list_name(void *ctx, const struct stel_name *n)
{
	const char *name = n->name + strlen(STORED_PREFIX), *slash = strchr(name, '/');
	struct listing *l = ctx;

	if (strncmp(n->name, STORED_PREFIX, strlen(STORED_PREFIX)) != 0 || slash == NULL)
		return;
	if (strcmp(slash + 1, SNAPSHOT_MEMORY_FILE) == 0)
		l->memory = n->size;
	if (strncmp(slash + 1, SNAPSHOT_DISKS_FOLDER "/", strlen(SNAPSHOT_DISKS_FOLDER "/")) == 0)
		l->disks += n->size;
	if (strcmp(slash + 1, SNAPSHOT_STATE_FILE) != 0)
		return;
	print_one(name, (int)(slash - name), l, n->time);
	*l = (struct listing){0};
}

static int list(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct listing l = {0};

	(void)args;
	printf("%-30s %8s %8s  %s\n", "NAME", "MEM MiB", "DISK MiB", "MADE (UTC)");
	return stel_list(s, list_name, &l, e);
}

static int run_ls(const struct verb_args *args, struct verr *e)
{
	return with_store(list, args, e);
}

const struct verb snapshot_import_verb = {
	.name = "import",
	.summary = "put a snapshot's folder into a store",
	.about =
		"DIR stays as it is. The snapshot must have no base: volt snapshot merge makes one "
		"of it that\n"
		"has none.\n",
	.run = run_import,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "DIR NAME",
	.operands_min = 2,
	.operands_max = 2,
};

const struct verb snapshot_export_verb = {
	.name = "export",
	.summary = "write a store's snapshot to a new folder",
	.run = run_export,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "NAME DIR",
	.operands_min = 2,
	.operands_max = 2,
};

const struct verb snapshot_ls_verb = {
	.name = "ls",
	.summary = "list a store's snapshots",
	.run = run_ls,
	.options = options,
	.options_count = ARRAY_LEN(options),
};

const struct verb snapshot_rm_verb = {
	.name = "rm",
	.summary = "remove snapshots from a store",
	.about = "Machines that run from them go on. stellarium gc gives back the space of what no "
		 "other image has.\n",
	.run = run_rm,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "NAME...",
	.operands_min = 1,
	.operands_max = 1000,
};
