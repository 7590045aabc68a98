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

#define DRAW_EVERY_NS 100000000

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

const char *common_size(uint64_t bytes, char out[COMMON_SIZE])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double n = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(out, COMMON_SIZE, "%llu B", (unsigned long long)bytes);
		return out;
	}
	for (; n >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		n /= 1024;
	(void)snprintf(out, COMMON_SIZE, "%.1f %s", n, units[i]);
	return out;
}

int common_print_import(const struct stel_import *r, const char *from, bool json, struct verr *e)
{
	char id[STEL_ID_TEXT], size[COMMON_SIZE], raw[COMMON_SIZE], stored[COMMON_SIZE];

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
		common_size(r->size, size), (unsigned long long)r->chunks,
		(unsigned long long)r->chunks_new, common_size(r->raw_new, raw),
		common_size(r->stored_new, stored));
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

static void draw(struct common_progress *p, uint64_t done, uint64_t total, uint64_t now)
{
	static const char full[] = "########################################";
	char size[COMMON_SIZE], rate[COMMON_SIZE];
	double seconds = (double)(now - p->started_ns + 1) / 1e9;
	int parts = total > 0 ? (int)(40.0 * (double)done / (double)total) : 0;

	(void)common_size(done, size);
	(void)common_size((uint64_t)((double)done / seconds), rate);
	if (total > 0)
		fprintf(stderr, "\r%s [%.*s%*s] %3d%%  %s, %s/s \x1b[K", p->what, parts, full,
			40 - parts, "", (int)(100.0 * (double)done / (double)total), size, rate);
	else
		fprintf(stderr, "\r%s %s, %s/s \x1b[K", p->what, size, rate);
	p->drawn = true;
	p->drawn_ns = now;
}

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
	struct common_progress *p = ctx;
	uint64_t now = sys_now_ns();

	if (now - p->drawn_ns >= DRAW_EVERY_NS && isatty(STDERR_FILENO))
		draw(p, MIN(done, total > 0 ? total : done), total, now);
	return interrupt_pending() == 0;
}

struct stel_watch common_progress(struct common_progress *p, const char *what)
{
	uint64_t now = sys_now_ns();

	*p = (struct common_progress){.what = what, .started_ns = now, .drawn_ns = now};
	return (struct stel_watch){.go_on = go_on, .ctx = p};
}

void common_progress_end(struct common_progress *p)
{
	if (p->drawn)
		fprintf(stderr, "\r\x1b[K");
	p->drawn = false;
}
