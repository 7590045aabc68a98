/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks, volumes and NICs, each by its id. Before the start they come and go; afterwards what is
 * live of them changes at once. A volume is among the disks then.
 */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/api/conn.h"

/* A kind of object. */
struct kind {
	const char *what;
	const struct list_class *class;
	size_t list; /* offsetof() in struct config */
	int (*apply)(struct machine *m, const void *old, void *changed, const struct http *r,
		     struct verr *e); /* NULL: there is none of this kind after the start */
};

static bool names(const struct http *r, const char *key)
{
	return r->body != NULL && json_has_key(r->body, r->body_len, key);
}

/* A path that the body repeats is one to be opened again. */
static int apply_drive(struct machine *m, const void *old, void *changed, const struct http *r,
		       struct verr *e)
{
	return machine_change_drive(m, old, changed, names(r, "path"), e);
}

/* Of what a TAP device's name is worth only its descriptors count here: none can be opened. */
static int apply_net(struct machine *m, const void *old, void *changed, const struct http *r,
		     struct verr *e)
{
	bool named = names(r, "tap");

	if (named && r->passed.count == 0)
		return verr_invalid(e,
				    "tap: its descriptors did not come with the request; expected "
				    "one for each pair of queues (SCM_RIGHTS)");
	if (!named && r->passed.count > 0)
		return verr_invalid(e, "descriptors came with it, and no key tap, which says of "
				       "what they are");
	return machine_change_net(m, old, changed, r->passed.fds, r->passed.count, e);
}

static const struct kind drives = {"drive", &drive_class, offsetof(struct config, drives),
				   apply_drive};
static const struct kind volumes = {"volume", &volume_class, offsetof(struct config, volumes),
				    NULL};
static const struct kind nets = {"net", &net_class, offsetof(struct config, nets), apply_net};

/* One request: about the object `id` (NULL: the list) of a kind. */
struct about {
	struct api *api;
	const struct kind *kind;
	const struct http *request;
	struct config_list *list;
	const char *id;
	void *object; /* NULL: there is none of this id */
};

typedef void answer_fn(const struct about *a, struct reply *reply);

static void get(const struct about *a, struct reply *reply)
{
	reply_text(reply, a->id == NULL ? list_to_json(a->list, a->kind->class)
					: object_to_json(a->object, a->kind->class));
}

/* Body into the object; it may repeat the id, but not contradict it. */
static int parse(const struct about *a, void *object, bool live, struct verr *e)
{
	const struct list_class *class = a->kind->class;
	const struct setting *row = list_find(class, "id", 2, false);
	const struct http *r = a->request;
	const char *body = r->body != NULL ? r->body : "", *id;

	if (object_parse_json(object, class, body, r->body_len, live, e) < 0)
		return -1;
	id = setting_text(object, row);
	if (id == NULL || a->id == NULL)
		return setting_set_text(object, row, a->id, e);
	if (strcmp(id, a->id) != 0)
		return verr_invalid(e, "body: id: %s: the path says %s", id, a->id);
	return 0;
}

/* Room for an object of any kind. */
union any_object {
	struct drive_config drive;
	struct volume_config volume;
	struct net_config net;
};

/* The whole object: a new one, or in place of the old one. */
static void put(const struct about *a, struct reply *reply)
{
	const struct list_class *class = a->kind->class;
	union any_object added;
	struct verr e = VERR_INIT;
	void *place = a->object;

	if (a->api->machine != NULL) {
		reply_fault(reply, 409, "%s %s: only PATCH is for a machine that has started",
			    a->kind->what, a->id);
		return;
	}
	memset(&added, 0, sizeof(added));
	object_init(&added, class->rows, class->count);
	if (parse(a, &added, false, &e) == 0 && place == NULL)
		place = list_add(a->list, class, &e);
	if (e.kind != VERR_NONE || place == NULL) {
		object_deinit(&added, class->rows, class->count);
		reply_verr(reply, 400, &e);
		return;
	}
	list_replace(class, place, &added);
	reply_text(reply, object_to_json(place, class));
}

/* In the machine that runs. */
static int apply(const struct about *a, void *changed, struct verr *e)
{
	if (a->kind->apply == NULL)
		return verr_state(e, "it is a disk once the machine has started");
	return a->kind->apply(a->api->machine, a->object, changed, a->request, e);
}

/* What the body names; all of it or nothing. */
static void patch(const struct about *a, struct reply *reply)
{
	const struct list_class *class = a->kind->class;
	union any_object changed;
	bool live = a->api->machine != NULL;
	struct verr e = VERR_INIT;

	memset(&changed, 0, sizeof(changed));
	if (object_copy(&changed, a->object, class, &e) < 0 || parse(a, &changed, live, &e) < 0 ||
	    (live && apply(a, &changed, &e) < 0)) {
		object_deinit(&changed, class->rows, class->count);
		reply_fault(reply, e.kind == VERR_STATE ? 409 : 400, "%s %s: %s", a->kind->what,
			    a->id, e.text);
		return;
	}
	list_replace(class, a->object, &changed);
	reply_text(reply, object_to_json(a->object, class));
}

static void delete (const struct about *a, struct reply *reply)
{
	if (a->api->machine != NULL) {
		reply_fault(reply, 409,
			    "%s %s: nothing can be taken out of a machine that has "
			    "started",
			    a->kind->what, a->id);
		return;
	}
	list_remove(a->list, a->kind->class, a->object);
	reply->status = 204;
}

static void answer(const struct call *call, const struct kind *kind, answer_fn *fn,
		   struct reply *reply)
{
	struct about a = {.api = call->api, .kind = kind, .request = call->request, .id = call->id};

	a.list = (struct config_list *)(void *)((char *)call->api->config + kind->list);
	if (a.id != NULL)
		a.object = list_by_id(a.list, kind->class, a.id);
	if (a.id != NULL && a.object == NULL && fn != put)
		reply_fault(reply, 404, "%s %s: there is none", kind->what, a.id);
	else
		fn(&a, reply);
}

#define HANDLER(name, kind, fn)                                 \
	void name(const struct call *call, struct reply *reply) \
	{                                                       \
		answer(call, &(kind), fn, reply);               \
	}

HANDLER(list_drives, drives, get)
HANDLER(get_drive, drives, get)
HANDLER(put_drive, drives, put)
HANDLER(patch_drive, drives, patch)
HANDLER(delete_drive, drives, delete)
HANDLER(list_volumes, volumes, get)
HANDLER(get_volume, volumes, get)
HANDLER(put_volume, volumes, put)
HANDLER(patch_volume, volumes, patch)
HANDLER(delete_volume, volumes, delete)
HANDLER(list_nets, nets, get)
HANDLER(get_net, nets, get)
HANDLER(put_net, nets, put)
HANDLER(patch_net, nets, patch)
HANDLER(delete_net, nets, delete)
