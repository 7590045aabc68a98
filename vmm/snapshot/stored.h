/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots in a content-addressed store. One called NAME is these images:
 *
 *	snapshot/NAME/state
 *	snapshot/NAME/memory       cut by pages, so what other images have is there once
 *	snapshot/NAME/disks/ID     what the folder has as disks/ID: a disk's copy, a volume's
 *overlay snapshot/NAME/images/ID    the image that a volume is of, so that it stays
 *
 * They get their names together, in one record of the store's names: there is never half of one,
 * and what is killed before leaves garbage. A machine goes on from files that the store writes
 * once, and all who go on from the same snapshot map (stel_unpack()).
 */
#ifndef VOLT_VMM_SNAPSHOT_STORED_H
#define VOLT_VMM_SNAPSHOT_STORED_H

#include <limits.h>

#include "stellarium/include/stellarium.h"
#include "vmm/snapshot/snapshot.h"

#define STORED_PREFIX "snapshot/"
#define STORED_NAME_MAX 100

/* May a snapshot be called so? Without slashes, unlike an image. */
V_MUST_CHECK int stored_check_name(const char *name, struct verr *e);

/* "snapshot/NAME/PART" or "snapshot/NAME/PARTID". */
void stored_image(const char *name, const char *part, const char *id,
		  char out[static STEL_NAME_MAX + 1]);

/* The images of one. */
struct stored_parts {
	struct stel_file files[STEL_FILES_MAX]; /* by their paths in its folder; not images/ */
	size_t count;
	uint64_t sizes[STEL_FILES_MAX];
	char names[2 * STEL_FILES_MAX][STEL_NAME_MAX + 1]; /* of all, images/ too */
	size_t names_count;
};

/* NOT_FOUND: there is no such snapshot. */
V_MUST_CHECK int stored_find(struct stel *s, const char *name, struct stored_parts *out,
			     struct verr *e);

/* A fault where there is one of this name: before the work. */
V_MUST_CHECK int stored_check_free(struct stel *s, const char *name, struct verr *e);

struct stored_made {
	uint8_t id[SNAPSHOT_ID];
	uint64_t size;        /* bytes of its images */
	uint64_t raw, stored; /* of those, what the store did not have; and that, compressed */
};

/* Put in the snapshot in a folder, which has no base. A name that is taken is a fault. */
V_MUST_CHECK int stored_put(struct stel *s, const char *name, const char *folder,
			    const struct stel_watch *watch, struct stored_made *out,
			    struct verr *e);

/*
 * One as a folder that is not to be changed, for as long as `*lease` is open (in any process). The
 * store is not open afterwards.
 */
V_MUST_CHECK int stored_get(const char *store, const char *name, char path[static PATH_MAX],
			    int *lease, struct verr *e);

/* One as a new folder. */
V_MUST_CHECK int stored_export(struct stel *s, const char *name, const char *path,
			       const struct stel_watch *watch, struct verr *e);

/* Its names go, together. */
V_MUST_CHECK int stored_remove(struct stel *s, const char *name, struct verr *e);

#endif
