/* SPDX-License-Identifier: Apache-2.0 */
/* The settings table and the values of its rows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "vmm/config/config.h"

#define DEFAULT_PATH(v) .text_default = (v)
#define DEFAULT_TEXT(v) .text_default = (v)
#define DEFAULT_TEXTS(v) .text_default = (v)
#define DEFAULT_SIZE(v) .number_default = (v)
#define DEFAULT_U32(v) .number_default = (v)
#define DEFAULT_BOOL(v) .number_default = (v)
#define DEFAULT_FLAG(v) .number_default = (v)
#define DEFAULT_ENUM(v) .number_default = (v)
#define DEFAULT_LIST(v) .list = (v)

#define ROW(object_, field_, type_, flag_, values_, default_, min_, max_, phase_, help_) \
	{                                                                                \
		.key = #field_,                                                          \
		.flag = flag_,                                                           \
		.values = values_,                                                       \
		.help = help_,                                                           \
		DEFAULT_##type_(default_),                                               \
		.min = min_,                                                             \
		.max = max_,                                                             \
		.type = SETTING_##type_,                                                 \
		.phase = SETTING_##phase_,                                               \
		.offset = offsetof(struct object_, field_),                              \
	},

const struct setting settings[] = {
#define SETTING(...) ROW(config, __VA_ARGS__)
#include "vmm/config/machine.def"
#undef SETTING
};
const size_t settings_count = ARRAY_LEN(settings);

static const struct setting drive_settings[] = {
#define SETTING(...) ROW(drive_config, __VA_ARGS__)
#include "vmm/config/drive.def"
#undef SETTING
};

static const struct setting volume_settings[] = {
#define SETTING(...) ROW(volume_config, __VA_ARGS__)
#include "vmm/config/volume.def"
#undef SETTING
};

static const struct setting net_settings[] = {
#define SETTING(...) ROW(net_config, __VA_ARGS__)
#include "vmm/config/net.def"
#undef SETTING
};

/* Interrupt lines are what there are fewest of: one for each device. */
#define DRIVES_MAX 16
#define NETS_MAX 8

const struct list_class drive_class = {
	.name = "drive",
	.rows = drive_settings,
	.count = ARRAY_LEN(drive_settings),
	.size = sizeof(struct drive_config),
	.most = DRIVES_MAX,
};

const struct list_class volume_class = {
	.name = "volume",
	.rows = volume_settings,
	.count = ARRAY_LEN(volume_settings),
	.size = sizeof(struct volume_config),
	.most = DRIVES_MAX,
	.bare = true,
};

const struct list_class net_class = {
	.name = "net",
	.rows = net_settings,
	.count = ARRAY_LEN(net_settings),
	.size = sizeof(struct net_config),
	.most = NETS_MAX,
};

static void *field(const void *object, const struct setting *s)
{
	return (char *)(uintptr_t)object + s->offset;
}

static bool is_text(const struct setting *s)
{
	return s->type == SETTING_PATH || s->type == SETTING_TEXT || s->type == SETTING_TEXTS;
}

static void store_number(void *c, const struct setting *s, uint64_t number)
{
	switch (s->type) {
	case SETTING_SIZE:
		*(config_SIZE *)field(c, s) = number;
		break;
	case SETTING_U32:
	case SETTING_ENUM:
		*(config_U32 *)field(c, s) = (uint32_t)number;
		break;
	case SETTING_BOOL:
	case SETTING_FLAG:
		*(config_BOOL *)field(c, s) = number != 0;
		break;
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
}

static int store_text(void *c, const struct setting *s, const char *text, struct verr *e)
{
	char *copy = strdup(text), **to = field(c, s);

	if (copy == NULL)
		return verr_host(e, "out of memory");
	free(*to);
	*to = copy;
	return 0;
}

/* Behind those that were given before. */
static int add_text(void *c, const struct setting *s, const char *text, struct verr *e)
{
	char **to = field(c, s), *joined;

	if (*to == NULL)
		return store_text(c, s, text, e);
	if (asprintf(&joined, "%s+%s", *to, text) < 0)
		return verr_host(e, "out of memory");
	free(*to);
	*to = joined;
	return 0;
}

uint64_t setting_number(const void *c, const struct setting *s)
{
	switch (s->type) {
	case SETTING_SIZE:
		return *(const config_SIZE *)field(c, s);
	case SETTING_U32:
	case SETTING_ENUM:
		return *(const config_U32 *)field(c, s);
	case SETTING_BOOL:
	case SETTING_FLAG:
		return *(const config_BOOL *)field(c, s);
	case SETTING_PATH:
	case SETTING_TEXT:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
	return 0;
}

const char *setting_text(const void *c, const struct setting *s)
{
	return is_text(s) ? *(char *const *)field(c, s) : NULL;
}

bool setting_choice(const struct setting *s, uint64_t index, char *out, size_t len)
{
	const char *at = s->values, *end;

	for (; index > 0 && at != NULL; index--) {
		at = strchr(at, '|');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL)
		return false;
	end = strchr(at, '|');
	(void)snprintf(out, len, "%.*s", (int)(end != NULL ? end - at : (long)strlen(at)), at);
	return true;
}

void setting_format_size(uint64_t bytes, char *out, size_t len)
{
	static const struct {
		unsigned shift;
		const char *unit;
	} units[] = {{40, "T"}, {30, "G"}, {20, "M"}, {10, "K"}, {0, ""}};
	size_t i = 0;

	while (units[i].shift > 0 && (bytes == 0 || bytes & ((1ULL << units[i].shift) - 1)))
		i++;
	(void)snprintf(out, len, "%llu%s", (unsigned long long)(bytes >> units[i].shift),
		       units[i].unit);
}

int setting_set_number(void *c, const struct setting *s, uint64_t number, struct verr *e)
{
	char least[32], most[32];

	if ((s->type == SETTING_SIZE || s->type == SETTING_U32) &&
	    (number < s->min || number > s->max)) {
		if (s->type == SETTING_U32)
			return verr_invalid(e, "expected %llu to %llu", (unsigned long long)s->min,
					    (unsigned long long)s->max);
		setting_format_size(s->min, least, sizeof(least));
		setting_format_size(s->max, most, sizeof(most));
		return verr_invalid(e, "expected a size from %s to %s", least, most);
	}
	store_number(c, s, number);
	return 0;
}

/* Digits only: no sign, no blanks, no base prefix. Returns the first character after them. */
static const char *parse_digits(const char *text, uint64_t *number)
{
	uint64_t n = 0;

	if (*text < '0' || *text > '9')
		return NULL;
	for (; *text >= '0' && *text <= '9'; text++)
		if (!mul_u64(n, 10, &n) || !add_u64(n, (uint64_t)(*text - '0'), &n))
			return NULL;
	*number = n;
	return text;
}

bool setting_parse_size(const char *text, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	const char *rest = parse_digits(text, bytes), *unit;

	if (rest == NULL)
		return false;
	if (*rest == '\0')
		return true;
	unit = strchr(units, *rest >= 'a' ? *rest - ('a' - 'A') : *rest);
	if (unit == NULL || (rest[1] != '\0' && strcmp(rest + 1, "iB") != 0))
		return false;
	return mul_u64(*bytes, 1ULL << (10 * (unit - units + 1)), bytes);
}

static int set_choice(void *c, const struct setting *s, const char *text, struct verr *e)
{
	char choice[32];

	for (uint64_t i = 0; setting_choice(s, i, choice, sizeof(choice)); i++)
		if (strcmp(choice, text) == 0)
			return setting_set_number(c, s, i, e);
	return verr_invalid(e, "expected %s", s->values);
}

int setting_set_text(void *c, const struct setting *s, const char *text, struct verr *e)
{
	const char *rest;
	uint64_t n;

	switch (s->type) {
	case SETTING_PATH:
	case SETTING_TEXT:
		if (s->type == SETTING_PATH && *text == '\0')
			return verr_invalid(e, "expected a path");
		return store_text(c, s, text, e);
	case SETTING_TEXTS:
		return add_text(c, s, text, e);
	case SETTING_SIZE:
		if (!setting_parse_size(text, &n))
			return verr_invalid(e, "expected a size such as 128M or 1G");
		return setting_set_number(c, s, n, e);
	case SETTING_U32:
		rest = parse_digits(text, &n);
		if (rest == NULL || *rest != '\0')
			return verr_invalid(e, "expected a whole number, %llu to %llu",
					    (unsigned long long)s->min, (unsigned long long)s->max);
		return setting_set_number(c, s, n, e);
	case SETTING_BOOL:
	case SETTING_FLAG:
		if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
			return verr_invalid(e, "expected on or off");
		return setting_set_number(c, s, strcmp(text, "on") == 0, e);
	case SETTING_ENUM:
		return set_choice(c, s, text, e);
	case SETTING_LIST:
		return list_add_text(setting_list(c, s), s->list, text, e);
	}
	return verr_invalid(e, "unknown type of setting");
}

struct config_list *setting_list(void *object, const struct setting *s)
{
	return field(object, s);
}

void object_init(void *object, const struct setting *rows, size_t count)
{
	struct verr e = VERR_INIT;

	for (size_t i = 0; i < count; i++) {
		if (!is_text(&rows[i]))
			store_number(object, &rows[i], rows[i].number_default);
		else if (rows[i].text_default != NULL)
			(void)store_text(object, &rows[i], rows[i].text_default, &e);
	}
}

void object_deinit(void *object, const struct setting *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_text(&rows[i])) {
			free(*(char **)field(object, &rows[i]));
		} else if (rows[i].type == SETTING_LIST) {
			struct config_list *list = setting_list(object, &rows[i]);

			while (list->count > 0)
				list_drop_last(list, rows[i].list);
			free(list->items);
		}
	}
}

void config_init(struct config *c)
{
	*c = (struct config){0};
	object_init(c, settings, settings_count);
}

void config_drop_workload(struct config *c)
{
	for (char **arg = c->workload; arg != NULL && *arg != NULL; arg++)
		free(*arg);
	free(c->workload);
	c->workload = NULL;
}

void config_deinit(struct config *c)
{
	object_deinit(c, settings, settings_count);
	config_drop_workload(c);
	*c = (struct config){0};
}
