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
#include "volt/ext4.h"
#include "volt/furnish.h"
#include "cli/interrupt.h"
#include "cli/outfile.h"
#include "volt/rootfs.h"
#include "volt/source.h"
#include "volt/spool.h"

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
	struct source_owner owner;
	uint64_t size; /* 0: the default */
	struct furnish furnish;
	struct outfile out;
	int tar; /* descriptor */
	struct source *source;
	struct tree tree;
	struct ext4 ext4;
};

static int parse_owner(struct source_owner *o, const char *text, struct verr *e)
{
	char *end;

	o->set = true;
	if (strcmp(text, "root") == 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		unsigned long long n = strtoull(text, &end, 10);

		if (*text < '0' || *text > '9' || n >= UINT32_MAX || *end != (i == 0 ? ':' : '\0'))
			return verr_invalid(e, "--owner: expected root, or numbers as 1000:1000");
		*(i == 0 ? &o->uid : &o->gid) = (uint32_t)n;
		text = end + 1;
	}
	return 0;
}

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
	if (o[SIZE] != NULL && (!setting_parse_size(o[SIZE], &b->size) || b->size == 0))
		return verr_invalid(e, "--size: expected a size such as 512M or 2G");
	if (o[OWNER] != NULL && parse_owner(&b->owner, o[OWNER], e) < 0)
		return -1;
	if (o[NO_INIT] == NULL && furnish_read_init(&b->furnish, o[INIT], e) < 0)
		return o[INIT] != NULL ? verr_note(e, "--init") : -1;
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

static int open_source(struct build *b, struct verr *e)
{
	struct stat st;

	if (b->from != NULL && strcmp(b->from, "-") != 0 && stat(b->from, &st) == 0 &&
	    S_ISDIR(st.st_mode))
		return source_open_folder(&b->source, b->from, &b->owner, e);
	if (open_tar(b, e) < 0)
		return -1;
	return source_open_tar(&b->source, b->tar, &b->owner, e);
}

static int read_files(struct build *b, struct verr *e)
{
	if (open_source(b, e) < 0)
		return -1;
	verb_progress("reading the files");
	return source_survey(b->source, &b->tree, e);
}

static int write_disk(struct build *b, struct verr *e)
{
	struct ext4_plan plan;

	if (ext4_plan(&b->tree, b->size, &plan, e) < 0)
		return -1;
	verb_progress("writing %s: %u files, %llu of %llu MiB", b->out.path, b->tree.order_count,
		      (unsigned long long)(plan.blocks * TREE_BLOCK / MIB(1)),
		      (unsigned long long)(plan.size / MIB(1)));
	if (ext4_open(&b->ext4, b->out.fd, &b->tree, &plan, e) < 0 ||
	    source_copy(b->source, ext4_content, &b->ext4, e) < 0 ||
	    furnish_copy(&b->furnish, ext4_content, &b->ext4, e) < 0 || ext4_close(&b->ext4, e) < 0)
		return -1;
	return interrupt_check(e) < 0 ? -1 : outfile_commit(&b->out, e);
}

static int build(struct build *b, const struct verb_args *args, struct verr *e)
{
	if (parse(b, args, e) < 0 || outfile_open(&b->out, args->options[OUTPUT], e) < 0 ||
	    tree_init(&b->tree, e) < 0)
		return -1;
	if (read_files(b, e) < 0)
		return b->from != NULL ? verr_note(e, "%s", b->from) : -1;
	if (furnish_tree(&b->furnish, &b->tree, e) < 0 || tree_finish(&b->tree, e) < 0)
		return -1;
	return write_disk(b, e) < 0 ? verr_note(e, "%s", args->options[OUTPUT]) : 0;
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct build b = {
		.furnish = FURNISH_INIT, .out = OUTFILE_INIT, .tar = -1, .ext4 = EXT4_INIT};
	int r;

	interrupt_watch();
	r = build(&b, args, e);
	ext4_deinit(&b.ext4);
	b.source = source_free(b.source);
	tree_deinit(&b.tree);
	fd_close(&b.tar);
	outfile_deinit(&b.out);
	furnish_deinit(&b.furnish);
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
