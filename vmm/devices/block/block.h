/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio disk (VIRTIO 1.2, 5.2) over a raw file, a block device, or a volume of a store.
 *
 * Each queue has an engine, a fixed set of requests, and a loop that serves it. A turn takes what
 * the driver has made available, up to a limit, so that other devices get theirs; a queue that has
 * no free request, or whose rate is used up, goes on when one completes or the time has come.
 *
 * A flush completes when the host says that everything written before it is on the disk. A driver
 * that cannot flush gets that with every write. `unsafe` promises neither.
 */
#ifndef VOLT_VMM_DEVICES_BLOCK_BLOCK_H
#define VOLT_VMM_DEVICES_BLOCK_BLOCK_H

#include "vmm/config/choices.h"
#include "vmm/devices/block/volume.h"
#include "vmm/devices/block/workers.h"
#include "vmm/devices/block/written.h"
#include "vmm/virtio/device.h"

struct block;

struct block_rate {
	uint64_t rate, burst; /* a second; 0: no limit, and one second's worth */
	uint64_t once;        /* on top, and not given again */
};

struct block_options {
	const char *id;   /* the serial number that the guest reads; at most 20 bytes are used */
	const char *path; /* of a file; not of a volume */
	const struct disk_volume_options *volume; /* NULL: a file */
	bool readonly;
	bool private; /* of a file: it stays as it is, and writes are gone with the machine */
	enum disk_cache cache;
	enum disk_engine_kind engine;
	uint16_t queues; /* at least 1 */
	struct block_rate bytes, ops;
	struct loop *const *loops; /* queue n belongs to loop n modulo nloops */
	size_t nloops;
	struct workers *workers; /* for the sync engine */
};

/* Open the disk; faults name what is wrong with the file. The rest of the options is borrowed. */
V_MUST_CHECK int block_new(const struct block_options *options, struct block **out, struct verr *e);

/*
 * Put another file of the same kind behind the disk, or take the size that the same one has by now;
 * the driver is told. A private disk is so no longer: the file is written, and what was is gone.
 * What is in flight is done first. Loop's thread; after a fault nothing has
 * changed.
 */
V_MUST_CHECK int block_change_file(struct block *block, int fd, const char *path, struct verr *e);

/* Other limits, from now on. Any thread. */
void block_change_limits(struct block *block, struct block_rate bytes, struct block_rate ops);

/*
 * Serve nothing any more, and wait for what is in flight. The guest has stopped; the loops still
 * run, for io_uring cancels what a thread that ends has asked for. Accepts NULL.
 */
void block_stop(struct block *block);

/* After its loops have ended. Stops it, where that has not been done. Accepts NULL. */
struct block *block_free(struct block *block);

struct vdev *block_vdev(struct block *block);

/* Which parts of it are written, for whoever has begun that. */
struct disk_written *block_written(struct block *block);

/* What its bytes are on. */
struct disk_medium *block_medium(struct block *block);

/* The descriptor of a file that is a disk as it is; -1 of others. Borrowed. */
int block_file(const struct block *block);

/* "io_uring" or "sync". */
const char *block_engine_name(const struct block *block);

/* The machine will not run: freeing takes away what opening has made. */
void block_undo(struct block *block);

/* What the image of a volume was called; NULL of a file. */
const char *block_image(const struct block *block);

struct metric_group block_metrics(const struct block *block);

#endif
