/* SPDX-License-Identifier: Apache-2.0 */
/* What is put together before the start: each resource is kept as it was put. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/config/mac.h"
#include "vmm/firecracker/priv.h"

static int keep(const struct request *r, const char *key)
{
	return json_object_set(r->f->resources, key, r->body);
}

static int keep_or_fail(const struct request *r, const char *key, struct verr *e)
{
	return keep(r, key) < 0 ? verr_host(e, "out of memory") : 0;
}

/* A file that will be opened at the start: its absence is told now, when it was named. */
static int check_file(const char *what, const char *path, int mode, struct verr *e)
{
	if (path == NULL || access(path, mode) == 0)
		return 0;
	return verr_invalid_os(e, "%s cannot be opened: %s", what, path);
}

static int check_machine(const json_t *machine, struct verr *e)
{
	const char *pages = body_text(machine, "huge_pages");

	if (strcmp(pages, "2M") == 0 && body_int(machine, "mem_size_mib", 0) % 2 != 0)
		return verr_invalid(
			e, "mem_size_mib: expected a multiple of 2 with huge_pages \"2M\"");
	return 0;
}

int fc_put_machine(const struct request *r, struct verr *e)
{
	return check_machine(r->body, e) < 0 ? -1 : keep_or_fail(r, MACHINE_CONFIG, e);
}

int fc_patch_machine(const struct request *r, struct verr *e)
{
	json_t *old = json_object_get(r->f->resources, MACHINE_CONFIG);
	auto_json *changed = old != NULL ? json_copy(old) : body_defaults(&body_machine_config);

	if (changed == NULL || json_object_update(changed, r->body) < 0)
		return verr_host(e, "out of memory");
	if (check_machine(changed, e) < 0)
		return -1;
	return json_object_set(r->f->resources, MACHINE_CONFIG, changed) < 0
		       ? verr_host(e, "out of memory")
		       : 0;
}

int fc_put_cpu(const struct request *r, struct verr *e)
{
	auto_free char *text = NULL;

	if (cpu_changes(r->body, &text, e) < 0)
		return -1;
	return keep_or_fail(r, CPU_CONFIG, e);
}

int fc_put_boot_source(const struct request *r, struct verr *e)
{
	if (check_file("The kernel file", body_text(r->body, "kernel_image_path"), R_OK, e) < 0 ||
	    check_file("The initrd file", body_text(r->body, "initrd_path"), R_OK, e) < 0)
		return -1;
	return keep_or_fail(r, BOOT_SOURCE, e);
}

json_t *find_object(const json_t *list, const char *key, const char *id)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *object = json_array_get(list, i);

		if (strcmp(body_text(object, key), id) == 0)
			return object;
	}
	return NULL;
}

/* In place of the one with this id, or at the end. */
static int keep_object(const struct request *r, const char *key, const char *id, struct verr *e)
{
	json_t *list = json_object_get(r->f->resources, key);

	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(body_text(json_array_get(list, i), id), r->id) == 0)
			return json_array_set(list, i, r->body) < 0 ? verr_host(e, "out of memory")
								    : 0;
	return json_array_append(list, r->body) < 0 ? verr_host(e, "out of memory") : 0;
}

static int check_root(const struct request *r, struct verr *e)
{
	const json_t *list = json_object_get(r->f->resources, DRIVES);

	for (size_t i = 0; body_true(r->body, "is_root_device") && i < json_array_size(list); i++) {
		const json_t *other = json_array_get(list, i);

		if (body_true(other, "is_root_device") &&
		    strcmp(body_text(other, "drive_id"), r->id) != 0)
			return verr_invalid(e, "A root block device already exists!");
	}
	return 0;
}

int fc_put_drive(const struct request *r, struct verr *e)
{
	const char *path = body_text(r->body, "path_on_host");
	int mode = body_true(r->body, "is_read_only") ? R_OK : R_OK | W_OK;

	if (path == NULL)
		return verr_invalid(e, "missing field `path_on_host`");
	if (check_root(r, e) < 0 || check_file("The disk's file", path, mode, e) < 0)
		return -1;
	return keep_object(r, DRIVES, "drive_id", e);
}

int fc_put_net(const struct request *r, struct verr *e)
{
	const char *mac = body_text(r->body, "guest_mac");
	uint8_t bytes[MAC_LEN];

	if (mac != NULL && !mac_parse(mac, bytes))
		return verr_invalid(e, "guest_mac: expected six bytes such as 02:00:00:00:00:01");
	return keep_object(r, NETS, "iface_id", e);
}

int fc_put_entropy(const struct request *r, struct verr *e)
{
	return keep_or_fail(r, ENTROPY, e);
}

int fc_put_serial(const struct request *r, struct verr *e)
{
	return keep_or_fail(r, SERIAL, e);
}

int fc_put_logger(const struct request *r, struct verr *e)
{
	const struct firecracker_process *p = &r->f->process;
	const struct firecracker_logger logger = {
		.path = body_text(r->body, "log_path"),
		.level = body_text(r->body, "level"),
		.module = body_text(r->body, "module"),
		.show_level = body_true(r->body, "show_level"),
		.show_origin = body_true(r->body, "show_log_origin"),
	};

	if (p->set_logger != NULL && p->set_logger(p->arg, &logger, e) < 0)
		return -1;
	return keep_or_fail(r, LOGGER, e);
}

int fc_put_metrics(const struct request *r, struct verr *e)
{
	const struct firecracker_process *p = &r->f->process;
	const struct firecracker_metrics metrics = {
		.path = body_text(r->body, "metrics_path"),
		.emit_id = body_true(r->body, "emit_id"),
		.properties = json_object_get(r->body, "properties"),
	};

	if (json_object_get(r->f->resources, METRICS) != NULL)
		return verr_state(e, "The metrics system is already initialized.");
	if (p->set_metrics != NULL && p->set_metrics(p->arg, &metrics, e) < 0)
		return -1;
	return keep_or_fail(r, METRICS, e);
}
