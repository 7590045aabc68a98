/* SPDX-License-Identifier: Apache-2.0 */
/* Where a volume's overlay is, and the name in the store that keeps its image. */
#ifndef STELLARIUM_VOLUME_PLACE_H
#define STELLARIUM_VOLUME_PLACE_H

#include "stellarium/image/image.h"
#include "stellarium/volume/overlay.h"

/* The overlay of a folder, or a file itself, opened as far as its folder. */
struct place {
	int folder;
	char *name;
	bool is_file; /* the user named the file */
	bool made;    /* the folder was */
};

#define PLACE_INIT           \
	{                    \
		.folder = -1 \
	}

/* `path` is a folder's or, with `is_file`, or where it is one already, an overlay's. With `create`
 * a folder that is missing is made. */
V_MUST_CHECK int place_open(struct place *p, const char *path, bool is_file, bool create,
			    struct verr *e);
void place_close(struct place *p);

/* Is nothing else in the folder? A volume is not made among other things. */
V_MUST_CHECK int place_check_empty(const struct place *p, struct verr *e);

static inline struct overlay_place place_overlay(const struct place *p)
{
	return (struct overlay_place){.folder = p->folder, .name = p->name};
}

/* The last part of a path, without slashes behind it; the caller frees it. NULL: no memory. */
char *place_last_part(const char *path);

/* A new name for an overlay's head. */
V_MUST_CHECK int reference_new(char out[OVERLAY_REFERENCE], struct verr *e);

/* The name leads to the image of `head` when this returns; `*added`: it did not before. */
V_MUST_CHECK int reference_keep(struct stel *s, const struct overlay_head *head, bool *added,
				struct verr *e);

/* Where it leads to that image, it goes. */
V_MUST_CHECK int reference_drop(struct stel *s, const struct overlay_head *head, struct verr *e);

#endif
