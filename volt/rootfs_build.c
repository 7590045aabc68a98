/* SPDX-License-Identifier: Apache-2.0 */
/* volt rootfs build: a root disk from a Debian suite, a tar or a folder. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "vmm/config/config.h"
#include "volt/debian.h"
#include "cli/interrupt.h"
#include "cli/outfile.h"
#include "volt/rootfs.h"
#include "rootdisk/disk.h"
#include "rootdisk/spool.h"

#define DEFAULT_SUITE "bookworm"

enum { OUTPUT, SUITE, INCLUDE, MIRROR, FROM, SIZE, OWNER, INIT, NO_INIT };

static const struct verb_option options[] = {
	[OUTPUT] = {.name = "output",
		    .letter = 'o',
		    .value = "FILE",
		    .help = "where to put the disk"},
	[SUITE] = {.name = "suite", .value = "NAME", .help = "of Debian; default: " DEFAULT_SUITE},
	[INCLUDE] = {.name = "include",
		     .value = "PKG,...",
		     .help = "packages besides the essential ones and apt"},
	[MIRROR] = {.name = "mirror", .value = "URL", .help = "default: Debian's own"},
	[FROM] = {.name = "from",
		  .value = "TAR|DIR",
		  .help = "not Debian but these files; -: a tar on stdin"},
	[SIZE] = {.name = "size",
		  .value = "SIZE",
		  .help = "as 2G; default: twice what is needed, 1G at least"},
	[OWNER] = {.name = "owner",
		   .value = "root|UID:GID",
		   .help = "of all files; default: as they are"},
	[INIT] = {.name = "init", .value = "FILE", .help = "another volt-init"},
	[NO_INIT] = {.name = "no-init", .help = "leave volt-init out"},
};

struct build {
	const char *from; /* NULL: Debian */
	struct debian debian;
	struct disk_options options;
	struct outfile out;
	int tar; /* descriptor */
	struct disk disk;
};

static int parse(struct build *b, const struct verb_args *args, struct verr *e)
{
	const char *const *o = args->options;

	b->from = o[FROM];
	b->debian = (struct debian){.suite = o[SUITE] != NULL ? o[SUITE] : DEFAULT_SUITE,
				    .include = o[INCLUDE],
				    .mirror = o[MIRROR]};
	if (o[OUTPUT] == NULL)
		return verr_invalid(e, "expected -o FILE, where to put the disk");
	if (o[FROM] != NULL && (o[SUITE] != NULL || o[INCLUDE] != NULL || o[MIRROR] != NULL))
		return verr_invalid(e, "--from is instead of --suite, --include and --mirror");
	if (o[INIT] != NULL && o[NO_INIT] != NULL)
		return verr_invalid(e, "--init and --no-init exclude each other");
	if (o[SIZE] != NULL &&
	    (!setting_parse_size(o[SIZE], &b->options.size) || b->options.size == 0))
		return verr_invalid(e, "--size: expected a size such as 512M or 2G");
	if (o[OWNER] != NULL && source_parse_owner(o[OWNER], &b->options.owner, e) < 0)
		return -1;
	b->options.init = o[INIT];
	b->options.without_init = o[NO_INIT] != NULL;
	if (disk_init(&b->disk, &b->options, e) < 0)
		return -1;
	return b->from == NULL ? debian_check(&b->debian, e) : 0;
}

/* The archive as a file that can be read twice. */
static int open_tar(struct build *b, struct verr *e)
{
	auto_fd in = -1;

	if (b->from == NULL) {
		b->tar = spool_open(b->out.path, e);
		if (b->tar < 0)
			return -1;
		verb_progress("making a tar of Debian %s", b->debian.suite);
		return debian_write_tar(&b->debian, b->tar, e);
	}
	if (strcmp(b->from, "-") == 0)
		in = dup(STDIN_FILENO);
	else
		in = open(b->from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return verr_invalid_os(e, "cannot read");
	return spool_input(fd_take(&in), b->out.path, &b->tar, e);
}

static int read_files(struct build *b, struct verr *e)
{
	struct stat st;

	if (b->from != NULL && strcmp(b->from, "-") != 0 && stat(b->from, &st) == 0 &&
	    S_ISDIR(st.st_mode)) {
		verb_progress("reading the files");
		return disk_read_folder(&b->disk, b->from, e);
	}
	if (open_tar(b, e) < 0)
		return -1;
	verb_progress("reading the files");
	return disk_read_tar(&b->disk, b->tar, e);
}

static int write_disk(struct build *b, struct verr *e)
{
	const struct ext4_plan *plan = &b->disk.plan;

	if (disk_plan(&b->disk, e) < 0)
		return -1;
	verb_progress("writing %s: %u files, %llu of %llu MiB", b->out.path,
		      b->disk.tree.order_count,
		      (unsigned long long)(plan->blocks * TREE_BLOCK / MIB(1)),
		      (unsigned long long)(plan->size / MIB(1)));
	if (disk_write(&b->disk, b->out.fd, e) < 0 || interrupt_check(e) < 0)
		return -1;
	return outfile_commit(&b->out, e);
}

static int build(struct build *b, const struct verb_args *args, struct verr *e)
{
	if (parse(b, args, e) < 0 || outfile_open(&b->out, args->options[OUTPUT], e) < 0)
		return -1;
	if (read_files(b, e) < 0)
		return b->from != NULL ? verr_note(e, "%s", b->from) : -1;
	return write_disk(b, e) < 0 ? verr_note(e, "%s", args->options[OUTPUT]) : 0;
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct build b = {.disk = DISK_INIT, .out = OUTFILE_INIT, .tar = -1};
	int r;

	interrupt_watch();
	r = build(&b, args, e);
	disk_deinit(&b.disk);
	fd_close(&b.tar);
	outfile_deinit(&b.out);
	interrupt_obey();
	return r;
}

const struct verb rootfs_build_verb = {
	.name = "build",
	.summary = "make an ext4 root disk of a Debian suite, a tar or a folder",
	.about =
		"Without --from, mmdebstrap makes the files, as an ordinary user, too. The disk is "
		"written without\n"
		"root, loop device or mount; the same files and size give the same bytes. In it is "
		"volt-init, as\n"
		"/sbin/volt-init.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
