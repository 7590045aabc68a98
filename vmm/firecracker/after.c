/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked at any time, and what changes a machine that has started. */
#include <string.h>

#include "base/own.h"
#include "vmm/firecracker/priv.h"

/* --- GET --- */

static const char *state_name(const struct machine *machine)
{
	switch (machine_state(machine)) {
	case MACHINE_NOT_STARTED:
		return "Not started";
	case MACHINE_PAUSED:
		return "Paused";
	case MACHINE_RUNNING:
	case MACHINE_ENDED:
	default:
		return "Running";
	}
}

int fc_get_info(const struct request *r, struct verr *e)
{
	(void)e;
	reply_json(r->reply, 200,
		   json_pack("{s:s,s:s,s:s,s:s}", "app_name", "Firecracker", "id", r->f->id,
			     "state", state_name(api_machine(r->api)), "vmm_version",
			     FIRECRACKER_VERSION));
	return 0;
}

int fc_get_version(const struct request *r, struct verr *e)
{
	(void)e;
	reply_json(r->reply, 200, json_pack("{s:s}", "firecracker_version", FIRECRACKER_VERSION));
	return 0;
}

/* As it was put, or else as the command line or the defaults have it. */
static json_t *machine_config(const struct request *r)
{
	json_t *machine = json_object_get(r->f->resources, MACHINE_CONFIG);
	const struct config *c = api_config(r->api);

	if (machine != NULL)
		return json_incref(machine);
	machine = body_defaults(&body_machine_config);
	(void)json_object_set_new(machine, "vcpu_count", json_integer((json_int_t)c->cpus));
	(void)json_object_set_new(machine, "mem_size_mib",
				  json_integer((json_int_t)(c->memory >> 20)));
	(void)json_object_set_new(machine, "track_dirty_pages", json_boolean(c->track_dirty));
	(void)json_object_set_new(machine, "huge_pages",
				  json_string(c->huge_pages == MEM_HUGE_2M    ? "2M"
					      : c->huge_pages == MEM_HUGE_THP ? "Transparent"
									      : "None"));
	return machine;
}

int fc_get_machine(const struct request *r, struct verr *e)
{
	(void)e;
	reply_json(r->reply, 200, machine_config(r));
	return 0;
}

int fc_get_config(const struct request *r, struct verr *e)
{
	json_t *all = json_copy(r->f->resources);

	(void)e;
	(void)json_object_set_new(all, MACHINE_CONFIG, machine_config(r));
	reply_json(r->reply, 200, all);
	return 0;
}

/* --- actions --- */

static int start(const struct request *r, struct verr *e)
{
	if (!api_ask(r->api, API_WISH_START))
		return verr_state(
			e, "The requested operation is not supported after starting the microVM.");
	r->reply->later = true;
	return 0;
}

static int flush_metrics(const struct request *r, struct verr *e)
{
	const struct firecracker_process *p = &r->f->process;

	return p->flush_metrics != NULL ? p->flush_metrics(p->arg, e) : 0;
}

int fc_put_action(const struct request *r, struct verr *e)
{
	const char *action = body_text(r->body, "action_type");
	struct machine *machine = api_machine(r->api);

	if (strcmp(action, "InstanceStart") == 0)
		return start(r, e);
	if (machine == NULL)
		return verr_state(
			e, "The requested operation is not supported before starting the microVM.");
	if (strcmp(action, "FlushMetrics") == 0)
		return flush_metrics(r, e);
	machine_ctrl_alt_del(machine);
	return 0;
}

/* Who asks for what there is already has it. */
int fc_patch_vm(const struct request *r, struct verr *e)
{
	struct machine *machine = api_machine(r->api);
	bool pause = strcmp(body_text(r->body, "state"), "Paused") == 0;

	if (api_makes_snapshot(r->api))
		return verr_state(e, "a snapshot of the machine is being made");
	if (machine_state(machine) == (pause ? MACHINE_PAUSED : MACHINE_RUNNING))
		return 0;
	return pause ? machine_pause(machine, e) : machine_resume(machine, e);
}

/* --- disks and NICs --- */

/* What a request has changed of an object, in its description. */
static void update(const struct request *r, const char *list, const char *key)
{
	json_t *object = find_object(json_object_get(r->f->resources, list), key, r->id);

	if (object != NULL)
		(void)json_object_update(object, r->body);
}

static int change_drive(const struct request *r, struct drive_config *old,
			struct drive_config *changed, struct verr *e)
{
	const char *path = body_text(r->body, "path_on_host");

	if (object_copy(changed, old, &drive_class, e) < 0)
		return -1;
	limit_set(drive_limit(changed), json_object_get(r->body, "rate_limiter"));
	if (path != NULL) {
		free(changed->path);
		changed->path = strdup(path);
		if (changed->path == NULL)
			return verr_host(e, "out of memory");
		changed->private = false; /* of a snapshot: from here on it is the client's file */
	}
	return machine_change_drive(api_machine(r->api), old, changed, path != NULL, e);
}

int fc_patch_drive(const struct request *r, struct verr *e)
{
	struct config *c = api_config(r->api);
	struct drive_config *old = list_by_id(&c->drives, &drive_class, r->id);
	struct drive_config changed = {0};

	if (old == NULL)
		return verr_not_found(e, "Invalid block device ID: %s", r->id);
	if (change_drive(r, old, &changed, e) < 0) {
		object_deinit(&changed, drive_class.rows, drive_class.count);
		return verr_note(e, "Unable to patch the block device %s", r->id);
	}
	list_replace(&drive_class, old, &changed);
	update(r, DRIVES, "drive_id");
	return 0;
}

static int change_net(const struct request *r, struct net_config *old, struct net_config *changed,
		      struct verr *e)
{
	if (object_copy(changed, old, &net_class, e) < 0)
		return -1;
	limit_set(net_rx_limit(changed), json_object_get(r->body, "rx_rate_limiter"));
	limit_set(net_tx_limit(changed), json_object_get(r->body, "tx_rate_limiter"));
	return machine_change_net(api_machine(r->api), old, changed, NULL, 0, e);
}

int fc_patch_net(const struct request *r, struct verr *e)
{
	struct config *c = api_config(r->api);
	struct net_config *old = list_by_id(&c->nets, &net_class, r->id);
	struct net_config changed = {0};

	if (old == NULL)
		return verr_not_found(e, "Invalid network interface ID: %s", r->id);
	if (change_net(r, old, &changed, e) < 0) {
		object_deinit(&changed, net_class.rows, net_class.count);
		return verr_note(e, "Unable to patch the network interface %s", r->id);
	}
	list_replace(&net_class, old, &changed);
	update(r, NETS, "iface_id");
	return 0;
}
