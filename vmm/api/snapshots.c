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
	char id[2 * SNAPSHOT_ID + 1];
	json_t *object;

	api->saving = false;
	if (fault != NULL) {
		reply_verr(&reply, status_of(fault), fault);
		conns_answer_snapshot(api, &reply);
		return;
	}
	for (size_t i = 0; i < SNAPSHOT_ID; i++)
		(void)snprintf(id + 2 * i, 3, "%02x", made->id[i]);
	object = json_pack("{s:s,s:s,s:I,s:I,s:I}", "id", id, "kind", made->diff ? "diff" : "full",
			   "memory", (json_int_t)made->memory, "while_held",
			   (json_int_t)made->while_held, "held_us", (json_int_t)made->held_us);
	reply_text(&reply, object != NULL ? json_dumps(object, JSON_COMPACT) : NULL);
	json_decref(object);
	conns_answer_snapshot(api, &reply);
}

/* What the body says, borrowed from `root`; a fault says what it should. */
static int read_wish(json_t *root, struct snapshot_wish *wish, struct verr *e)
{
	json_error_t error;
	int resume = 1;

	*wish = (struct snapshot_wish){.path = NULL};
	if (json_unpack_ex(root, &error, JSON_STRICT, "{s:s,s?s,s?b}", "path", &wish->path, "base",
			   &wish->base, "resume", &resume) < 0)
		return verr_invalid(e,
				    "body: %s; expected {\"path\": FOLDER, \"base\": FOLDER, "
				    "\"resume\": true or false}, the last two if need be",
				    error.text);
	wish->stay_paused = resume == 0;
	return 0;
}

void put_snapshot(const struct call *call, struct reply *reply)
{
	const struct http *request = call->request;
	struct api *api = call->api;
	struct snapshot_wish wish;
	struct verr e = VERR_INIT;
	json_t *root;

	if (api->machine == NULL) {
		reply_fault(reply, 409, "the machine is not started");
		return;
	}
	if (api->snapshots == NULL) {
		reply_fault(reply, 409,
			    "no snapshot can be made: expected --snapshot-dir DIR at the start, a "
			    "folder for them");
		return;
	}
	root = request->body == NULL
		       ? NULL
		       : json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (read_wish(root, &wish, &e) < 0 ||
	    snapshots_make(api->snapshots, &wish, on_made, api, &e) < 0)
		reply_verr(reply, status_of(&e), &e);
	else
		api->saving = reply->later = true;
	json_decref(root);
}
