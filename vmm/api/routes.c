/* SPDX-License-Identifier: Apache-2.0 */
/* What there is to ask for, and the answers. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/api/conn.h"

static void own_json(json_t **json)
{
	json_decref(*json);
}

#define auto_json __attribute__((cleanup(own_json))) json_t

void reply_text(struct reply *reply, char *json)
{
	reply->status = json != NULL ? 200 : 503;
	reply->type = TYPE_JSON;
	reply->body = json;
	reply->len = json != NULL ? strlen(json) : 0;
}

void reply_json(struct reply *reply, int status, json_t *object)
{
	reply_text(reply, object != NULL ? json_dumps(object, JSON_COMPACT) : NULL);
	if (reply->body != NULL)
		reply->status = status;
	json_decref(object);
}

void reply_verr(struct reply *reply, int status, const struct verr *e)
{
	/* "%": a text that is not UTF-8, as a path may be, gives no string. */
	reply_json(reply, status, json_pack("{s:s%}", "fault_message", e->text, strlen(e->text)));
}

void reply_state(struct reply *reply, const struct api *api)
{
	reply_json(reply, 200,
		   json_pack("{s:s}", "state", machine_state_name(machine_state(api->machine))));
}

/* --- GET --- */

static void get_health(const struct call *call, struct reply *reply)
{
	(void)call;
	reply_json(reply, 200, json_pack("{s:s}", "status", "ok"));
}

static void get_state(const struct call *call, struct reply *reply)
{
	reply_state(reply, call->api);
}

static void get_config(const struct call *call, struct reply *reply)
{
	reply_text(reply, config_to_json(call->api->config));
}

static void get_metrics(const struct call *call, struct reply *reply)
{
	FILE *out = open_memstream(&reply->body, &reply->len);

	if (out == NULL) {
		reply_fault(reply, 503, "out of memory");
		return;
	}
	machine_write_prometheus(call->api->machine, out);
	(void)fclose(out);
	reply->status = 200;
	reply->type = TYPE_PROMETHEUS;
}

static void get_events(const struct call *call, struct reply *reply)
{
	(void)call;
	reply->status = 200;
	reply->type = TYPE_EVENTS;
	reply->stream = true;
}

/* --- PUT --- */

/* What an action came to. */
enum done { DONE, DONE_LATER, DONE_NOT };

static enum done act_start(struct api *api, struct verr *e)
{
	if (api_ask(api, API_WISH_START))
		return DONE_LATER;
	(void)verr_state(e, "the machine is %s, so it cannot be started",
			 machine_state_name(machine_state(api->machine)));
	return DONE_NOT;
}

static enum done act_pause(struct api *api, struct verr *e)
{
	return machine_pause(api->machine, e) < 0 ? DONE_NOT : DONE;
}

static enum done act_resume(struct api *api, struct verr *e)
{
	return machine_resume(api->machine, e) < 0 ? DONE_NOT : DONE;
}

/* Whoever waits for a start hears nothing. */
static enum done quit(struct api *api)
{
	api->wish = API_WISH_NOTHING;
	(void)api_ask(api, API_WISH_QUIT);
	return DONE;
}

/* There is nobody to ask yet. */
static enum done act_stop(struct api *api, struct verr *e)
{
	(void)e;
	if (api->machine == NULL)
		return quit(api);
	machine_stop(api->machine);
	return DONE;
}

void end_machine(struct api *api)
{
	if (api->machine == NULL)
		(void)quit(api);
	else
		machine_kill(api->machine);
}

static enum done act_kill(struct api *api, struct verr *e)
{
	(void)e;
	end_machine(api);
	return DONE;
}

static enum done act_release(struct api *api, struct verr *e)
{
	bool held = false;

	for (size_t i = 0; i < API_CONNECTIONS; i++) {
		held |= api->conns[i].holds;
		api->conns[i].holds = false;
	}
	if (held)
		return DONE;
	(void)verr_state(e, "nobody holds the machine (--hold-fd), or does any more");
	return DONE_NOT;
}

#define ACTIONS "start|pause|resume|stop|kill|release"

static const struct {
	const char *name;
	enum done (*act)(struct api *api, struct verr *e);
} actions[] = {
	{"start", act_start}, {"pause", act_pause}, {"resume", act_resume},
	{"stop", act_stop},   {"kill", act_kill},   {"release", act_release},
};

/* The one string of {"action": "pause"}; NULL: the reply says what is wrong. Borrowed from it. */
static const char *action_of(const json_t *body, const json_error_t *error, struct reply *reply)
{
	const char *key;
	json_t *value;

	if (body == NULL) {
		reply_fault(reply, 400, "the body is no JSON: %s", error->text);
		return NULL;
	}
	if (!json_is_object(body)) {
		reply_fault(reply, 400, "the body is not an object");
		return NULL;
	}
	json_object_foreach((json_t *)body, key, value) if (strcmp(key, "action") != 0)
	{
		reply_fault(reply, 400, "%s: unknown key; expected action", key);
		return NULL;
	}
	value = json_object_get(body, "action");
	if (!json_is_string(value)) {
		reply_fault(reply, 400, "action: expected " ACTIONS);
		return NULL;
	}
	return json_string_value(value);
}

static void put_state(const struct call *call, struct reply *reply)
{
	struct api *api = call->api;
	const struct http *request = call->request;
	json_error_t error = {.text = "it is empty"};
	auto_json *body = request->body == NULL ? NULL
						: json_loadb(request->body, request->body_len,
							     JSON_REJECT_DUPLICATES, &error);
	const char *name = action_of(body, &error, reply);
	struct verr e = VERR_INIT;

	if (name == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		if (strcmp(name, actions[i].name) != 0)
			continue;
		switch (actions[i].act(api, &e)) {
		case DONE:
			reply_state(reply, api);
			break;
		case DONE_LATER:
			reply->later = true;
			break;
		case DONE_NOT:
			reply_verr(reply, 409, &e);
			break;
		}
		return;
	}
	reply_fault(reply, 400, "action %s: expected " ACTIONS, name);
}

/* The name that lines of the log have, too: while no other thread can write any. */
static int change_id(struct api *api, char **id, struct verr *e)
{
	enum machine_state state = machine_state(api->machine);
	char *old = api->config->id;

	if (config_check_id(*id, e) < 0)
		return verr_note(e, "body");
	if (api->saving)
		return verr_state(e, "a snapshot of the machine is being made");
	if (state != MACHINE_PAUSED)
		return verr_state(e, "the machine is %s: its id changes only while it is paused",
				  machine_state_name(state));
	api->config->id = ptr_take(*id);
	log_rename(api->config->id);
	free(old);
	return 0;
}

/* What can change of a machine that has started, which is its id. */
static void change_live(const struct call *call, struct reply *reply)
{
	const struct http *request = call->request;
	const char *body = request->body != NULL ? request->body : "";
	struct verr e = VERR_INIT;
	struct config changed;

	config_init(&changed);
	if (config_parse_live(&changed, body, request->body_len, "body", &e) < 0 ||
	    (changed.id != NULL && change_id(call->api, &changed.id, &e) < 0))
		reply_verr(reply, e.kind == VERR_STATE ? 409 : 400, &e);
	else
		get_config(call, reply);
	config_deinit(&changed);
}

/*
 * The configuration from a body, in place of the one that there is, or on top of it; a fault leaves
 * it as it was. Rules between settings are checked at the start.
 */
static void change_config(const struct call *call, bool on_top, struct reply *reply)
{
	struct api *api = call->api;
	const struct http *request = call->request;
	struct config changed;
	struct verr e = VERR_INIT;

	if (api->machine != NULL && on_top) {
		change_live(call, reply);
		return;
	}
	if (api->machine != NULL) {
		reply_fault(reply, 409, "the machine is %s, so its configuration cannot change",
			    machine_state_name(machine_state(api->machine)));
		return;
	}
	config_init(&changed);
	if ((on_top && config_copy(&changed, api->config, &e) < 0) ||
	    config_parse_json(&changed, request->body != NULL ? request->body : "",
			      request->body_len, "body", &e) < 0) {
		config_deinit(&changed);
		reply_verr(reply, 400, &e);
		return;
	}
	config_deinit(api->config);
	*api->config = changed;
	get_config(call, reply);
}

static void put_config(const struct call *call, struct reply *reply)
{
	change_config(call, false, reply);
}

static void patch_config(const struct call *call, struct reply *reply)
{
	change_config(call, true, reply);
}

/* --- the table --- */

static const struct {
	const char *method, *path;
	route_fn *answer;
} routes[] = {
#define ENDPOINT(method, path, handler, ...) {#method, path, handler},
#include "vmm/config/api.def"
#undef ENDPOINT
};

/* Does the pattern, which may end in "{id}", mean this path? `*id` is what stands there. */
static bool means(const char *pattern, const char *path, const char **id)
{
	size_t len = strcspn(pattern, "{");

	*id = NULL;
	if (pattern[len] == '\0')
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, len) != 0 || path[len] == '\0')
		return false;
	*id = path + len;
	return true;
}

/* "GET, PUT"; false: there is no such path. */
static bool allowed(const char *path, char out[static ALLOW_LEN])
{
	const char *id;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (means(routes[i].path, path, &id))
			len += (size_t)snprintf(out + len, ALLOW_LEN - len, "%s%s",
						len > 0 ? ", " : "", routes[i].method);
	return len > 0;
}

void route(struct api *api, const struct http *request, struct reply *reply)
{
	const char *method = http_method(request);
	const char *id;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].method, method) != 0 ||
		    !means(routes[i].path, request->path, &id))
			continue;
		if (*method == 'G' && request->body != NULL)
			reply_fault(reply, 400, "a GET request has no body");
		else if (request->passed.count > 0 && routes[i].answer != patch_net)
			reply_fault(reply, 400,
				    "descriptors came with it: only PATCH /v1/vm/nets/ID takes "
				    "any");
		else
			routes[i].answer(&(struct call){api, request, id}, reply);
		return;
	}
	if (!allowed(request->path, reply->allow))
		reply_fault(reply, 404, "%s: there is no such path", request->path);
	else
		reply_fault(reply, 405, "%s %s: expected %s", method, request->path, reply->allow);
}

static void started(struct api *api, struct reply *reply)
{
	reply_state(reply, api);
}

const struct api_personality native_personality = {
	.server = "Volt",
	.body_max = HTTP_BODY_MAX,
	.takes_descriptors = true,
	.crowded = "{\"fault_message\":\"Too many open connections\"}\n",
	.route = route,
	.started = started,
};
