/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot is made of the machine, or a machine of a snapshot. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/firecracker/priv.h"
#include "vmm/snapshot/snapshot.h"

/* --- made --- */

static void answer(struct reply *reply, const struct snapshot_made *made, const struct verr *fault)
{
	(void)made;
	reply->status = 204;
	if (fault != NULL)
		reply_verr(reply, 400, fault);
}

int fc_put_snapshot(const struct request *r, struct verr *e)
{
	const struct snapshot_wish wish = {
		.path = body_text(r->body, "snapshot_path"),
		.memory = body_text(r->body, "mem_file_path"),
		.diff = strcmp(body_text(r->body, "snapshot_type"), "Diff") == 0,
	};

	if (machine_state(api_machine(r->api)) != MACHINE_PAUSED)
		return verr_state(e, "The snapshot cannot be created: the microVM is not paused.");
	return api_make_snapshot(r->api, &wish, answer, r->reply, e);
}

/* --- loaded --- */

/* What describes a machine, which is the snapshot's now. */
static bool is_described(const struct firecracker *f)
{
	static const char *const keys[] = {BOOT_SOURCE, MACHINE_CONFIG, CPU_CONFIG, ENTROPY};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(f->resources, keys[i]) != NULL)
			return true;
	return json_array_size(json_object_get(f->resources, DRIVES)) > 0 ||
	       json_array_size(json_object_get(f->resources, NETS)) > 0;
}

int fc_load_snapshot(const struct request *r, struct verr *e)
{
	bool file = json_object_get(r->body, "mem_file_path") != NULL;
	bool backend = json_object_get(r->body, "mem_backend") != NULL;

	if (file == backend)
		return verr_invalid(e, "expected %s of `mem_backend` and `mem_file_path`",
				    file ? "one only" : "one");
	if (r->api == NULL || is_described(r->f))
		return verr_state(e, "Loading a microVM snapshot is not allowed after "
				     "boot-specific resources are configured.");
	if (!api_ask(r->api, API_WISH_START))
		return verr_state(
			e, "The requested operation is not supported after starting the microVM.");
	r->f->load = json_incref(r->body);
	r->reply->later = true;
	return 0;
}

const char *firecracker_memory(const struct firecracker *f)
{
	const char *path = body_text(f->load, "mem_file_path");

	return path != NULL ? path
			    : body_text(json_object_get(f->load, "mem_backend"), "backend_path");
}

static int set(char **text, const char *with, struct verr *e)
{
	free(*text);
	*text = strdup(with);
	return *text == NULL ? verr_host(e, "out of memory") : 0;
}

int configure_load(const struct firecracker *f, struct config *c, struct verr *e)
{
	const json_t *overrides = json_object_get(f->load, "network_overrides");

	c->clock =
		body_true(f->load, "clock_realtime") ? RESTORE_CLOCK_ADVANCE : RESTORE_CLOCK_FREEZE;
	c->paused = !body_true(f->load, "resume_vm");
	c->track_dirty = body_true(f->load, "track_dirty_pages") ||
			 body_true(f->load, "enable_diff_snapshots");
	for (size_t i = 0; i < json_array_size(overrides); i++) {
		const json_t *over = json_array_get(overrides, i);
		struct net_config *n = list_add(&c->nets, &net_class, e);

		if (n == NULL || set(&n->id, body_text(over, "iface_id"), e) < 0 ||
		    set(&n->tap, body_text(over, "host_dev_name"), e) < 0)
			return -1;
	}
	return set(&c->restore, body_text(f->load, "snapshot_path"), e);
}

static json_t *describe_drive(const struct drive_config *d)
{
	return json_pack("{s:s,s:s,s:b,s:b,s:s}", "drive_id", d->id, "path_on_host", d->path,
			 "is_root_device", d->root, "is_read_only", d->readonly, "cache_type",
			 d->cache == DISK_CACHE_WRITEBACK ? "Writeback" : "Unsafe");
}

static json_t *describe_net(const struct net_config *n)
{
	return json_pack("{s:s,s:s,s:s*}", "iface_id", n->id, "host_dev_name", n->tap, "guest_mac",
			 n->mac);
}

/* For those who ask: its limits, and the kernel that it was booted with, are not known any more. */
static void describe(struct firecracker *f, const struct config *c)
{
	json_t *drives = json_object_get(f->resources, DRIVES);
	json_t *nets = json_object_get(f->resources, NETS);

	for (size_t i = 0; i < c->drives.count; i++)
		if (config_drives(c)[i].path != NULL)
			(void)json_array_append_new(drives, describe_drive(&config_drives(c)[i]));
	for (size_t i = 0; i < c->nets.count; i++)
		if (config_nets(c)[i].tap != NULL)
			(void)json_array_append_new(nets, describe_net(&config_nets(c)[i]));
}

/*
 * Paths of a snapshot are absolute, whatever they were before. What is not there on this host is no
 * fault: nothing need ever come from it.
 */
static int find_live_folders(struct config *c, struct verr *e)
{
	bool given = c->live_dir != NULL;

	for (size_t i = 0; !given && i < c->drives.count; i++) {
		const char *path = config_drives(c)[i].path;
		char folder[PATH_MAX];

		(void)snprintf(folder, sizeof(folder), "%s", path != NULL ? path : "");
		if (path == NULL || access(dirname(folder), X_OK) < 0)
			continue;
		if (folders_add(&c->live_dir, path, e) < 0 ||
		    (same_folder(folder, ".") && folders_add(&c->live_dir, "file", e) < 0))
			return -1;
	}
	return 0;
}

int firecracker_restored(struct firecracker *f, struct config *c, struct verr *e)
{
	const char *pages = body_text(f->load, "huge_pages");

	if (f->load == NULL)
		return 0;
	if (strcmp(pages, "Snapshot") != 0)
		c->huge_pages = strcmp(pages, "2M") == 0            ? MEM_HUGE_2M
				: strcmp(pages, "Transparent") == 0 ? MEM_HUGE_THP
								    : MEM_HUGE_OFF;
	describe(f, c);
	return find_live_folders(c, e) < 0 ? -1 : configure_snapshots(f, c, e);
}

/* --- the sandbox's folders --- */

/*
 * Files may be made and removed there, so it must be one that has to do with this machine: none
 * that everybody writes to, nor the host's own; an empty root, such as a jail's, is another matter.
 */
static bool is_fit(const char *folder)
{
	struct stat st;

	return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
	       (st.st_mode & (S_IWOTH | S_IWGRP)) == 0 && access(folder, W_OK | X_OK) == 0 &&
	       !folder_is_hosts(folder);
}

static int add(struct config *c, const char *file, struct verr *e)
{
	char folder[PATH_MAX];

	if (file == NULL)
		return 0;
	(void)snprintf(folder, sizeof(folder), "%s", file);
	if (!is_fit(dirname(folder)) || (*file != '/' && !is_fit(".")) ||
	    folders_count(c->live_dir) + folders_count(c->snapshot_dir) + 2 > FOLDERS_MAX)
		return 0;
	return folders_add(&c->snapshot_dir, file, e);
}

int configure_snapshots(const struct firecracker *f, struct config *c, struct verr *e)
{
	if (c->snapshot_dir != NULL)
		return 0;
	if (add(c, c->restore, e) < 0 || add(c, firecracker_memory(f), e) < 0 ||
	    add(c, c->api_socket, e) < 0)
		return -1;
	for (size_t i = 0; i < c->drives.count; i++)
		if (!config_drives(c)[i].readonly && add(c, config_drives(c)[i].path, e) < 0)
			return -1;
	return 0;
}
