/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium stat: what the store holds and saves. */
#include <stdio.h>

#include "stellarium/cli/common.h"

enum { JSON };

static const struct verb_option options[] = {[JSON] = COMMON_JSON};

static int print_json(const struct stel_stat *t, struct verr *e)
{
	return common_print_json(
		json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "names",
			  (json_int_t)t->names, "images", (json_int_t)t->images, "logical",
			  (json_int_t)t->logical, "zero", (json_int_t)t->zero, "chunks",
			  (json_int_t)t->chunks, "raw", (json_int_t)t->raw, "stored",
			  (json_int_t)t->stored, "tree", (json_int_t)t->tree, "packs",
			  (json_int_t)t->packs, "on_disk", (json_int_t)t->on_disk, "garbage",
			  (json_int_t)t->garbage, "index", (json_int_t)t->index),
		e);
}

static double ratio(uint64_t a, uint64_t b)
{
	return b > 0 ? (double)a / (double)b : 1;
}

static void print(const struct stel_stat *t)
{
	char a[SIZE_TEXT], b[SIZE_TEXT];

	printf("images     %llu names, %llu different\n", (unsigned long long)t->names,
	       (unsigned long long)t->images);
	printf("logical    %s, of that %s zero\n", size_text(t->logical, a), size_text(t->zero, b));
	printf("chunks     %llu different: %s; deduplicated %.2f times\n",
	       (unsigned long long)t->chunks, size_text(t->raw, a),
	       ratio(t->logical - t->zero, t->raw));
	printf("stored     %s; compressed %.2f times; trees %s\n", size_text(t->stored, a),
	       ratio(t->raw, t->stored), size_text(t->tree, b));
	printf("packs      %llu files, %s; of that garbage, heads and padding %s\n",
	       (unsigned long long)t->packs, size_text(t->on_disk, a), size_text(t->garbage, b));
	printf("index      %s\n", size_text(t->index, a));
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct stel_stat t;

	if (stel_stat(s, &t, e) < 0)
		return -1;
	if (args->options[JSON] != NULL)
		return print_json(&t, e);
	print(&t);
	return STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb stat_verb = {
	.name = "stat",
	.summary = "say what the store holds, and what it saves",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE",
	.operands_min = 1,
	.operands_max = 1,
};
