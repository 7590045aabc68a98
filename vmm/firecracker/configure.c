/* SPDX-License-Identifier: Apache-2.0 */
/* From the resources that requests have put together to a machine's configuration. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/firecracker/bootargs.h"
#include "vmm/firecracker/priv.h"

/* --- limits --- */

#define RATE_MAX GIB(1024)
#define OPS_MAX 100000000

struct bucket_limit {
	uint64_t rate, burst, once;
};

/*
 * A bucket's size is what it holds, and what it is filled with in its time. What is more than we
 * can count is no limit that anybody could reach.
 */
static bool read_bucket(const json_t *bucket, uint64_t max, struct bucket_limit *out)
{
	uint64_t size = (uint64_t)body_int(bucket, "size", 0);
	uint64_t time_ms = (uint64_t)body_int(bucket, "refill_time", 0);
	__uint128_t a_second;

	if (bucket == NULL)
		return false;
	*out = (struct bucket_limit){.rate = 0};
	if (size == 0 || time_ms == 0)
		return true;
	a_second = (__uint128_t)size * 1000 / time_ms;
	out->rate = a_second > max ? max : (uint64_t)MAX(a_second, (__uint128_t)1);
	out->burst = MIN(size, max);
	out->once = MIN((uint64_t)body_int(bucket, "one_time_burst", 0), max);
	return true;
}

void limit_set(struct limit l, const json_t *limiter)
{
	struct bucket_limit b;

	if (read_bucket(json_object_get(limiter, "bandwidth"), RATE_MAX, &b)) {
		*l.rate = b.rate;
		*l.burst = b.burst;
		*l.burst_once = b.once;
	}
	if (read_bucket(json_object_get(limiter, "ops"), OPS_MAX, &b)) {
		*l.ops = (uint32_t)b.rate;
		*l.ops_burst = (uint32_t)b.burst;
		*l.ops_burst_once = (uint32_t)b.once;
	}
}

/* --- texts --- */

static int copy(const char *text, char **out, struct verr *e)
{
	free(*out);
	*out = text != NULL ? strdup(text) : NULL;
	return text != NULL && *out == NULL ? verr_host(e, "out of memory") : 0;
}

/* --- resources --- */

static int configure_machine(const json_t *machine, struct config *c)
{
	const char *pages = body_text(machine, "huge_pages");

	if (machine == NULL)
		return 0;
	c->cpus = (uint32_t)body_int(machine, "vcpu_count", 1);
	c->memory = MIB((uint64_t)body_int(machine, "mem_size_mib", 128));
	c->track_dirty = body_true(machine, "track_dirty_pages");
	c->huge_pages = strcmp(pages, "2M") == 0            ? MEM_HUGE_2M
			: strcmp(pages, "Transparent") == 0 ? MEM_HUGE_THP
							    : MEM_HUGE_OFF;
	return 0;
}

static int configure_boot(const json_t *boot, const json_t *root, struct config *c, struct verr *e)
{
	if (boot == NULL && c->kernel == NULL)
		return verr_state(e, "Cannot start microvm without kernel configuration.");
	if (boot == NULL)
		return 0;
	free(c->cmdline);
	c->cmdline = bootargs(body_text(boot, "boot_args"), root);
	if (c->cmdline == NULL)
		return verr_host(e, "out of memory");
	return copy(body_text(boot, "kernel_image_path"), &c->kernel, e) < 0 ||
			       copy(body_text(boot, "initrd_path"), &c->initrd, e) < 0
		       ? -1
		       : 0;
}

static int configure_drive(const json_t *drive, struct drive_config *d, struct verr *e)
{
	const char *engine = body_text(drive, "io_engine");

	d->root = body_true(drive, "is_root_device");
	d->readonly = body_true(drive, "is_read_only");
	d->cache = strcmp(body_text(drive, "cache_type"), "Writeback") == 0 ? DISK_CACHE_WRITEBACK
									    : DISK_CACHE_UNSAFE;
	if (engine != NULL)
		d->engine = strcmp(engine, "Async") == 0 ? DISK_ENGINE_IO_URING : DISK_ENGINE_SYNC;
	limit_set(drive_limit(d), json_object_get(drive, "rate_limiter"));
	return copy(body_text(drive, "drive_id"), &d->id, e) < 0 ||
			       copy(body_text(drive, "path_on_host"), &d->path, e) < 0
		       ? -1
		       : 0;
}

static int configure_net(const json_t *net, struct net_config *n, struct verr *e)
{
	n->mtu = (uint32_t)body_int(net, "mtu", 0);
	limit_set(net_rx_limit(n), json_object_get(net, "rx_rate_limiter"));
	limit_set(net_tx_limit(n), json_object_get(net, "tx_rate_limiter"));
	return copy(body_text(net, "iface_id"), &n->id, e) < 0 ||
			       copy(body_text(net, "host_dev_name"), &n->tap, e) < 0 ||
			       copy(body_text(net, "guest_mac"), &n->mac, e) < 0
		       ? -1
		       : 0;
}

static int configure_drives(const json_t *list, struct config *c, struct verr *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct drive_config *d = list_add(&c->drives, &drive_class, e);

		if (d == NULL || configure_drive(json_array_get(list, i), d, e) < 0)
			return -1;
	}
	return 0;
}

static int configure_nets(const json_t *list, struct config *c, struct verr *e)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct net_config *n = list_add(&c->nets, &net_class, e);

		if (n == NULL || configure_net(json_array_get(list, i), n, e) < 0)
			return -1;
	}
	return 0;
}

static int configure_serial(const json_t *serial, struct config *c, struct verr *e)
{
	const char *path = body_text(serial, "serial_out_path");

	if (path == NULL)
		return 0;
	free(c->console);
	if (asprintf(&c->console, "file=%s", path) >= 0)
		return 0;
	c->console = NULL;
	return verr_host(e, "out of memory");
}

/* --- where the process does not do it itself --- */

static uint32_t level_of(const char *level)
{
	switch (*level | 0x20) {
	case 'w':
		return LOG_WARN;
	case 'i':
		return LOG_INFO;
	case 'd':
	case 't':
		return LOG_DEBUG;
	default:
		return LOG_ERROR;
	}
}

static int configure_outputs(const struct firecracker *f, struct config *c, struct verr *e)
{
	const json_t *logger = json_object_get(f->resources, LOGGER);
	const json_t *metrics = json_object_get(f->resources, METRICS);

	if (logger != NULL && f->process.set_logger == NULL) {
		c->log_level = level_of(body_text(logger, "level"));
		if (copy(body_text(logger, "log_path"), &c->log_path, e) < 0)
			return -1;
	}
	if (metrics != NULL && f->process.set_metrics == NULL)
		return copy(body_text(metrics, "metrics_path"), &c->metrics_path, e);
	return 0;
}

/* --- folders of files that may come later --- */

static bool has_folder(const char *list, const char *folder)
{
	size_t len = strlen(folder);

	for (const char *at = list; at != NULL && *at != '\0';) {
		size_t n = strcspn(at, ":");

		if (n == len && strncmp(at, folder, n) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

bool same_folder(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

size_t folders_count(const char *list)
{
	size_t n = list != NULL;

	for (; list != NULL && (list = strchr(list, ':')) != NULL; list++)
		n++;
	return n;
}

static bool same_device_as_root(const struct stat *st)
{
	struct stat root;

	return stat("/", &root) == 0 && root.st_dev == st->st_dev;
}

/*
 * Is it one of the host's own, which is about more than this machine? The sandbox opens none of
 * these for a file that happens to be in it. A jail has none: its root is the machine's.
 */
bool folder_is_hosts(const char *folder)
{
	static const char *const hosts[] = {"/",     "/dev",     "/dev/mapper", "/dev/disk", "/etc",
					    "/home", "/root",    "/run",        "/usr",      "/var",
					    "/tmp",  "/var/tmp", "/var/lib",    "/opt",      "/srv",
					    "/mnt",  "/media",   "/boot"};
	const char *home = getenv("HOME");
	struct stat st, dev;

	if (access("/proc/self", F_OK) < 0)
		return false;
	if (stat(folder, &st) == 0 && stat("/dev", &dev) == 0 && st.st_dev == dev.st_dev &&
	    !same_device_as_root(&dev))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (same_folder(folder, hosts[i]))
			return true;
	return home != NULL && *home != '\0' && same_folder(folder, home);
}

static int add_folder(char **list, const char *folder, struct verr *e)
{
	char *longer;

	/* One that cannot be in the list is left out, as are later files in it. */
	if (strchr(folder, ':') != NULL || has_folder(*list, folder) ||
	    folders_count(*list) >= FOLDERS_MAX || folder_is_hosts(folder))
		return 0;
	if (asprintf(&longer, "%s%s%s", *list != NULL ? *list : "", *list != NULL ? ":" : "",
		     folder) < 0)
		return verr_host(e, "out of memory");
	free(*list);
	*list = longer;
	return 0;
}

/* The folder that a file is in, and any beside it that is named in the same way. */
int folders_add(char **list, const char *file, struct verr *e)
{
	char path[PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s", file);
	r = *path != '/' ? add_folder(list, ".", e) : 0;
	return r < 0 ? -1 : add_folder(list, dirname(path), e);
}

/*
 * PATCH /drives may name another file after the start: where the sandbox still has a way to. Those
 * are the folders of the disks' files, and where one of these is named from the working folder, any
 * in that.
 */
static int configure_folders(struct config *c, struct verr *e)
{
	const struct drive_config *d = config_drives(c);

	if (c->live_dir != NULL)
		return 0;
	for (size_t i = 0; i < c->drives.count; i++)
		if (d[i].path != NULL && folders_add(&c->live_dir, d[i].path, e) < 0)
			return -1;
	return 0;
}

static const json_t *root_of(const json_t *drives)
{
	for (size_t i = 0; i < json_array_size(drives); i++)
		if (body_true(json_array_get(drives, i), "is_root_device"))
			return json_array_get(drives, i);
	return NULL;
}

int firecracker_configure(const struct firecracker *f, struct config *c, struct verr *e)
{
	const json_t *all = f->resources, *drives = json_object_get(all, DRIVES);

	if (f->load != NULL)
		return configure_serial(json_object_get(all, SERIAL), c, e) < 0 ||
				       configure_outputs(f, c, e) < 0
			       ? -1
			       : configure_load(f, c, e);
	(void)configure_machine(json_object_get(all, MACHINE_CONFIG), c);
	if (configure_boot(json_object_get(all, BOOT_SOURCE), root_of(drives), c, e) < 0 ||
	    configure_drives(drives, c, e) < 0 ||
	    configure_nets(json_object_get(all, NETS), c, e) < 0 ||
	    configure_serial(json_object_get(all, SERIAL), c, e) < 0 ||
	    configure_outputs(f, c, e) < 0 || configure_folders(c, e) < 0 ||
	    configure_snapshots(f, c, e) < 0)
		return -1;
	c->rng = json_object_get(all, ENTROPY) != NULL;
	if (json_object_get(all, CPU_CONFIG) != NULL) {
		free(c->cpuid);
		if (cpu_changes(json_object_get(all, CPU_CONFIG), &c->cpuid, e) < 0)
			return -1;
	}
	return copy("none", &c->init, e);
}
