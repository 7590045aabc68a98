/* SPDX-License-Identifier: Apache-2.0 */
/* What names and leases lead to: every chunk of every image, once. */
#ifndef STELLARIUM_IMAGE_CENSUS_H
#define STELLARIUM_IMAGE_CENSUS_H

#include "stellarium/image/manifest.h"
#include "stellarium/image/names.h"
#include "stellarium/store/lease.h"

struct census {
	struct idset chunks; /* data and nodes; the value is a bit CENSUS_NODE */
	uint64_t data_len;   /* raw bytes of different data chunks */
};

#define CENSUS_NODE 1

#define CENSUS_INIT                  \
	{                            \
		.chunks = IDSET_INIT \
	}

/* Add an image; what is there already is not walked again. */
V_MUST_CHECK int census_add(struct census *c, struct stel *s, struct index_view *view,
			    const struct stel_id *image, struct verr *e);
V_MUST_CHECK int census_add_names(struct census *c, struct stel *s, struct index_view *view,
				  const struct names *names, struct verr *e);
void census_deinit(struct census *c);

#endif
