/* SPDX-License-Identifier: Apache-2.0 */
/* Making overlays. */
#ifndef STELLARIUM_VOLUME_CREATE_H
#define STELLARIUM_VOLUME_CREATE_H

#include "stellarium/volume/place.h"

/* Open the overlay at `place`, or make it where options->create says so and it is not there. */
V_MUST_CHECK int create_or_open(struct overlay *o, struct stel *s, const struct place *place,
				const struct stel_volume_options *options,
				enum overlay_access access, struct overlay_head *head,
				struct verr *e);

/* What the overlay would be made of: options->image, or the image that is chosen. */
V_MUST_CHECK int create_image(struct stel *s, const struct stel_volume_options *options,
			      char out[STEL_NAME_MAX + 1], struct verr *e);

#endif
