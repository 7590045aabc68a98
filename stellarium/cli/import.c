/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium import: make an image of a file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "stellarium/cli/common.h"

enum { CUT, CHUNK_SIZE, CODEC, REPLACE, JSON };

static const struct verb_option options[] = {
	[CUT] = COMMON_CUT,
	[CHUNK_SIZE] = COMMON_CHUNK_SIZE,
	[CODEC] = COMMON_CODEC,
	[REPLACE] = {.name = "replace", .help = "an image of this name may be there already"},
	[JSON] = COMMON_JSON,
};

static int print(const struct stel_import *r, bool json, struct verr *e)
{
	char id[STEL_ID_TEXT], size[COMMON_SIZE], raw[COMMON_SIZE], stored[COMMON_SIZE];

	stel_id_text(&r->id, id);
	if (json)
		return common_print_json(
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", id, "size",
				  (json_int_t)r->size, "zero", (json_int_t)r->zero, "chunks",
				  (json_int_t)r->chunks, "chunks_new", (json_int_t)r->chunks_new,
				  "raw_new", (json_int_t)r->raw_new, "stored_new",
				  (json_int_t)r->stored_new),
			e);
	printf("%s\n", id);
	fprintf(stderr, "%s: %llu chunks, %llu of them new: %s, stored as %s\n",
		common_size(r->size, size), (unsigned long long)r->chunks,
		(unsigned long long)r->chunks_new, common_size(r->raw_new, raw),
		common_size(r->stored_new, stored));
	return STATUS_OK;
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	const char *const *given = args->options, *path = args->operands[2];
	struct stel_options o = *stel_defaults(s);
	struct common_progress progress;
	struct stel_watch watch;
	struct stel_import result;
	auto_fd fd = -1;
	int r;

	if (common_options(given[CUT], given[CHUNK_SIZE], given[CODEC], &o, e) < 0)
		return -1;
	if (strcmp(path, "-") == 0)
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return verr_invalid_os(e, "open %s", path);
	watch = common_progress(&progress, args->operands[1]);
	r = stel_import(s, args->operands[1], fd, &o, given[REPLACE] != NULL, &watch, &result, e);
	common_progress_end(&progress);
	if (r < 0)
		return verr_note(e, "%s", path);
	return print(&result, given[JSON] != NULL, e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb import_verb = {
	.name = "import",
	.summary = "make an image of a file, a device or a stream",
	.about = "FILE is -: standard input. What the store has already is not stored again.\n"
		 "Prints the image's id.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE NAME FILE",
	.operands_min = 3,
	.operands_max = 3,
};
