/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/pool/request.h"

#include <string.h>

#include "base/compiler.h"
#include "base/passed.h"

static const struct {
	const char *name;
	enum request_kind kind;
} kinds[] = {
	{"claim", REQUEST_CLAIM},
	{"keep", REQUEST_KEEP},
	{"status", REQUEST_STATUS},
	{"stop", REQUEST_STOP},
};

/* Characters that need no escape in a path of the API: an id of any machine has no others. */
static int check_id(const json_t *id, const char *more, size_t most, struct verr *e)
{
	const char *text = json_string_value(id);
	size_t len = json_string_length(id), i = 0;

	while (text != NULL && i < len &&
	       ((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z') ||
		(text[i] >= '0' && text[i] <= '9') || (text[i] != '\0' && strchr(more, text[i]))))
		i++;
	if (text == NULL || i < len || len < 1 || len > most)
		return verr_invalid(e, "id: expected a string of 1 to %zu of A-Z a-z 0-9 %s", most,
				    more);
	return 0;
}

/* What a NIC's keys may be, and its values, is the machine's to say. */
static int check_nets(struct request *r, const json_t *nets, struct verr *e)
{
	if (!json_is_array(nets) || json_array_size(nets) > POOL_NETS_MAX)
		return verr_invalid(e, "expected an array of at most %d objects", POOL_NETS_MAX);
	for (size_t i = 0; i < json_array_size(nets); i++) {
		const json_t *net = json_array_get(nets, i), *fds = json_object_get(net, "fds");
		json_int_t count = json_integer_value(fds);

		if (!json_is_object(net))
			return verr_invalid(e, "expected objects");
		if (check_id(json_object_get(net, "id"), "_-", 64, e) < 0)
			return -1;
		if (fds != NULL && (count < 1 || count > PASSED_MAX))
			return verr_invalid(e, "fds: expected a number, 1 to %d", PASSED_MAX);
		r->fds += (size_t)count;
	}
	return 0;
}

static int check_wait(struct request *r, const json_t *wait, struct verr *e)
{
	json_int_t ms = json_integer_value(wait);

	if (!json_is_integer(wait) || ms < 0 || ms > POOL_WAIT_MAX_MS)
		return verr_invalid(e, "expected milliseconds, 0 to %d", POOL_WAIT_MAX_MS);
	r->wait_ms = (unsigned)ms;
	return 0;
}

static int check_claim(struct request *r, json_t *claim, struct verr *e)
{
	const char *key;
	json_t *value;

	if (!json_is_object(claim))
		return verr_invalid(e, "claim: expected an object");
	json_object_foreach(claim, key, value)
	{
		int result = -1;

		if (strcmp(key, "id") == 0)
			result = check_id(value, "-", 64, e);
		else if (strcmp(key, "nets") == 0)
			result = check_nets(r, value, e);
		else if (strcmp(key, "wait_ms") == 0)
			result = check_wait(r, value, e);
		else
			return verr_invalid(e, "claim: %.40s: unknown key", key);
		if (result < 0)
			return verr_note(e, "claim: %s", key);
	}
	r->claim = json_incref(claim);
	return 0;
}

static int parse_one(struct request *r, const char *key, json_t *value, struct verr *e)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].name, key) != 0)
			continue;
		r->kind = kinds[i].kind;
		if (r->kind == REQUEST_CLAIM)
			return check_claim(r, value, e);
		if (!json_is_true(value))
			return verr_invalid(e, "%s: expected true", key);
		return 0;
	}
	return verr_invalid(e, "%.40s: unknown request; expected claim, keep, status or stop", key);
}

int pool_request_parse(struct request *r, const char *line, size_t len, struct verr *e)
{
	json_error_t error;
	auto_json *root = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	const char *key;
	json_t *value;

	*r = (struct request)REQUEST_INIT;
	if (root == NULL)
		return verr_invalid(e, "the line is no JSON: %s", error.text);
	if (!json_is_object(root) || json_object_size(root) != 1)
		return verr_invalid(e, "expected an object with one key: what is asked for");
	json_object_foreach(root, key, value) return parse_one(r, key, value, e);
	return -1;
}

void request_deinit(struct request *r)
{
	json_decref(r->claim);
	r->claim = NULL;
}
