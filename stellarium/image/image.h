/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef STELLARIUM_IMAGE_IMAGE_H
#define STELLARIUM_IMAGE_IMAGE_H

#include "stellarium/image/manifest.h"
#include "stellarium/store/lease.h"

struct stel_image {
	struct stel *s; /* borrowed */
	struct stel_id id;
	struct lease lease;
	struct index_view *view;
	struct manifest manifest;
	uint8_t *chunk;      /* the one read last, expanded */
	size_t chunk_number; /* in manifest.pieces; SIZE_MAX: none */
};

/*
 * stel_image_open() by the id; `name` is for faults. Whether some name leads to the image is the
 * caller's matter: without one, parts of it may be gone.
 */
V_MUST_CHECK int image_open_id(struct stel *s, const struct stel_id *id, const char *name,
			       struct stel_image **out, struct verr *e);

/* A fault when the watch says no; `watch` may be NULL. */
V_MUST_CHECK int watch_go_on(const struct stel_watch *watch, uint64_t done, uint64_t total,
			     struct verr *e);

#endif
