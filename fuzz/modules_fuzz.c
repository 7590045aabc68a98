/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lists of a kernel's modules, one after the other between NULs: dep, builtin, softdep, alias.
 * Any bytes give an order in which nothing comes twice, or a reason.
 */
#include <stdlib.h>

#include "base/bytes.h"
#include "volt/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* The next list, of exactly its size: one byte too many is a finding. */
static char *take_list(const uint8_t **at, const uint8_t *end)
{
	size_t len = strnlen((const char *)*at, (size_t)(end - *at));
	char *text = malloc(len + 1);

	must(text != NULL);
	memcpy(text, *at, len);
	text[len] = '\0';
	*at += len + (*at + len < end);
	return text;
}

static void want(struct modules *m, const char *name)
{
	enum modules_found found;
	struct verr e = VERR_INIT;

	if (modules_want(m, name, &found, &e) < 0)
		must(e.kind == VERR_INVALID && e.text[0] != '\0');
	must(m->order_count <= m->count);
}

static void check_order(const struct modules *m)
{
	char name[MODULE_NAME_MAX];

	for (size_t i = 0; i < m->order_count; i++) {
		modules_name(m->order[i], name);
		must(name[0] != '\0' && strchr(name, '/') == NULL && name[0] != '.');
		for (size_t j = 0; j < i; j++)
			must(m->order[i] != m->order[j]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	struct modules_texts texts;
	struct modules m;
	struct verr e = VERR_INIT;

	if (size == 0)
		return 0;
	texts.dep = take_list(&at, end);
	texts.builtin = take_list(&at, end);
	texts.softdep = take_list(&at, end);
	texts.alias = take_list(&at, end);
	if (modules_parse(&m, texts, &e) == 0) {
		want(&m, "a");
		want(&m, "virtio_blk");
		check_order(&m);
	} else {
		must(e.kind == VERR_INVALID && e.text[0] != '\0');
	}
	modules_deinit(&m);
	return 0;
}
