/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium volume: disks that are an image and what one machine has written over it. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { IMAGE };
enum { JSON };

static const struct verb_option create_options[] = {
	[IMAGE] = {.name = "image",
		   .value = "NAME",
		   .help = "of this image; default: the one called as DIR is, or the only one"},
};

static const struct verb_option info_options[] = {[JSON] = COMMON_JSON};

/* -- create */

static int create(struct stel *s, const struct verb_args *args, struct verr *e)
{
	return stel_volume_create(s, args->operands[1], args->options[IMAGE], e) < 0 ? -1
										     : STATUS_OK;
}

static int run_create(const struct verb_args *args, struct verr *e)
{
	return common_with_store(create, args, e);
}

static const struct verb create_verb = {
	.name = "create",
	.summary = "make a volume of an image, whatever its size at once",
	.about = "The image stays as long as the volume does: the name volume/NUMBER keeps it.\n",
	.run = run_create,
	.options = create_options,
	.options_count = ARRAY_LEN(create_options),
	.operands = "STORE DIR",
	.operands_min = 2,
	.operands_max = 2,
};

/* -- info */

static int print_json(const struct stel_volume_info *i, const char *id, struct verr *e)
{
	return common_print_json(json_pack("{s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:I}", "image",
					   i->name, "id", id, "reference", i->reference, "size",
					   (json_int_t)i->size, "in_use", i->in_use, "written",
					   (json_int_t)i->written, "zeroed", (json_int_t)i->zeroed,
					   "on_disk", (json_int_t)i->on_disk),
				 e);
}

static void print(const struct stel_volume_info *i, const char *id)
{
	char text[SIZE_TEXT];

	printf("image    %s\n", i->name);
	printf("id       %s\n", id);
	printf("kept by  %s\n", i->reference);
	printf("size     %llu (%s)\n", (unsigned long long)i->size, size_text(i->size, text));
	printf("on disk  %s\n", size_text(i->on_disk, text));
	if (i->in_use) {
		printf("in use\n");
		return;
	}
	printf("written  %s\n", size_text(i->written, text));
	printf("zeroed   %s\n", size_text(i->zeroed, text));
}

static int info(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct stel_volume_info i;
	char id[STEL_ID_TEXT];

	if (stel_volume_info(s, args->operands[1], &i, e) < 0)
		return -1;
	stel_id_text(&i.image, id);
	if (args->options[JSON] != NULL)
		return print_json(&i, id, e);
	print(&i, id);
	return STATUS_OK;
}

static int run_info(const struct verb_args *args, struct verr *e)
{
	return common_with_store(info, args, e);
}

static const struct verb info_verb_of_volume = {
	.name = "info",
	.summary = "say what a volume is of, and how much was written",
	.about = "A volume that is in use does not say what was written.\n",
	.run = run_info,
	.options = info_options,
	.options_count = ARRAY_LEN(info_options),
	.operands = "STORE DIR",
	.operands_min = 2,
	.operands_max = 2,
};

/* -- rm */

static int remove_volume(struct stel *s, const struct verb_args *args, struct verr *e)
{
	return stel_volume_remove(s, args->operands[1], e) < 0 ? -1 : STATUS_OK;
}

static int run_rm(const struct verb_args *args, struct verr *e)
{
	return common_with_store(remove_volume, args, e);
}

static const struct verb rm_verb_of_volume = {
	.name = "rm",
	.summary = "remove a volume that nobody uses, and what was written to it",
	.run = run_rm,
	.operands = "STORE DIR",
	.operands_min = 2,
	.operands_max = 2,
};

static const struct verb *const verbs[] = {&create_verb, &info_verb_of_volume, &rm_verb_of_volume};

const struct verb volume_verb = {
	.name = "volume",
	.summary = "disks of machines: an image, and what one machine writes over it",
	.about = "DIR is the volume's folder, or the file of an overlay.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
