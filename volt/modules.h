/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules of a kernel, and the order to load some of them in: each after those that it needs.
 * From the lists that depmod(8) writes to /lib/modules/RELEASE: modules.dep says which needs which,
 * modules.builtin what the kernel has without a module, and modules.softdep, by the names of
 * modules.alias, what else is of use to one. The lists are root's, but nothing is believed that
 * would lead outside of them.
 */
#ifndef VOLT_VOLT_MODULES_H
#define VOLT_VOLT_MODULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/verr.h"

/* A list's most bytes. */
#define MODULES_LIST_MAX ((size_t)16 << 20)

struct module;

struct modules_texts {
	char *dep;     /* each NUL-terminated, or NULL; modules.dep must be there */
	char *builtin; /* to be freed */
	char *softdep;
	char *alias;
};

struct modules {
	struct modules_texts texts;
	struct module *list;
	size_t count;
	const struct module **order; /* what is to be loaded, first one first */
	size_t order_count;
};

#define MODULES_INIT       \
	{                  \
		.count = 0 \
	}

/* Take over the texts, also where that is a fault, and cut them up. */
V_MUST_CHECK int modules_parse(struct modules *m, struct modules_texts texts, struct verr *e);

/* The same from the files in `folder`. VERR_NOT_FOUND where it has no modules.dep. */
V_MUST_CHECK int modules_read(struct modules *m, const char *folder, struct verr *e);
void modules_deinit(struct modules *m);

enum modules_found {
	MODULES_ORDERED, /* it and what it needs are part of the order */
	MODULES_BUILTIN, /* nothing to load */
	MODULES_NONE,    /* this kernel does not have it */
};

/*
 * Add a module to the order; in names "-" and "_" are the same. A fault where modules.dep
 * contradicts itself.
 */
V_MUST_CHECK int modules_want(struct modules *m, const char *name, enum modules_found *found,
			      struct verr *e);

/* One of the order: its file, below the folder or from / on, and its name, "virtio_blk". */
#define MODULE_NAME_MAX 64
const char *modules_path(const struct module *module);
void modules_name(const struct module *module, char out[MODULE_NAME_MAX]);

#endif
