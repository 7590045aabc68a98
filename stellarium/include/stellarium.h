/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libstellarium: images kept content-addressed.
 *
 * An image is cut into chunks; a chunk is known by the BLAKE3 hash of what is in it, and stored
 * once, compressed, whatever number of images it is part of. An image is a tree of such hashes, so
 * the hash of its root names all of it. Names lead to images; what no name leads to is garbage, and
 * removed by stel_gc().
 *
 * A store is a folder. Many processes may read, write and collect garbage at once. A call that
 * succeeds is durable. One that fails, or whose process dies, leaves at most garbage.
 *
 * Nothing here prints or exits. A store is used by one thread at a time, and opened at most once
 * in a process (LMDB's locks are the process's).
 */
#ifndef STELLARIUM_H
#define STELLARIUM_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "base/verr.h"

#define STEL_ID_BYTES 32
#define STEL_ID_TEXT (2 * STEL_ID_BYTES + 1)
#define STEL_NAME_MAX 200

struct stel;       /* an open store */
struct stel_image; /* an image opened to be read; as long as it is, garbage collection spares it */

struct stel_id {
	uint8_t bytes[STEL_ID_BYTES];
};

/* Numbers are those of the files' formats: never reused. */
enum stel_method {
	STEL_CUT_PAGE = 1,    /* disks, memory: 4 KiB pages are never divided */
	STEL_CUT_FASTCDC = 2, /* files, streams: any byte may be a boundary */
	STEL_CUT_FIXED = 3,   /* what is written in place: all chunks are of one size */
};

enum stel_codec {
	STEL_CODEC_NONE = 1,
	STEL_CODEC_LZ4 = 2,
	STEL_CODEC_ZSTD = 3,
};

/* How to cut: sizes in bytes, powers of two, each a multiple of 4096. All alike for FIXED. */
struct stel_cutting {
	enum stel_method method;
	uint32_t min, average, max;
};

struct stel_options {
	struct stel_cutting cut;
	enum stel_codec codec;
	int level; /* of zstd: 1 to 19 */
};

/* Long work tells how far it is, on the caller's thread, and goes on as long as it hears true. */
struct stel_watch {
	bool (*go_on)(void *ctx, uint64_t done, uint64_t total); /* bytes; total 0: unknown */
	void *ctx;
};

void stel_id_text(const struct stel_id *id, char out[STEL_ID_TEXT]);

/* The usual sizes for a method. */
struct stel_cutting stel_cutting_usual(enum stel_method method);
const char *stel_method_name(enum stel_method method); /* "page"; static storage */
const char *stel_codec_name(enum stel_codec codec);

/* Make a store in a folder that is new, empty, or what an interrupted call left. */
V_MUST_CHECK int stel_create(const char *path, const struct stel_options *defaults, struct verr *e);
V_MUST_CHECK int stel_open(struct stel **out, const char *path, struct verr *e);
struct stel *stel_close(struct stel *s); /* takes NULL; returns NULL */

/* The store's defaults, for images that do not say otherwise. */
const struct stel_options *stel_defaults(const struct stel *s);

/* -- images ----------------------------------------------------------------------------------- */

struct stel_import {
	uint64_t size, zero;          /* bytes of the image; of those, in pages that are zero */
	uint64_t chunks, chunks_new;  /* not counting the tree */
	uint64_t raw_new, stored_new; /* bytes of the new chunks before and after compression */
	struct stel_id id;
};

/* Make an image of what `fd` has: a file or block device from its start, a stream to its end. An
 * image that is called so already is a fault unless `replace`. */
V_MUST_CHECK int stel_import(struct stel *s, const char *name, int fd,
			     const struct stel_options *options, bool replace,
			     const struct stel_watch *watch, struct stel_import *out,
			     struct verr *e);

/* The same without a name: the image stays as long as it is open, and for stel_name_all(). */
V_MUST_CHECK int stel_import_unnamed(struct stel *s, int fd, const struct stel_options *options,
				     const struct stel_watch *watch, struct stel_import *out,
				     struct stel_image **image, struct verr *e);

struct stel_info {
	struct stel_id id;
	uint64_t size;        /* bytes */
	uint64_t zero;        /* of those, in pages that are zero and not stored */
	uint64_t chunks;      /* places in the image that are chunks */
	uint64_t nodes;       /* of its tree */
	uint64_t unique, raw; /* different chunks, and their bytes */
	uint64_t stored;      /* the same, compressed, and the tree */
	struct stel_cutting cut;
};

V_MUST_CHECK int stel_image_open(struct stel *s, const char *name, struct stel_image **out,
				 struct verr *e);
struct stel_image *stel_image_close(struct stel_image *image); /* takes NULL; returns NULL */
uint64_t stel_image_size(const struct stel_image *image);
V_MUST_CHECK int stel_image_info(struct stel_image *image, struct stel_info *out, struct verr *e);

/* Read `len` bytes at `offset`, which must lie in the image. Each chunk is verified when it is
 * first read. Not for several threads at once. */
V_MUST_CHECK int stel_image_read(struct stel_image *image, void *out, uint64_t offset, size_t len,
				 struct verr *e);

/* Write all of it to `fd`: sparse if `fd` is an empty regular file, else zeros and all. */
V_MUST_CHECK int stel_export(struct stel_image *image, int fd, const struct stel_watch *watch,
			     struct verr *e);

/* What differs between two images: how much they share, and the ranges that are not alike. */
struct stel_diff {
	uint64_t shared, only_a, only_b; /* bytes of different chunks, wherever they are */
	uint64_t changed;                /* bytes at places where the images are not alike */
};
typedef void stel_range_fn(void *ctx, uint64_t offset, uint64_t len);
V_MUST_CHECK int stel_diff(struct stel_image *a, struct stel_image *b, stel_range_fn *range,
			   void *ctx, struct stel_diff *out, struct verr *e);

/* -- names ------------------------------------------------------------------------------------ */

struct stel_name {
	const char *name; /* lives as long as the call that shows it */
	struct stel_id id;
	uint64_t size; /* of the image, in bytes */
	int64_t time;  /* when the name was made, in seconds since 1970 */
};
typedef void stel_name_fn(void *ctx, const struct stel_name *name);

/* May an image be called so? A fault says what is wrong. */
V_MUST_CHECK int stel_check_name(const char *name, struct verr *e);

/* Show every name, in order. */
V_MUST_CHECK int stel_list(struct stel *s, stel_name_fn *show, void *ctx, struct verr *e);

/* The image gets another name; with `count` above 0 so many: PREFIX0, PREFIX1, ... All or none. */
V_MUST_CHECK int stel_clone(struct stel *s, const char *name, const char *as, unsigned int count,
			    struct verr *e);
/* Open images get names that none has yet, all at once or none. */
struct stel_naming {
	const char *name;
	const struct stel_image *image;
};
V_MUST_CHECK int stel_name_all(struct stel *s, const struct stel_naming *names, size_t count,
			       struct verr *e);

V_MUST_CHECK int stel_remove(struct stel *s, const char *const *names, size_t count,
			     struct verr *e);

/* -- volumes ---------------------------------------------------------------------------------- */

/*
 * A volume is a disk: an image, which many may share, and an overlay of what one machine has
 * written over it. The overlay is a sparse file, there at once whatever the image's size. A volume
 * in a folder is the file "overlay" in it.
 *
 * With its overlay goes a name in the store, "volume/" and a number, so that its image stays when
 * the name it was made from goes.
 */
struct stel_volume; /* an open one; it needs the store no more */

#define STEL_VOLUME_PREFIX "volume/"

enum stel_overlay {
	STEL_OVERLAY_FOLDER,  /* of the volume in this folder */
	STEL_OVERLAY_FILE,    /* this file */
	STEL_OVERLAY_NONE,    /* nothing can be written */
	STEL_OVERLAY_DISCARD, /* one that is gone when the volume is closed */
};

struct stel_volume_options {
	enum stel_overlay overlay;
	const char *path;  /* of the folder or file; else NULL */
	const char *image; /* NULL: the overlay's; and to make one, see stel_volume_create() */
	bool readonly;     /* the overlay is read and not written: several may do that */
	bool create;       /* an overlay that is not there is made */
	bool pretend;   /* only whether that would work: nothing is made, and nothing can be written
			 */
	bool passing;   /* the overlay goes with this process: no name keeps its image */
	bool unsafe;    /* what is flushed survives this process, but no crash of the host */
	uint64_t cache; /* bytes for chunks that were expanded */
	unsigned int threads; /* that read and write at once, at least 1 */
};

/*
 * Open a volume: its overlay is locked, its image leased until the process ends or closes it, every
 * file open that it will ever need. Faults are INVALID where the user is wrong (no such image,
 * another image's overlay, one in use), CORRUPT where something is damaged.
 */
V_MUST_CHECK int stel_volume_open(struct stel *s, const struct stel_volume_options *options,
				  struct stel_volume **out, struct verr *e);
/* What was not flushed is lost, or not. Takes NULL; returns NULL. */
struct stel_volume *stel_volume_close(struct stel_volume *v);
uint64_t stel_volume_size(const struct stel_volume *v); /* bytes */
bool stel_volume_readonly(const struct stel_volume *v);
const char *stel_volume_image(const struct stel_volume *v); /* what the user called it */

/* Its overlay's file, borrowed; what was flushed is in it. -1: it has none that outlives it. */
int stel_volume_overlay(const struct stel_volume *v);

bool stel_volume_made(const struct stel_volume *v); /* its overlay was made when it was opened */

/*
 * What a disk does; any thread, several at once, and none of it allocates or opens anything. Ranges
 * lie in the volume, buffers have the range's length. A fault's `os` is an errno. What was read
 * from an image is verified, or the fault names the chunk and the image.
 */
V_MUST_CHECK int stel_volume_read(struct stel_volume *v, const struct iovec *iov, size_t count,
				  uint64_t offset, uint64_t len, struct verr *e);
V_MUST_CHECK int stel_volume_write(struct stel_volume *v, const struct iovec *iov, size_t count,
				   uint64_t offset, uint64_t len, struct verr *e);
/* The range reads as zeros; the space it had is given back. */
V_MUST_CHECK int stel_volume_zero(struct stel_volume *v, uint64_t offset, uint64_t len,
				  struct verr *e);
/* What was written before is durable. */
V_MUST_CHECK int stel_volume_flush(struct stel_volume *v, struct verr *e);

/* Read without waiting for a disk or for much work; false: use stel_volume_read(). */
bool stel_volume_read_now(struct stel_volume *v, const struct iovec *iov, size_t count,
			  uint64_t offset, uint64_t len);

/* Reading ahead, for whoever has a thread to spare: is there something to do, and do a piece of
 * it; true: there is more. */
bool stel_volume_wants_ahead(const struct stel_volume *v);
bool stel_volume_ahead(struct stel_volume *v);

/*
 * Make a volume in a folder that is empty or, where it is missing, made. `image` NULL: the one that
 * is called as the folder is, or the only one there is.
 */
V_MUST_CHECK int stel_volume_create(struct stel *s, const char *folder, const char *image,
				    struct verr *e);

/* The overlay at `path` is a copy of another volume's: a name of its own keeps its image now. */
V_MUST_CHECK int stel_volume_adopt(struct stel *s, const char *path, struct verr *e);

struct stel_volume_info {
	struct stel_id image;
	char name[STEL_NAME_MAX + 1];      /* what the image was called */
	char reference[STEL_NAME_MAX + 1]; /* the name that keeps it */
	uint64_t size;                     /* bytes */
	bool in_use;                       /* then these are not known: */
	uint64_t written, zeroed;          /* bytes of pages in the overlay; that became zero */
	uint64_t on_disk;                  /* bytes that the overlay takes */
};
V_MUST_CHECK int stel_volume_info(struct stel *s, const char *folder, struct stel_volume_info *out,
				  struct verr *e);

/* Remove a volume that nobody uses, and its folder if nothing else is in it. */
V_MUST_CHECK int stel_volume_remove(struct stel *s, const char *folder, struct verr *e);

/*
 * Make an image of a volume that nobody uses: of what an import of all of it would, by reading
 * what was written and what is around it. The volume stays as it is.
 */
V_MUST_CHECK int stel_commit(struct stel *s, const char *folder, const char *name, bool replace,
			     const struct stel_watch *watch, struct stel_import *out,
			     struct verr *e);

/* -- images as files -------------------------------------------------------------------------- */

/*
 * Images as files in a folder of the store, for those who map them: written once, verified, and
 * then shared by all who ask for the same images by the same paths. They are never changed.
 */
struct stel_file {
	const char *path;  /* in the folder; at most one folder deeper: "disks/a" */
	const char *image; /* its name */
};

#define STEL_FILES_MAX 64

/* All files are written: add what belongs to them. `folder` is borrowed. */
typedef int stel_files_fn(void *ctx, int folder, struct verr *e);

/*
 * `path` is the folder's. It stays as it is as long as `*lease`, a descriptor, is open in any
 * process; after that stel_gc() removes it, and so does a restart of the host. `finish` is called
 * when they are written, and not when they are found; it may be NULL.
 */
V_MUST_CHECK int stel_unpack(struct stel *s, const struct stel_file *files, size_t count,
			     stel_files_fn *finish, void *ctx, char path[static PATH_MAX],
			     int *lease, struct verr *e);

/* -- the store -------------------------------------------------------------------------------- */

struct stel_stat {
	uint64_t names, images;  /* images that differ */
	uint64_t logical, zero;  /* bytes of all names' images; of those, zero pages */
	uint64_t chunks;         /* that some name leads to, without the trees */
	uint64_t raw, stored;    /* their bytes before and after compression */
	uint64_t tree;           /* stored bytes of the trees */
	uint64_t packs, on_disk; /* pack files, and their bytes */
	uint64_t garbage;        /* bytes of packs that nothing leads to */
	uint64_t index;          /* bytes of the index */
};
V_MUST_CHECK int stel_stat(struct stel *s, struct stel_stat *out, struct verr *e);

struct stel_gc {
	uint64_t packs_removed, packs_rewritten, packs_in_use;
	uint64_t freed; /* bytes */
};
V_MUST_CHECK int stel_gc(struct stel *s, const struct stel_watch *watch, struct stel_gc *out,
			 struct verr *e);

/* One thing that is damaged: what, and, where an image cannot be read whole for it, its name. */
typedef void stel_damage_fn(void *ctx, const char *image, const char *what);

struct stel_verify {
	uint64_t chunks, bytes;  /* looked at, as stored */
	uint64_t damages;        /* how often the function was called */
	uint64_t images_damaged; /* names */
};

/* Look at every byte. A fault means that looking failed; damage is told by the function. */
V_MUST_CHECK int stel_verify(struct stel *s, stel_damage_fn *damage, void *ctx,
			     const struct stel_watch *watch, struct stel_verify *out,
			     struct verr *e);

/* Write the index anew from the packs; nobody else may have the store open. */
V_MUST_CHECK int stel_repair_index(const char *path, uint64_t *chunks, struct verr *e);

#endif
