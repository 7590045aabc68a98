/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium verify: look at every byte. */
#include <stdio.h>
#include <unistd.h>

#include "stellarium/cli/common.h"

enum { REPAIR_INDEX, JSON };

static const struct verb_option options[] = {
	[REPAIR_INDEX] = {.name = "repair-index",
			  .help = "first write the index anew from the packs"},
	[JSON] = COMMON_JSON,
};

struct show {
	struct progress progress;
	json_t *list; /* NULL: lines */
};

static void show_damage(void *ctx, const char *image, const char *what)
{
	struct show *s = ctx;

	if (s->list != NULL) {
		(void)json_array_append_new(s->list,
					    json_pack("{s:s?, s:s}", "image", image, "what", what));
		return;
	}
	progress_end(&s->progress);
	if (image != NULL)
		printf("image %s: %s\n", image, what);
	else
		printf("%s\n", what);
}

static int print(const struct stel_verify *r, json_t *list, struct verr *e)
{
	char size[SIZE_TEXT];
	int status = r->damages > 0 ? STATUS_FAILED : STATUS_OK;

	if (list != NULL) {
		list = json_pack("{s:I, s:I, s:I, s:o}", "chunks", (json_int_t)r->chunks, "bytes",
				 (json_int_t)r->bytes, "images_damaged",
				 (json_int_t)r->images_damaged, "damages", list);
		return common_print_json(list, e) < 0 ? -1 : status;
	}
	printf("%llu chunks, %s: %s\n", (unsigned long long)r->chunks, size_text(r->bytes, size),
	       status == STATUS_OK ? "all is well" : "damaged");
	return status;
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	struct show show = {.list = args->options[JSON] != NULL ? json_array() : NULL};
	struct stel_watch watch = common_progress(&show.progress, "verify");
	struct stel_verify result;
	int r = stel_verify(s, show_damage, &show, &watch, &result, e);

	progress_end(&show.progress);
	if (r < 0) {
		json_decref(show.list);
		return -1;
	}
	return print(&result, show.list, e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	uint64_t chunks;

	if (args->options[REPAIR_INDEX] != NULL) {
		if (stel_repair_index(args->operands[0], &chunks, e) < 0)
			return -1;
		if (isatty(STDERR_FILENO))
			fprintf(stderr, "the index has %llu chunks\n", (unsigned long long)chunks);
	}
	return common_with_store(work, args, e);
}

const struct verb verify_verb = {
	.name = "verify",
	.summary = "look at every byte, and say what is damaged and which images that touches",
	.about = "Exit status: 0 when nothing is damaged, else 1.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE",
	.operands_min = 1,
	.operands_max = 1,
};
