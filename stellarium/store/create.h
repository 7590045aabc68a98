/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STELLARIUM_STORE_CREATE_H
#define STELLARIUM_STORE_CREATE_H

#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

/* Makes the file of names in the folder: the matter of a room above. */
typedef int create_names_fn(int dir, const struct seal_store *store, struct verr *e);

/* stel_create(). */
V_MUST_CHECK int create_store(const char *path, const struct stel_options *o,
			      create_names_fn *make_names, struct verr *e);

#endif
