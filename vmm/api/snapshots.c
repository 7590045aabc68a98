/* SPDX-License-Identifier: Apache-2.0 */
/* The request for a snapshot. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "vmm/api/conn.h"
#include "vmm/snapshot/snapshot.h"

int status_of(const struct verr *e)
{
	switch (e->kind) {
	case VERR_INVALID:
		return 400;
	case VERR_NOT_FOUND:
		return 404;
	case VERR_STATE:
		return 409;
	case VERR_CORRUPT:
		return 422;
	case VERR_NONE:
	case VERR_HOST:
		break;
	}
	return 500;
}

static void on_made(void *arg, const struct snapshot_made *made, const struct verr *fault)
{
	struct reply reply = {.status = 200};
	struct api *api = arg;

	api->saving = false;
	api->answer(&reply, made, fault);
	conns_answer_snapshot(api, &reply);
}

static void answer(struct reply *reply, const struct snapshot_made *made, const struct verr *fault)
{
	char id[2 * SNAPSHOT_ID + 1];
	json_t *object;

	if (fault != NULL) {
		reply_verr(reply, status_of(fault), fault);
		return;
	}
	for (size_t i = 0; i < SNAPSHOT_ID; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", made->id[i]);
	object = json_pack("{s:s,s:s,s:I,s:I,s:I}", "id", id, "kind", made->diff ? "diff" : "full",
			   "memory", (json_int_t)made->memory, "while_held",
			   (json_int_t)made->while_held, "held_us", (json_int_t)made->held_us);
	reply_text(reply, object != NULL ? json_dumps(object, JSON_COMPACT) : NULL);
	json_decref(object);
}

/* What the body says, borrowed from `root`; a fault says what it should. */
static int read_wish(json_t *root, struct snapshot_wish *wish, struct verr *e)
{
	const char *key;
	json_t *value;

	*wish = (struct snapshot_wish){.path = NULL};
	if (!json_is_object(root))
		return verr_invalid(e, "the body is not an object in JSON");
	json_object_foreach(root, key, value)
	{
		bool resume = strcmp(key, "resume") == 0;

		if (!resume && strcmp(key, "path") != 0 && strcmp(key, "base") != 0)
			return verr_invalid(e, "%s: unknown key; expected path, base or resume",
					    key);
		if (resume ? !json_is_boolean(value) : !json_is_string(value))
			return verr_invalid(e, "%s: expected %s", key,
					    resume ? "true or false" : "a string");
	}
	wish->path = json_string_value(json_object_get(root, "path"));
	wish->base = json_string_value(json_object_get(root, "base"));
	wish->stay_paused = json_is_false(json_object_get(root, "resume"));
	return wish->path != NULL ? 0 : verr_invalid(e, "path: missing; expected a folder");
}

/* A machine that can make snapshots. */
static int check_there(const struct api *api, struct verr *e)
{
	if (api->machine == NULL)
		return verr_state(e, "the machine is not started");
	if (api->snapshots == NULL)
		return verr_state(
			e, "no snapshot can be made: expected --snapshot-dir DIR at the start, a "
			   "folder for them");
	return 0;
}

int api_make_snapshot(struct api *api, const struct snapshot_wish *wish,
		      snapshot_answer_fn *answer_with, struct reply *reply, struct verr *e)
{
	if (check_there(api, e) < 0 || snapshots_make(api->snapshots, wish, on_made, api, e) < 0)
		return -1;
	api->answer = answer_with;
	api->saving = reply->later = true;
	return 0;
}

bool api_makes_snapshot(const struct api *api)
{
	return api->saving;
}

void put_snapshot(const struct call *call, struct reply *reply)
{
	const struct http *request = call->request;
	struct api *api = call->api;
	struct snapshot_wish wish;
	struct verr e = VERR_INIT;
	json_t *root;

	root = request->body == NULL
		       ? NULL
		       : json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (read_wish(root, &wish, &e) < 0 || api_make_snapshot(api, &wish, answer, reply, &e) < 0)
		reply_verr(reply, status_of(&e), &e);
	json_decref(root);
}
