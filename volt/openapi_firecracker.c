/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firecracker's API as Volt has it, described (OpenAPI 3.0) from the tables of vmm/firecracker/.
 * What OpenAPI has no words for is in keys that begin with "x-volt-": the phase of a request, what
 * Volt has not, and what of a field's values it has.
 */
#include <string.h>

#include "base/compiler.h"
#include "version.h"
#include "vmm/firecracker/tables.h"
#include "volt/openapi.h"

static json_t *choices_of(const char *choices)
{
	json_t *list = json_array();
	size_t n;

	for (const char *at = choices; *at != '\0'; at += n + (at[n] == '|')) {
		n = strcspn(at, "|");
		(void)json_array_append_new(list, json_stringn(at, n));
	}
	return list;
}

static json_t *type_of(const struct field *f)
{
	switch (f->type) {
	case FIELD_TEXT:
		return json_pack("{s:s}", "type", "string");
	case FIELD_PATH:
		return json_pack("{s:s,s:s,s:i}", "type", "string", "format", "path", "minLength",
				 1);
	case FIELD_INT:
		return json_pack("{s:s,s:I,s:I}", "type", "integer", "minimum", (json_int_t)f->min,
				 "maximum", (json_int_t)f->max);
	case FIELD_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FIELD_CHOICE:
		return json_pack("{s:s,s:o}", "type", "string", "enum", choices_of(f->choices));
	case FIELD_OBJECT:
		return openapi_reference(f->body->name);
	case FIELD_LIST:
		return json_pack("{s:s,s:o}", "type", "array", "items",
				 openapi_reference(f->body->name));
	case FIELD_TEXTS:
		return json_pack("{s:s,s:{s:s}}", "type", "array", "items", "type", "string");
	case FIELD_MAP:
		return json_pack("{s:s,s:{s:s}}", "type", "object", "additionalProperties", "type",
				 "string");
	case FIELD_ANY:
		return json_object();
	}
	return NULL;
}

static json_t *property_of(const struct field *f, bool partial)
{
	bool initial = f->initial != NULL && !partial;
	json_t *property = type_of(f);

	/* Beside a reference nothing else may stand. */
	if ((f->lacks != NULL || initial) && f->type == FIELD_OBJECT)
		property = json_pack("{s:[o]}", "allOf", property);
	if (initial)
		(void)json_object_set_new(property, "default",
					  json_loads(f->initial, JSON_DECODE_ANY, NULL));
	if (f->deprecated)
		(void)json_object_set_new(property, "deprecated", json_true());
	if (f->lacks == NULL)
		return property;
	(void)json_object_set_new(property, "x-volt-lacks", json_string(f->lacks));
	if (*f->takes != '\0')
		(void)json_object_set_new(property, "x-volt-takes",
					  json_loads(f->takes, JSON_DECODE_ANY, NULL));
	return property;
}

static json_t *schema_of(const struct body *body)
{
	json_t *properties = json_object(), *required = json_array();
	json_t *schema = json_pack("{s:s,s:s,s:o}", "type", "object", "description", body->help,
				   "properties", properties);

	for (size_t i = 0; i < body->count; i++) {
		(void)json_object_set_new(properties, body->fields[i].key,
					  property_of(&body->fields[i], body->partial));
		if (body->fields[i].required)
			(void)json_array_append_new(required, json_string(body->fields[i].key));
	}
	/* OpenAPI wants no empty list. */
	if (json_array_size(required) > 0)
		(void)json_object_set(schema, "required", required);
	json_decref(required);
	if (body->partial)
		(void)json_object_set_new(schema, "minProperties", json_integer(1));
	(void)json_object_set_new(schema, "additionalProperties", json_boolean(body->open));
	if (body->id != NULL)
		(void)json_object_set_new(schema, "x-volt-id", json_string(body->id));
	return schema;
}

static json_t *schemas(void)
{
	json_t *all =
		json_pack("{s:{s:s,s:{s:{s:s}},s:[s]}}", "Error", "type", "object", "properties",
			  "fault_message", "type", "string", "required", "fault_message");

	for (size_t i = 0; bodies[i] != NULL; i++)
		(void)json_object_set_new(all, bodies[i]->name, schema_of(bodies[i]));
	return all;
}

static json_t *content_of(const char *schema)
{
	return json_pack("{s:{s:o}}", "application/json", "schema", openapi_reference(schema));
}

static json_t *responses_of(const struct body *reply, bool lacks)
{
	json_t *all = json_pack("{s:{s:s,s:o}}", "400", "description",
				"It cannot be done; the message says why", "content",
				content_of("Error"));

	if (lacks)
		return all;
	if (reply != NULL)
		(void)json_object_set_new(all, "200",
					  json_pack("{s:s,s:o}", "description", "Done", "content",
						    content_of(reply->name)));
	else
		(void)json_object_set_new(all, "204", json_pack("{s:s}", "description", "Done"));
	return all;
}

struct endpoint {
	const char *method, *path, *phase, *lacks, *summary;
	const struct body *body, *reply;
};

static void add(json_t *paths, const struct endpoint *at)
{
	json_t *operation =
		json_pack("{s:s,s:s,s:o}", "summary", at->summary, "x-volt-phase", at->phase,
			  "responses", responses_of(at->reply, at->lacks != NULL));

	if (at->lacks != NULL)
		(void)json_object_set_new(operation, "x-volt-lacks", json_string(at->lacks));
	if (at->body != NULL)
		(void)json_object_set_new(operation, "requestBody",
					  json_pack("{s:b,s:o}", "required", true, "content",
						    content_of(at->body->name)));
	openapi_add(paths, at->method, at->path, operation);
}

static json_t *paths(void)
{
	static const struct endpoint endpoints[] = {
#define ENDPOINT(method, path, phase, body, reply, handler, summary) \
	{#method, path, #phase, NULL, summary, body, reply},
#define LACKING(method, path, phase, body, words, summary) \
	{#method, path, #phase, words, summary, body, NULL},
#include "vmm/firecracker/endpoints.def"
#undef ENDPOINT
#undef LACKING
	};
	json_t *all = json_object();

	for (size_t i = 0; i < ARRAY_LEN(endpoints); i++)
		add(all, &endpoints[i]);
	return all;
}

json_t *openapi_firecracker(void)
{
	return json_pack("{s:s,s:{s:s,s:s,s:s},s:o,s:{s:o}}", "openapi", "3.0.3", "info", "title",
			 "volt-vmm --personality firecracker", "version", VOLT_VERSION,
			 "description", "Firecracker's API as Volt has it; see docs/firecracker.md",
			 "paths", paths(), "components", "schemas", schemas());
}
