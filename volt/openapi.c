/* SPDX-License-Identifier: Apache-2.0 */
/* volt openapi: the API's description (OpenAPI 3.0), from the rows of endpoints and settings. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "version.h"
#include "vmm/config/config.h"
#include "volt/api.h"
#include "volt/openapi.h"

#define JSON_BODY "application/json"

json_t *openapi_reference(const char *schema)
{
	return json_pack("{s:s+}", "$ref", "#/components/schemas/", schema);
}

/* --- settings --- */

static void add_choices(json_t *schema, const struct setting *s)
{
	json_t *choices = json_array();
	char text[64];

	for (uint64_t i = 0; setting_choice(s, i, text, sizeof(text)); i++)
		(void)json_array_append_new(choices, json_string(text));
	(void)json_object_set_new(schema, "enum", choices);
	if (setting_choice(s, s->number_default, text, sizeof(text)))
		(void)json_object_set_new(schema, "default", json_string(text));
}

static json_t *schema_of_class(const struct list_class *class);

static json_t *schema_of(const struct setting *s)
{
	json_t *schema = json_pack("{s:s}", "description", s->help);
	char text[32];

	switch (s->type) {
	case SETTING_SIZE:
		setting_format_size(s->number_default, text, sizeof(text));
		(void)json_object_update_new(
			schema, json_pack("{s:[{s:s,s:I,s:I},{s:s}],s:s}", "oneOf", "type",
					  "integer", "minimum", (json_int_t)s->min, "maximum",
					  (json_int_t)s->max, "type", "string", "default", text));
		break;
	case SETTING_U32:
		(void)json_object_update_new(
			schema, json_pack("{s:s,s:I,s:I,s:I}", "type", "integer", "minimum",
					  (json_int_t)s->min, "maximum", (json_int_t)s->max,
					  "default", (json_int_t)s->number_default));
		break;
	case SETTING_BOOL:
	case SETTING_FLAG:
		(void)json_object_update_new(schema, json_pack("{s:s,s:b}", "type", "boolean",
							       "default", s->number_default != 0));
		break;
	case SETTING_ENUM:
		(void)json_object_set_new(schema, "type", json_string("string"));
		add_choices(schema, s);
		break;
	case SETTING_LIST:
		(void)json_object_update_new(schema, json_pack("{s:s,s:o}", "type", "array",
							       "items", schema_of_class(s->list)));
		break;
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
		(void)json_object_set_new(schema, "type", json_string("string"));
		if (s->text_default != NULL)
			(void)json_object_set_new(schema, "default", json_string(s->text_default));
		break;
	}
	return schema;
}

static json_t *schema_of_rows(const struct setting *rows, size_t count)
{
	json_t *properties = json_object();

	for (size_t i = 0; i < count; i++)
		if (rows[i].phase != SETTING_NONE)
			(void)json_object_set_new(properties, rows[i].key, schema_of(&rows[i]));
	return json_pack("{s:s,s:o,s:b}", "type", "object", "properties", properties,
			 "additionalProperties", false);
}

/* A list's objects have schemas of their own. */
static json_t *schema_of_class(const struct list_class *class)
{
	return openapi_reference(class == &drive_class    ? "Drive"
				 : class == &volume_class ? "Volume"
							  : "Net");
}

static json_t *schema_of_config(void)
{
	json_t *schema = schema_of_rows(settings, settings_count);

	(void)json_object_set_new(
		json_object_get(schema, "properties"), "workload",
		json_pack("{s:s,s:s,s:{s:s}}", "description",
			  "a command that volt-init runs in the guest, and its arguments", "type",
			  "array", "items", "type", "string"));
	return schema;
}

static json_t *schema_of_texts(const char *key, const char *const choices[], size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(list, json_string(choices[i]));
	return json_pack("{s:s,s:{s:{s:s,s:o}},s:[s],s:b}", "type", "object", "properties", key,
			 "type", "string", "enum", list, "required", key, "additionalProperties",
			 false);
}

static json_t *schema_of_snapshot(void)
{
	return json_pack(
		"{s:s,s:{s:{s:s,s:s},s:{s:s,s:s},s:{s:s,s:b,s:s}},s:[s],s:b}", "type", "object",
		"properties", "path", "type", "string", "description",
		"the folder that it becomes: a new one, beneath one of --snapshot-dir", "base",
		"type", "string", "description",
		"the machine's last snapshot, or the one that it was restored from: only what has "
		"changed since is in the new one, which needs it; needs --track-dirty on",
		"resume", "type", "boolean", "default", true, "description",
		"false: the machine stays paused at the instant of the snapshot", "required",
		"path", "additionalProperties", false);
}

static json_t *schema_of_made(void)
{
	static const char *const numbers[][2] = {
		{"memory", "bytes of memory that were written"},
		{"while_held", "of those, while the machine stood still"},
		{"held_us", "for how many microseconds it did"},
	};
	json_t *properties = json_pack("{s:{s:s,s:s},s:{s:s,s:[s,s]}}", "id", "type", "string",
				       "description", "32 hexadecimal digits", "kind", "type",
				       "string", "enum", "full", "diff");

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		(void)json_object_set_new(
			properties, numbers[i][0],
			json_pack("{s:s,s:s}", "type", "integer", "description", numbers[i][1]));
	return json_pack("{s:s,s:o}", "type", "object", "properties", properties);
}

static json_t *schemas(void)
{
	static const char *const states[] = {"not-started", "running", "paused", "ended"};
	static const char *const actions[] = {"start", "pause", "resume",
					      "stop",  "kill",  "release"};
	static const char *const healths[] = {"ok"};

	return json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:{s:s,s:{s:{s:s}},s:[s]}}", "Config",
		schema_of_config(), "Drive", schema_of_rows(drive_class.rows, drive_class.count),
		"Volume", schema_of_rows(volume_class.rows, volume_class.count), "Net",
		schema_of_rows(net_class.rows, net_class.count), "State",
		schema_of_texts("state", states, ARRAY_LEN(states)), "Action",
		schema_of_texts("action", actions, ARRAY_LEN(actions)), "Health",
		schema_of_texts("status", healths, ARRAY_LEN(healths)), "Snapshot",
		schema_of_snapshot(), "SnapshotMade", schema_of_made(), "Fault", "type", "object",
		"properties", "fault_message", "type", "string", "required", "fault_message");
}

/* --- endpoints --- */

/* What bodies there are: the type, the schema's name, and whether it is a list of them. */
enum body {
	NONE,
	NOTHING,
	HEALTH,
	CONFIG,
	STATE,
	ACTION,
	SNAPSHOT,
	SNAPSHOT_MADE,
	DRIVE,
	DRIVES,
	VOLUME,
	VOLUMES,
	NET,
	NETS,
	METRICS,
	EVENTS
};

static const struct {
	const char *type, *schema;
	bool list;
} bodies[] = {
	[HEALTH] = {JSON_BODY, "Health", false},
	[CONFIG] = {JSON_BODY, "Config", false},
	[STATE] = {JSON_BODY, "State", false},
	[ACTION] = {JSON_BODY, "Action", false},
	[SNAPSHOT] = {JSON_BODY, "Snapshot", false},
	[SNAPSHOT_MADE] = {JSON_BODY, "SnapshotMade", false},
	[DRIVE] = {JSON_BODY, "Drive", false},
	[DRIVES] = {JSON_BODY, "Drive", true},
	[VOLUME] = {JSON_BODY, "Volume", false},
	[VOLUMES] = {JSON_BODY, "Volume", true},
	[NET] = {JSON_BODY, "Net", false},
	[NETS] = {JSON_BODY, "Net", true},
	[METRICS] = {"text/plain", NULL, false},
	[EVENTS] = {"application/x-ndjson", NULL, false},
};

static json_t *content_of(enum body body)
{
	json_t *schema = bodies[body].schema == NULL ? json_pack("{s:s}", "type", "string")
						     : openapi_reference(bodies[body].schema);

	if (bodies[body].list)
		schema = json_pack("{s:s,s:o}", "type", "array", "items", schema);
	return json_pack("{s:{s:o}}", bodies[body].type, "schema", schema);
}

static json_t *replies_of(enum body reply)
{
	json_t *fault = json_pack(
		"{s:s,s:o}", "description", "It cannot be done; the message says why", "content",
		json_pack("{s:{s:o}}", JSON_BODY, "schema", openapi_reference("Fault")));

	if (reply == NOTHING)
		return json_pack("{s:{s:s},s:o}", "204", "description", "Done", "default", fault);
	return json_pack("{s:{s:s,s:o},s:o}", "200", "description", "Done", "content",
			 content_of(reply), "default", fault);
}

void openapi_add(json_t *paths, const char *method, const char *path, json_t *operation)
{
	json_t *at = json_object_get(paths, path);
	char lower[16];
	size_t i;

	if (at == NULL) {
		at = json_object();
		(void)json_object_set_new(paths, path, at);
		if (strstr(path, "{id}") != NULL)
			(void)json_object_set_new(at, "parameters",
						  json_pack("[{s:s,s:s,s:b,s:{s:s}}]", "name", "id",
							    "in", "path", "required", true,
							    "schema", "type", "string"));
	}
	for (i = 0; method[i] != '\0' && i + 1 < sizeof(lower); i++)
		lower[i] = (char)(method[i] | 0x20);
	lower[i] = '\0';
	(void)json_object_set_new(at, lower, operation);
}

static void add_endpoint(json_t *paths, const char *method, const char *path, enum body body,
			 enum body reply, const char *summary)
{
	json_t *operation =
		json_pack("{s:s,s:o}", "summary", summary, "responses", replies_of(reply));

	if (body != NONE)
		(void)json_object_set_new(
			operation, "requestBody",
			json_pack("{s:b,s:o}", "required", true, "content", content_of(body)));
	openapi_add(paths, method, path, operation);
}

static json_t *paths(void)
{
	json_t *all = json_object();

#define ENDPOINT(method, path, handler, body, reply, summary) \
	add_endpoint(all, #method, path, body, reply, summary);
#include "vmm/config/api.def"
#undef ENDPOINT
	return all;
}

static json_t *native(void)
{
	return json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:{s:o}}", "openapi", "3.0.3", "info", "title",
			 "volt-vmm", "version", VOLT_VERSION, "description",
			 "HTTP on the Unix socket of --api-socket; see docs/api.md", "paths",
			 paths(), "components", "schemas", schemas());
}

enum { PERSONALITY };

static int run(const struct verb_args *args, struct verr *e)
{
	const char *personality = args->options[PERSONALITY];
	bool firecracker = personality != NULL && strcmp(personality, "firecracker") == 0;
	auto_free char *text = NULL;
	json_t *root;

	if (personality != NULL && !firecracker && strcmp(personality, "volt") != 0)
		return verr_invalid(e, "--personality %s: expected volt or firecracker",
				    personality);
	root = firecracker ? openapi_firecracker() : native();
	text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (text == NULL)
		return verr_host(e, "out of memory");
	puts(text);
	return STATUS_OK;
}

static const struct verb_option options[] = {
	[PERSONALITY] = {"personality", 0, "volt|firecracker", "whose API it is [volt]"},
};

const struct verb openapi_verb = {
	.name = "openapi",
	.summary = "print the description of volt-vmm's API (OpenAPI 3.0)",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
