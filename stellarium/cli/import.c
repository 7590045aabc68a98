/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium import: make an image of a file, or of a disk with the files of a folder or a tar. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "rootdisk/disk.h"
#include "rootdisk/spool.h"
#include "stellarium/cli/common.h"

enum { CUT, CHUNK_SIZE, CODEC, REPLACE, RAW, TAR, SIZE, OWNER, INIT, NO_INIT, JSON };

static const struct verb_option options[] = {
	[CUT] = COMMON_CUT,
	[CHUNK_SIZE] = COMMON_CHUNK_SIZE,
	[CODEC] = COMMON_CODEC,
	[REPLACE] = {.name = "replace", .help = "an image of this name may be there already"},
	[RAW] = {.name = "raw", .help = "a tar's own bytes, too"},
	[TAR] = {.name = "tar",
		 .help = "FILE is a tar: for standard input, which is not looked at"},
	[SIZE] = {.name = "size",
		  .value = "SIZE",
		  .help = "of a disk, as 2G; default: twice what is needed, 1G at least"},
	[OWNER] = {.name = "owner",
		   .value = "OWNER",
		   .help = "root, or UID:GID, of a disk's files; default: as they are"},
	[INIT] = {.name = "init", .value = "FILE", .help = "another volt-init for a disk"},
	[NO_INIT] = {.name = "no-init", .help = "leave volt-init out of a disk"},
	[JSON] = COMMON_JSON,
};

/* What the image is made of, and the bytes for that: a file of the user's, or a disk made of it. */
struct input {
	const char *path, *from; /* "file", "folder", "tar" */
	const char *beside;      /* where there is room */
	struct disk_options options;
	int given, disk; /* descriptors */
};

static int parse_disk(const char *const *given, struct disk_options *o, struct verr *e)
{
	*o = (struct disk_options){.init = given[INIT], .without_init = given[NO_INIT] != NULL};
	if (given[RAW] != NULL && given[TAR] != NULL)
		return verr_invalid(e, "--raw and --tar exclude each other");
	if (given[INIT] != NULL && given[NO_INIT] != NULL)
		return verr_invalid(e, "--init and --no-init exclude each other");
	if (given[SIZE] != NULL && (!common_parse_size(given[SIZE], &o->size) || o->size == 0))
		return verr_invalid(e, "--size %s: expected a size such as 512M or 2G",
				    given[SIZE]);
	return given[OWNER] != NULL ? source_parse_owner(given[OWNER], &o->owner, e) : 0;
}

static int find_out(struct input *in, const char *const *given, struct verr *e)
{
	struct stat st;
	bool tar = given[TAR] != NULL;

	in->from = "file";
	if (fstat(in->given, &st) < 0)
		return verr_invalid_os(e, "cannot read");
	if (S_ISDIR(st.st_mode)) {
		in->from = "folder";
		return given[RAW] != NULL || tar ? verr_invalid(e, "it is a folder") : 0;
	}
	if (S_ISREG(st.st_mode) && strcmp(in->path, "-") != 0 && !tar && given[RAW] == NULL &&
	    source_is_tar(in->given, &tar, e) < 0)
		return -1;
	if (tar)
		in->from = "tar";
	return 0;
}

static int read_files(struct input *in, struct disk *d, struct verr *e)
{
	if (disk_init(d, &in->options, e) < 0)
		return -1;
	verb_progress("reading the files");
	if (strcmp(in->from, "folder") == 0)
		return disk_read_folder(d, in->path, e);
	if (spool_input(fd_take(&in->given), in->beside, &in->given, e) < 0)
		return -1;
	return disk_read_tar(d, in->given, e);
}

/* Before the work; stel_import() looks again. */
static int check_free(struct stel *s, const char *name, bool replace, struct verr *e)
{
	struct verr none = VERR_INIT;
	struct stel_image *image;

	if (stel_check_name(name, e) < 0)
		return -1;
	if (replace || stel_image_open(s, name, &image, &none) < 0)
		return 0;
	(void)stel_image_close(image);
	return verr_state(e, "%s: there is such an image already", name);
}

static int make_disk(struct input *in, struct verr *e)
{
	struct disk d = DISK_INIT;
	int r = -1;

	in->disk = spool_open(in->beside, e);
	if (in->disk >= 0 && read_files(in, &d, e) == 0 && disk_plan(&d, e) == 0) {
		verb_progress("making a disk of %u files, %llu MiB", d.tree.order_count,
			      (unsigned long long)(d.plan.size / MIB(1)));
		r = disk_write(&d, in->disk, e);
	}
	disk_deinit(&d);
	return r;
}

static int open_input(struct stel *s, struct input *in, const struct verb_args *args,
		      struct verr *e)
{
	const char *const *given = args->options;

	in->path = args->operands[2];
	if (parse_disk(given, &in->options, e) < 0)
		return -1;
	if (strcmp(in->path, "-") == 0)
		in->given = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		in->given = open(in->path, O_RDONLY | O_CLOEXEC);
	if (in->given < 0)
		return verr_invalid_os(e, "open %s", in->path);
	if (find_out(in, given, e) < 0)
		return verr_note(e, "%s", in->path);
	if (strcmp(in->from, "file") != 0 &&
	    check_free(s, args->operands[1], given[REPLACE] != NULL, e) < 0)
		return -1;
	if (strcmp(in->from, "file") != 0)
		return make_disk(in, e) < 0 ? verr_note(e, "%s", in->path) : 0;
	if (given[SIZE] != NULL || given[OWNER] != NULL || given[INIT] != NULL ||
	    given[NO_INIT] != NULL)
		return verr_invalid(
			e, "%s: --size, --owner, --init and --no-init are for a folder or a tar",
			in->path);
	return 0;
}

static int import(struct stel *s, const struct verb_args *args, struct input *in, struct verr *e)
{
	const char *const *given = args->options;
	struct stel_options o = *stel_defaults(s);
	struct progress progress;
	struct stel_watch watch;
	struct stel_import result;
	int r;

	if (common_options(given[CUT], given[CHUNK_SIZE], given[CODEC], &o, e) < 0 ||
	    open_input(s, in, args, e) < 0)
		return -1;
	watch = common_progress(&progress, args->operands[1]);
	r = stel_import(s, args->operands[1], in->disk >= 0 ? in->disk : in->given, &o,
			given[REPLACE] != NULL, &watch, &result, e);
	progress_end(&progress);
	if (r < 0)
		return verr_note(e, "%s", in->path);
	return common_print_import(&result, in->from, given[JSON] != NULL, e);
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	auto_free char *beside = NULL;
	struct input in = {.given = -1, .disk = -1};
	int r;

	if (asprintf(&beside, "%s/import", args->operands[0]) < 0) {
		beside = NULL;
		return verr_host(e, "out of memory");
	}
	in.beside = beside;
	r = import(s, args, &in, e);
	fd_close(&in.given);
	fd_close(&in.disk);
	return r;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb import_verb = {
	.name = "import",
	.summary = "make an image of a file, a device, a stream, or of a folder or tar as a disk",
	.about = "FILE is -: standard input. Of a folder or a tar, packed or not, becomes a root "
		 "disk that "
		 "boots,\nas volt rootfs build makes it; the same files give the same image. What "
		 "the "
		 "store has already is\nnot stored again. Prints the image's id.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "STORE NAME FILE|FOLDER|TAR",
	.operands_min = 3,
	.operands_max = 3,
};
