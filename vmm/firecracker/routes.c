/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to what answers it: the table of endpoints, and the checks that are for all. */
#include <string.h>

#include "base/sys.h"
#include "vmm/firecracker/priv.h"

#define ID_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

#define BAD_BODY "An error occurred when deserializing the json body of a request"

struct endpoint {
	const char *method, *path;
	enum phase phase;
	const struct body *body;
	handler_fn *handle; /* NULL: Volt lacks it */
	const char *lacks;
};

static const struct endpoint endpoints[] = {
#define ENDPOINT(method, path, phase, body, reply, handler, summary) \
	{#method, path, PHASE_##phase, body, handler, NULL},
#define LACKING(method, path, phase, body, words, summary) \
	{#method, path, PHASE_##phase, body, NULL, words},
#include "vmm/firecracker/endpoints.def"
#undef ENDPOINT
#undef LACKING
};

/* Does the pattern, which may end in "{id}", mean this path? `*id` is what stands there. */
static bool means(const char *pattern, const char *path, const char **id)
{
	size_t len = strcspn(pattern, "{");

	*id = NULL;
	if (pattern[len] == '\0')
		return strcmp(pattern, path) == 0;
	if (strncmp(pattern, path, len) == 0)
		*id = path + len;
	else if (strlen(path) == len - 1 && strncmp(pattern, path, len - 1) == 0)
		*id = ""; /* without the slash, too, it is the id that is missing */
	return *id != NULL;
}

static const struct endpoint *find(const char *method, const char *path, const char **id)
{
	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
		if (strcmp(endpoints[i].method, method) == 0 && means(endpoints[i].path, path, id))
			return &endpoints[i];
	return NULL;
}

static int check_id(const char *id, struct verr *e)
{
	if (*id == '\0')
		return verr_invalid(e, "The ID cannot be empty.");
	if (id[strspn(id, ID_CHARS)] != '\0')
		return verr_invalid(e, "API Resource IDs can only contain alphanumeric characters "
				       "and underscores.");
	return 0;
}

static int check_phase(enum phase phase, bool started, struct verr *e)
{
	if (phase == PHASE_BEFORE && started)
		return verr_state(
			e, "The requested operation is not supported after starting the microVM.");
	if (phase == PHASE_AFTER && !started)
		return verr_state(
			e, "The requested operation is not supported before starting the microVM.");
	return 0;
}

/* Has it a field that will not be there for ever? */
static bool is_deprecated(const struct body *body, const json_t *object)
{
	for (size_t i = 0; body != NULL && i < body->count; i++)
		if (body->fields[i].deprecated &&
		    json_object_get(object, body->fields[i].key) != NULL)
			return true;
	return false;
}

/* Everything that a table can say of a request, then what only its handler knows. */
static int handle(const struct endpoint *at, const struct request *r, struct verr *e)
{
	const char *id;

	if (r->id != NULL && check_id(r->id, e) < 0)
		return -1;
	r->reply->deprecated = is_deprecated(at->body, r->body);
	if (r->body != NULL && body_check(at->body, r->body, e) < 0)
		return e->kind == VERR_STATE ? -1 : verr_note(e, BAD_BODY);
	if (at->body != NULL && at->body->partial && json_object_size(r->body) == 0)
		return verr_invalid(e, "Empty PATCH request.");
	id = at->body != NULL && at->body->id != NULL ? body_text(r->body, at->body->id) : NULL;
	if (id != NULL && r->id != NULL && strcmp(id, r->id) != 0)
		return verr_invalid(e, "The id from the path does not match the id from the body!");
	if (check_phase(at->phase, r->api != NULL && api_machine(r->api) != NULL, e) < 0)
		return -1;
	if (at->handle == NULL)
		return verr_state(e, "Volt does not have %s.", at->lacks);
	return at->handle(r, e);
}

/* What a method wants, whatever the path is. */
static int check_method(const char *method, bool has_body, bool needs_body, struct verr *e)
{
	if (strcmp(method, "GET") == 0 && has_body)
		return verr_invalid(e, "GET request cannot have a body.");
	if (has_body || !needs_body)
		return 0;
	if (strcmp(method, "PUT") == 0)
		return verr_invalid(e, "Empty PUT request.");
	if (strcmp(method, "PATCH") == 0)
		return verr_invalid(e, "Empty PATCH request.");
	return strcmp(method, "DELETE") == 0 ? verr_invalid(e, "Empty Delete request.") : 0;
}

static int parse_body(const struct http *request, json_t **out, struct verr *e)
{
	json_error_t error;

	*out = json_loadb(request->body, request->body_len, JSON_REJECT_DUPLICATES, &error);
	if (*out != NULL)
		return 0;
	return verr_invalid(e, BAD_BODY ": %s at line %d column %d.", error.text, error.line,
			    error.column);
}

/* `id` is what stands in the path for the endpoint's. */
static int answer(const struct endpoint *at, const char *id, struct api *api,
		  const struct http *request, struct reply *reply, struct verr *e)
{
	const char *method = http_method(request);
	auto_json *body = NULL;

	if (check_method(method, request->body != NULL, at == NULL || at->body != NULL, e) < 0)
		return -1;
	if (at == NULL)
		return verr_not_found(e, "Invalid request method and/or path: %s %s.", method,
				      request->path + strspn(request->path, "/"));
	if (at->body != NULL && request->body != NULL && parse_body(request, &body, e) < 0)
		return -1;
	return handle(at, &(struct request){api_arg(api), api, id, body, reply}, e);
}

static void route(struct api *api, const struct http *request, struct reply *reply)
{
	const struct firecracker *f = api_arg(api);
	const struct firecracker_process *process = &f->process;
	struct firecracker_done done = {.ns = sys_now_ns()};
	struct verr e = VERR_INIT;
	const char *id;
	const struct endpoint *at = find(http_method(request), request->path, &id);

	reply->status = 204; /* where the handler says nothing else */
	done.failed = answer(at, id, api, request, reply, &e) < 0;
	if (done.failed)
		reply_verr(reply, 400, &e);
	if (at == NULL || process->done == NULL)
		return;
	done.method = at->method;
	done.path = at->path;
	done.deprecated = reply->deprecated;
	done.ns = sys_now_ns() - done.ns;
	process->done(process->arg, &done);
}

int firecracker_put(struct firecracker *f, const char *path, const json_t *body, struct verr *e)
{
	struct reply reply = {0};
	const char *id;
	const struct endpoint *at = find("PUT", path, &id);
	auto_json *copy = json_deep_copy(body);

	if (at == NULL || at->body == NULL || at->phase != PHASE_BEFORE)
		return verr_not_found(e, "Invalid request method and/or path: PUT %s.",
				      path + strspn(path, "/"));
	if (copy == NULL)
		return verr_host(e, "out of memory");
	return handle(at, &(struct request){f, NULL, id, copy, &reply}, e);
}

/* The start has succeeded. */
static void started(struct api *api, struct reply *reply)
{
	(void)api;
	reply->status = 204;
}

/* What is no request is a bad one; only of the size of a body there is a code of its own. */
static int refusal(int status)
{
	return status == 413 ? 413 : 400;
}

int firecracker_new(const struct firecracker_options *options, struct firecracker **out,
		    struct verr *e)
{
	struct firecracker *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return verr_host(e, "out of memory");
	f->process = options->process;
	f->id = strdup(options->id != NULL ? options->id : FIRECRACKER_DEFAULT_ID);
	f->resources = json_pack("{s:[],s:[]}", DRIVES, NETS);
	f->personality = (struct api_personality){
		.server = "Firecracker API",
		.no_reasons = true,
		.body_max = options->body_max != 0 ? options->body_max : HTTP_BODY_MAX,
		.crowded = "{ \"error\": \"Too many open connections\" }",
		.route = route,
		.started = started,
		.refusal = refusal,
		.leaves_socket = true,
		.arg = f,
	};
	if (f->resources == NULL || f->id == NULL) {
		(void)firecracker_free(f);
		return verr_host(e, "out of memory");
	}
	*out = f;
	return 0;
}

struct firecracker *firecracker_free(struct firecracker *f)
{
	if (f != NULL) {
		json_decref(f->resources);
		json_decref(f->load);
		free(f->id);
		free(f);
	}
	return NULL;
}

const struct api_personality *firecracker_personality(const struct firecracker *f)
{
	return &f->personality;
}
