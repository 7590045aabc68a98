/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: what a process is working with, so that garbage collection leaves it alone. A lease is a
 * file in leases/ that its holder has locked; it ends with its holder. In it are pins:
 *
 * pack   every chunk in this pack, and the pack itself, must stay
 * image  every chunk of this image must stay
 *
 * A pin is in force when lease_pin_*() returns, before anything relies on it.
 */
#ifndef STELLARIUM_STORE_LEASE_H
#define STELLARIUM_STORE_LEASE_H

#include "stellarium/include/stellarium.h"
#include "stellarium/store/seal.h"

struct lease {
	int folder; /* leases/, borrowed */
	int fd;     /* -1: none */
	char name[32];
	uint64_t end;    /* of the file */
	uint64_t *packs; /* those pinned, in order */
	size_t count, room;
};

#define LEASE_INIT       \
	{                \
		.fd = -1 \
	}

V_MUST_CHECK int lease_take(struct lease *l, int folder, const struct seal_store *store,
			    struct verr *e);
void lease_drop(struct lease *l);

/*
 * Remove some files of dead processes: of a few that are chosen at random those that nobody has
 * locked. For holders that cannot remove their own: where each does this once, there are never many
 * more files than processes.
 */
void lease_tidy(int folder);

bool lease_has_pack(const struct lease *l, uint64_t pack);
V_MUST_CHECK int lease_pin_pack(struct lease *l, uint64_t pack, struct verr *e);
void lease_forget_pack(struct lease *l, uint64_t pack); /* the pin came too late: not to rely on */
V_MUST_CHECK int lease_pin_image(struct lease *l, const struct stel_id *id, struct verr *e);

/* All pins of living processes; those of dead ones are removed on the way. */
struct lease_pins {
	uint64_t *packs; /* in order */
	size_t packs_count;
	struct stel_id *images;
	size_t images_count;
};

V_MUST_CHECK int lease_pins_read(struct lease_pins *out, int folder, const struct seal_store *store,
				 struct verr *e);
bool lease_pins_have_pack(const struct lease_pins *p, uint64_t pack);
void lease_pins_deinit(struct lease_pins *p);

#endif
