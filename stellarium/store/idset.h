/* SPDX-License-Identifier: Apache-2.0 */
/* A set of ids, each with a number. */
#ifndef STELLARIUM_STORE_IDSET_H
#define STELLARIUM_STORE_IDSET_H

#include "stellarium/include/stellarium.h"

struct idset_item {
	struct stel_id id;
	uint64_t value;
	bool used;
};

struct idset {
	struct idset_item *items; /* a power of two of them */
	size_t room, count;
};

#define IDSET_INIT \
	{          \
		0  \
	}

void idset_deinit(struct idset *set);
void idset_clear(struct idset *set); /* empty, ready for more */

/* The id's item, put there with value 0 where there was none; valid until the next call. NULL is a
 * fault. `*added`, unless NULL, says whether it is new. */
struct idset_item *idset_add(struct idset *set, const struct stel_id *id, bool *added,
			     struct verr *e);
struct idset_item *idset_find(const struct idset *set, const struct stel_id *id); /* or NULL */

#endif
