/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share. */
#ifndef STELLARIUM_CLI_COMMON_H
#define STELLARIUM_CLI_COMMON_H

#include <jansson.h>

#include "cli/progress.h"
#include "cli/size.h"
#include "cli/verb.h"
#include "stellarium/include/stellarium.h"

extern const struct verb init_verb, import_verb, export_verb, ls_verb, info_verb, clone_verb,
	rm_verb, gc_verb, verify_verb, stat_verb, diff_verb, volume_verb, commit_verb;

/* Rows that several verbs have. */
#define COMMON_CUT                                                            \
	{                                                                     \
		.name = "cut", .value = "HOW", .help = "page, fastcdc, fixed" \
	}
#define COMMON_CHUNK_SIZE                                            \
	{                                                            \
		.name = "chunk-size", .value = "SIZE",               \
		.help = "of chunks, on average; a power of two: 64K" \
	}
#define COMMON_CODEC                                                                            \
	{                                                                                       \
		.name = "codec", .value = "CODEC", .help = "zstd, zstd:1 to zstd:19, lz4, none" \
	}
#define COMMON_JSON                                       \
	{                                                 \
		.name = "json", .help = "one JSON object" \
	}

/* Read --cut, --chunk-size and --codec, each NULL where it is not given, into `o`. */
V_MUST_CHECK int common_options(const char *cut, const char *size, const char *codec,
				struct stel_options *o, struct verr *e);

/* Print and free; the status of a verb. */
V_MUST_CHECK int common_print_json(json_t *json, struct verr *e);

/* "64K", "2G": false for anything else. */
bool common_parse_size(const char *text, uint64_t *out);

/* What became an image, which was a file, folder, tar or volume: the status of a verb. */
V_MUST_CHECK int common_print_import(const struct stel_import *r, const char *from, bool json,
				     struct verr *e);

/* Work on a store, and what ends it. */
typedef int common_fn(struct stel *s, const struct verb_args *args, struct verr *e);

/* Open the store args->operands[0], do it, close it; interrupts end it in order. */
V_MUST_CHECK int common_with_store(common_fn *work, const struct verb_args *args, struct verr *e);

/* A bar on a terminal, until progress_end(); and an interrupt ends the work. */
struct stel_watch common_progress(struct progress *p, const char *what);

#endif
