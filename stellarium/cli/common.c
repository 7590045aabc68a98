/* SPDX-License-Identifier: Apache-2.0 */
#include "stellarium/cli/common.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "cli/interrupt.h"

static int parse_method(const char *text, enum stel_method *out, struct verr *e)
{
	static const enum stel_method all[] = {STEL_CUT_PAGE, STEL_CUT_FASTCDC, STEL_CUT_FIXED};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (strcmp(text, stel_method_name(all[i])) == 0) {
			*out = all[i];
			return 0;
		}
	}
	return verr_invalid(e, "--cut %s: expected page, fastcdc or fixed", text);
}

bool common_parse_size(const char *text, uint64_t *out)
{
	static const char units[] = "KMGT";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
	unsigned int shift = unit != NULL ? 10 * (unsigned int)(unit - units + 1) : 0;

	if (!isdigit((unsigned char)*text) || (*end != '\0' && (unit == NULL || end[1] != '\0')) ||
	    n > UINT64_MAX >> shift)
		return false;
	*out = n << shift;
	return true;
}

static int parse_size(const char *text, struct stel_cutting *cut, struct verr *e)
{
	uint64_t n;

	if (!common_parse_size(text, &n) || n == 0 || n > MIB(16))
		return verr_invalid(e, "--chunk-size %s: expected a size such as 64K or 2M", text);
	cut->average = (uint32_t)n;
	switch (cut->method) {
	case STEL_CUT_PAGE:
		cut->max = MAX(cut->max, cut->average);
		break;
	case STEL_CUT_FASTCDC:
		cut->min = MAX(cut->average / 4, (uint32_t)KIB(4));
		cut->max = MIN(cut->average * 8, (uint32_t)MIB(16));
		break;
	case STEL_CUT_FIXED:
		cut->min = cut->max = cut->average;
		break;
	}
	return 0;
}

static int parse_codec(const char *text, struct stel_options *o, struct verr *e)
{
	char *end;

	if (strcmp(text, "none") == 0) {
		o->codec = STEL_CODEC_NONE;
	} else if (strcmp(text, "lz4") == 0) {
		o->codec = STEL_CODEC_LZ4;
	} else if (strcmp(text, "zstd") == 0) {
		o->codec = STEL_CODEC_ZSTD;
		o->level = 1;
	} else if (strncmp(text, "zstd:", 5) == 0 && isdigit((unsigned char)text[5])) {
		o->codec = STEL_CODEC_ZSTD;
		o->level = (int)MIN(strtoul(text + 5, &end, 10), 100UL);
		if (*end != '\0')
			return verr_invalid(e, "--codec %s: expected a level such as zstd:3", text);
	} else {
		return verr_invalid(e, "--codec %s: expected zstd, zstd:LEVEL, lz4 or none", text);
	}
	return 0;
}

int common_options(const char *cut, const char *size, const char *codec, struct stel_options *o,
		   struct verr *e)
{
	enum stel_method method = o->cut.method;

	if (cut != NULL) {
		if (parse_method(cut, &method, e) < 0)
			return -1;
		if (method != o->cut.method)
			o->cut = stel_cutting_usual(method);
	}
	if (size != NULL && parse_size(size, &o->cut, e) < 0)
		return -1;
	return codec != NULL ? parse_codec(codec, o, e) : 0;
}

int common_print_json(json_t *json, struct verr *e)
{
	auto_free char *text = json != NULL ? json_dumps(json, JSON_INDENT(2)) : NULL;

	json_decref(json);
	if (text == NULL)
		return verr_host(e, "out of memory");
	(void)puts(text);
	return STATUS_OK;
}

int common_print_import(const struct stel_import *r, const char *from, bool json, struct verr *e)
{
	char id[STEL_ID_TEXT], size[SIZE_TEXT], raw[SIZE_TEXT], stored[SIZE_TEXT];

	stel_id_text(&r->id, id);
	if (json)
		return common_print_json(
			json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id", id, "from",
				  from, "size", (json_int_t)r->size, "zero", (json_int_t)r->zero,
				  "chunks", (json_int_t)r->chunks, "chunks_new",
				  (json_int_t)r->chunks_new, "raw_new", (json_int_t)r->raw_new,
				  "stored_new", (json_int_t)r->stored_new),
			e);
	printf("%s\n", id);
	fprintf(stderr, "%s: %llu chunks, %llu of them new: %s, stored as %s\n",
		size_text(r->size, size), (unsigned long long)r->chunks,
		(unsigned long long)r->chunks_new, size_text(r->raw_new, raw),
		size_text(r->stored_new, stored));
	return STATUS_OK;
}

int common_with_store(common_fn *work, const struct verb_args *args, struct verr *e)
{
	struct stel *s = NULL;
	int r;

	interrupt_watch();
	if (stel_open(&s, args->operands[0], e) < 0)
		return -1;
	r = work(s, args, e);
	(void)stel_close(s);
	interrupt_obey();
	return r;
}

struct stel_watch common_progress(struct progress *p, const char *what)
{
	progress_begin(p, what);
	return (struct stel_watch){.go_on = progress_go_on, .ctx = p};
}
