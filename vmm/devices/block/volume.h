/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume of a content-addressed store as a disk: an image that others share, and an overlay of
 * what this machine writes. After opening it the store is closed again: what stays open is the
 * overlay, the packs with the image's chunks, read-only, and a lease.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_VOLUME_H
#define VOLT_VMM_DEVICES_BLOCK_VOLUME_H

#include "vmm/devices/block/disk.h"
#include "vmm/devices/block/workers.h"

struct disk_volume;

struct disk_volume_options {
	const char *id; /* for the log; at most 20 bytes are used */
	const char *store;
	const char *folder;  /* of a volume; NULL: the image is used with */
	const char *overlay; /* a file's path, "none" or "discard" */
	const char *image;   /* NULL: the one that the folder's volume is of */
	bool readonly;
	bool passing;     /* the overlay's file goes with the machine */
	bool unsafe;      /* flushes need not reach the host's disk */
	bool pretend;     /* nothing is made: a dry run */
	uint64_t cache;   /* bytes, for chunks that were expanded */
	unsigned threads; /* of the workers */
	struct workers *workers;
};

/* Whatever is wrong with what the user named is VERR_INVALID or VERR_NOT_FOUND. */
V_MUST_CHECK int disk_volume_open(const struct disk_volume_options *options,
				  struct disk_volume **out, struct verr *e);

/* Nothing is in flight. What was written is flushed, by a worker. Takes NULL; returns NULL. */
struct disk_volume *disk_volume_close(struct disk_volume *d);

/* The machine will not run: closing removes an overlay that opening has made. */
void disk_volume_undo(struct disk_volume *d);

struct disk_medium *disk_volume_medium(struct disk_volume *d);
const char *disk_volume_image(const struct disk_volume *d); /* what the user called it */

#endif
