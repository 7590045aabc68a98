/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/hostname.h"
#include "rootfs/volt-init/json.h"

static int take_command(struct json *json, struct config *config)
{
	bool ours = config->workload->argc == 0;
	bool empty = true;
	char *arg;
	int more;

	if (json_array(json) < 0)
		return -1;
	while ((more = json_item(json)) > 0) {
		if (json_string(json, &arg) < 0)
			return -1;
		if (empty && arg[0] == '\0')
			return json_refuse(json, json->token, "the program's name is empty");
		empty = false;
		if (ours && workload_add_arg(config->workload, arg, json->why) < 0)
			return json_refuse(json, json->token, "too many arguments");
	}
	if (more == 0 && empty)
		return json_refuse(json, json->at, "the command is empty");
	return more;
}

static int take_env(struct json *json, struct config *config)
{
	char *name, *value;
	int more;

	if (json_object(json) < 0)
		return -1;
	while ((more = json_member(json, &name)) > 0) {
		size_t at = json->token;

		if (name[0] == '\0' || strchr(name, '='))
			return json_refuse(json, at, "not a variable's name");
		if (json_string(json, &value) < 0)
			return -1;
		/* The value was put right behind the name's NUL: the two are one entry. */
		value[-1] = '=';
		if (workload_has_env(config->workload, name))
			return json_refuse(json, at, "the same variable twice");
		if (workload_put_env(config->workload, name, json->why) < 0)
			return json_refuse(json, at, "too many variables");
	}
	return more;
}

static int take_user(struct json *json, struct config *config)
{
	char *user;

	if (json_string(json, &user) < 0)
		return -1;
	if (user[0] == '\0')
		return json_refuse(json, json->token, "the user is empty");
	config->workload->user = user;
	return 0;
}

static int take_cwd(struct json *json, struct config *config)
{
	char *cwd;

	if (json_string(json, &cwd) < 0)
		return -1;
	if (cwd[0] != '/')
		return json_refuse(json, json->token, "not an absolute path");
	config->workload->cwd = cwd;
	return 0;
}

static int take_hostname(struct json *json, struct config *config)
{
	char *hostname;

	if (json_string(json, &hostname) < 0)
		return -1;
	if (hostname[0] == '\0' || strlen(hostname) > HOSTNAME_MAX)
		return json_refuse(json, json->token, "a host name has 1 to 64 bytes");
	config->hostname = hostname;
	return 0;
}

static const struct field {
	const char *key;
	int (*take)(struct json *json, struct config *config);
} fields[] = {
	{"command", take_command}, {"env", take_env},           {"user", take_user},
	{"cwd", take_cwd},         {"hostname", take_hostname},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static const struct field *find_field(const char *key)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcmp(fields[i].key, key) == 0)
			return &fields[i];
	}
	return NULL;
}

int config_parse(struct config *config, const char *text, size_t size, char *room, struct why *why)
{
	unsigned seen = 0;
	struct json json;
	int more;

	json_init(&json, text, size, room, why);
	if (json_object(&json) < 0)
		return -1;
	for (;;) {
		char *key;

		json.key = NULL;
		more = json_member(&json, &key);
		if (more <= 0)
			break;
		const struct field *field = find_field(key);
		json.key = key;
		if (!field)
			return json_refuse(&json, json.token, "unknown key");
		unsigned bit = 1u << (field - fields);
		if (seen & bit)
			return json_refuse(&json, json.token, "the same key twice");
		seen |= bit;
		if (field->take(&json, config) < 0)
			return -1;
	}
	return more < 0 ? -1 : json_end(&json);
}

int config_load(struct config *config, const char *path, struct why *why)
{
	size_t size;
	char *text = file_read(path, CONFIG_SIZE_MAX, &size);

	if (!text && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!text) {
		why_set(why, "%s", strerror(errno));
		return why_note(why, path);
	}
	char *room =
		mmap(NULL, size + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED) {
		why_set(why, "%s", strerror(errno));
		return why_note(why, path);
	}
	if (config_parse(config, text, size, room, why) < 0)
		return why_note(why, path);
	return 0;
}
