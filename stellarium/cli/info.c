/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium info: one image. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { JSON };

static const struct verb_option options[] = {[JSON] = COMMON_JSON};

static int print_json(const struct stel_info *i, const char *id, struct verr *e)
{
	return common_print_json(
		json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:s, s:I, s:I, s:I}}", "id",
			  id, "size", (json_int_t)i->size, "zero", (json_int_t)i->zero, "chunks",
			  (json_int_t)i->chunks, "nodes", (json_int_t)i->nodes, "unique",
			  (json_int_t)i->unique, "raw", (json_int_t)i->raw, "stored",
			  (json_int_t)i->stored, "cut", "method", stel_method_name(i->cut.method),
			  "min", (json_int_t)i->cut.min, "average", (json_int_t)i->cut.average,
			  "max", (json_int_t)i->cut.max),
		e);
}

static void print(const struct stel_info *i, const char *id)
{
	char text[SIZE_TEXT];

	printf("id       %s\n", id);
	printf("size     %llu (%s)\n", (unsigned long long)i->size, size_text(i->size, text));
	printf("zero     %s\n", size_text(i->zero, text));
	printf("chunks   %llu, %llu different: %s\n", (unsigned long long)i->chunks,
	       (unsigned long long)i->unique, size_text(i->raw, text));
	printf("tree     %llu nodes\n", (unsigned long long)i->nodes);
	printf("stored   %s\n", size_text(i->stored, text));
	printf("cut      %s, %u KiB on average, at most %u KiB\n", stel_method_name(i->cut.method),
	       i->cut.average / 1024, i->cut.max / 1024);
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct stel_image *image = NULL;
	struct stel_info info;
	char id[STEL_ID_TEXT];
	int r;

	if (stel_image_open(s, args->operands[1], &image, e) < 0)
		return -1;
	r = stel_image_info(image, &info, e);
	(void)stel_image_close(image);
	if (r < 0)
		return -1;
	stel_id_text(&info.id, id);
	if (args->options[JSON] != NULL)
		return print_json(&info, id, e);
	print(&info, id);
	return STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb info_verb = {
	.name = "info",
	.summary = "say what an image is made of",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE NAME",
	.operands_min = 2,
	.operands_max = 2,
};
