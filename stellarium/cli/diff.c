/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium diff: how two images differ. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { RANGES, JSON };

static const struct verb_option options[] = {
	[RANGES] = {.name = "ranges", .help = "list the ranges that are not alike"},
	[JSON] = COMMON_JSON,
};

static void print_range(void *ctx, uint64_t offset, uint64_t len)
{
	(void)ctx;
	printf("%llu %llu\n", (unsigned long long)offset, (unsigned long long)len);
}

static void add_range(void *ctx, uint64_t offset, uint64_t len)
{
	(void)json_array_append_new(
		ctx, json_pack("{s:I, s:I}", "offset", (json_int_t)offset, "len", (json_int_t)len));
}

static int diff_json(struct stel_image *a, struct stel_image *b, struct verr *e)
{
	json_t *ranges = json_array();
	struct stel_diff d;

	if (stel_diff(a, b, add_range, ranges, &d, e) < 0) {
		json_decref(ranges);
		return -1;
	}
	return common_print_json(json_pack("{s:I, s:I, s:I, s:I, s:o}", "shared",
					   (json_int_t)d.shared, "only_a", (json_int_t)d.only_a,
					   "only_b", (json_int_t)d.only_b, "changed",
					   (json_int_t)d.changed, "ranges", ranges),
				 e);
}

static int diff_text(struct stel_image *a, struct stel_image *b, bool ranges, struct verr *e)
{
	char shared[SIZE_TEXT], only_a[SIZE_TEXT], only_b[SIZE_TEXT], changed[SIZE_TEXT];
	struct stel_diff d;

	if (stel_diff(a, b, ranges ? print_range : NULL, NULL, &d, e) < 0)
		return -1;
	if (!ranges)
		printf("chunks in both: %s; only in the first: %s; only in the second: %s\n"
		       "not alike at the same place: %s\n",
		       size_text(d.shared, shared), size_text(d.only_a, only_a),
		       size_text(d.only_b, only_b), size_text(d.changed, changed));
	return STATUS_OK;
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct stel_image *a = NULL, *b = NULL;
	int r = -1;

	if (stel_image_open(s, args->operands[1], &a, e) == 0 &&
	    stel_image_open(s, args->operands[2], &b, e) == 0)
		r = args->options[JSON] != NULL ? diff_json(a, b, e)
						: diff_text(a, b, args->options[RANGES] != NULL, e);
	(void)stel_image_close(b);
	(void)stel_image_close(a);
	return r;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb diff_verb = {
	.name = "diff",
	.summary = "say how two images differ, without reading them",
	.about = "Each line of --ranges is an offset and a length, in bytes.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE A B",
	.operands_min = 3,
	.operands_max = 3,
};
