/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images as files, which many map. Theory of operation:
 *
 *	unpacked/KEY/lease      who uses the folder has this locked, shared
 *	unpacked/KEY/...        the files
 *	unpacked/KEY.new/       it is being written by who has the lease in it locked
 *	unpacked/NUMBER.old/    it is being removed
 *
 * KEY is made of this start of the host, then of the files' paths and their images: so a folder
 * never has anything else in it, and what a crash of the host may have left of one is not found
 * again. It gets its name when it is complete, and loses that before the first file goes: who
 * finds it by its name and then has its lease may rely on all of it, if it still is called so.
 * Nobody needs to be alive for what is left over to be removed, as locks end with their holders.
 */
#ifndef STELLARIUM_IMAGE_UNPACK_H
#define STELLARIUM_IMAGE_UNPACK_H

#include "stellarium/image/image.h"

#define UNPACK_LEASE "lease"
#define UNPACK_BOOT 16 /* letters of a key that are this start's */
#define UNPACK_NAME 64

/* unpacked/ of a store. -1: there is none, or it cannot be opened; errno says which. */
int unpack_room(const struct stel *s);

/* The letters that all keys begin with until the host is started again. */
V_MUST_CHECK int unpack_boot(char out[static UNPACK_BOOT + 1], struct verr *e);

/* Is this open lease the one of the folder that is called `name` now? */
bool unpack_is_named(int room, const char *name, int lease);

/* Remove what is in a folder, but for its lease; and that, and the folder. What cannot be removed
 * stays. `*freed`, unless NULL, grows by their bytes. */
void unpack_clear(int folder, uint64_t *freed);
void unpack_remove(int room, const char *name, uint64_t *freed);

/*
 * The same for what nobody uses: half-written folders, those of other starts and, with `all`,
 * complete ones.
 */
void unpack_tidy(int room, bool all, uint64_t *freed);

#endif
