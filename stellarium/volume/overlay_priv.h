/* SPDX-License-Identifier: Apache-2.0 */
/* What overlay.c and overlay_open.c share. */
#ifndef STELLARIUM_VOLUME_OVERLAY_PRIV_H
#define STELLARIUM_VOLUME_OVERLAY_PRIV_H

#include "stellarium/volume/overlay.h"

/* Write the mark of a flush; 0 or an errno. */
V_MUST_CHECK int overlay_put_number(const struct overlay *o, uint64_t number);

#endif
