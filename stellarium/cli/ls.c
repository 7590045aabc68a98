/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium ls: the images there are. */
#include <stdio.h>
#include <time.h>

#include "stellarium/cli/common.h"

enum { JSON };

static const struct verb_option options[] = {[JSON] = COMMON_JSON};

static void print(void *ctx, const struct stel_name *name)
{
	char id[STEL_ID_TEXT], size[SIZE_TEXT], made[32] = "-";
	time_t when = (time_t)name->time;
	struct tm tm;

	(void)ctx;
	stel_id_text(&name->id, id);
	if (gmtime_r(&when, &tm) != NULL)
		(void)strftime(made, sizeof(made), "%Y-%m-%d %H:%M", &tm);
	printf("%-30s %10s  %s  %.16s\n", name->name, size_text(name->size, size), made, id);
}

static void add(void *ctx, const struct stel_name *name)
{
	char id[STEL_ID_TEXT];

	stel_id_text(&name->id, id);
	(void)json_array_append_new(ctx, json_pack("{s:s, s:s, s:I, s:I}", "name", name->name, "id",
						   id, "size", (json_int_t)name->size, "time",
						   (json_int_t)name->time));
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	json_t *list;

	if (args->options[JSON] == NULL) {
		printf("%-30s %10s  %-16s  %s\n", "NAME", "SIZE", "MADE (UTC)", "ID");
		return stel_list(s, print, NULL, e) < 0 ? -1 : STATUS_OK;
	}
	list = json_array();
	if (list == NULL || stel_list(s, add, list, e) < 0) {
		json_decref(list);
		return verr_host(e, "out of memory");
	}
	return common_print_json(json_pack("{s:o}", "images", list), e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb ls_verb = {
	.name = "ls",
	.summary = "list the images",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE",
	.operands_min = 1,
	.operands_max = 1,
};
