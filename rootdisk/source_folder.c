/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of this host. Somebody may be at work in it, and may be hostile: a file is read only
 * if it is still the one that was surveyed.
 */
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "rootdisk/source_priv.h"

#define READ_BYTES MIB(1)

/* A regular file, or another with several names. */
struct file {
	struct file *next; /* the one found after it */
	struct tree_node *node;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
	char path[]; /* on this host */
};

struct folder {
	struct source source; /* first */
	const char *path;     /* borrowed */
	struct file *first, *last;
	void *linked; /* tsearch()'s tree of files with several names */
	char *buffer; /* READ_BYTES */
	char names[XATTR_LIST_MAX];
};

static int compare_files(const void *a, const void *b)
{
	const struct file *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	return (x->ino > y->ino) - (x->ino < y->ino);
}

static bool is_same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Open the file if it is what it was; a pipe that took its place does not block. */
static int open_file(const struct file *file, struct verr *e)
{
	auto_fd fd = open(file->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return verr_invalid_os(e, "cannot read it");
	if (st.st_dev != file->dev || st.st_ino != file->ino || st.st_size != file->size ||
	    !is_same_time(st.st_mtim, file->mtime) || !is_same_time(st.st_ctim, file->ctime))
		return verr_invalid(e, "changed while it was read");
	return fd_take(&fd);
}

/* From where on there is data, and to where; a file system that cannot tell has no holes. */
static bool find_data(int fd, off_t size, off_t at, off_t *start, off_t *end)
{
	*start = lseek(fd, at, SEEK_DATA);
	if (*start < 0 && errno == ENXIO)
		return false;
	if (*start < 0)
		*start = at;
	*end = lseek(fd, *start, SEEK_HOLE);
	if (*end < 0 || *end > size)
		*end = size;
	return *start < size;
}

static int read_content(struct folder *s, const struct file *file, struct content *c,
			struct verr *e)
{
	auto_fd fd = open_file(file, e);
	off_t at = 0, end;

	if (fd < 0)
		return -1;
	content_begin(c, file->node);
	while (at < file->size && find_data(fd, file->size, at, &at, &end)) {
		while (at < end) {
			ssize_t n =
				pread(fd, s->buffer, (size_t)MIN((off_t)READ_BYTES, end - at), at);

			if (interrupt_check(e) < 0)
				return -1;
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return verr_os(e, "read it");
			if (n == 0)
				return verr_invalid(e, "changed while it was read");
			if (content_put(c, (uint64_t)at, s->buffer, (size_t)n, e) < 0)
				return -1;
			at += n;
		}
	}
	return content_end(c, e);
}

static int add_attributes(struct folder *s, struct tree *t, struct tree_node *node,
			  const char *path, struct verr *e)
{
	ssize_t len = llistxattr(path, s->names, XATTR_LIST_MAX), n;

	if (len < 0 && errno == ENOTSUP)
		return 0;
	if (len < 0)
		return verr_os(e, "list its attributes");
	for (const char *name = s->names; name < s->names + len; name += strlen(name) + 1) {
		n = lgetxattr(path, name, s->buffer, XATTR_SIZE_MAX);
		if (n < 0)
			return verr_os(e, "read its attribute %.40s", name);
		if (source_add_xattr(t, node, name, s->buffer, (size_t)n, e) < 0)
			return -1;
	}
	return 0;
}

static int get_facts(const FTSENT *entry, struct tree_facts *facts, char target[PATH_MAX],
		     struct verr *e)
{
	const struct stat *st = entry->fts_statp;

	*facts = (struct tree_facts){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
	};
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		facts->major = major(st->st_rdev);
		facts->minor = minor(st->st_rdev);
	}
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlink(entry->fts_accpath, target, PATH_MAX - 1);

		if (n < 0)
			return verr_os(e, "read the link");
		target[n] = '\0';
		facts->target = target;
	}
	return 0;
}

static struct file *remember_file(struct folder *s, const FTSENT *entry, struct verr *e)
{
	const struct stat *st = entry->fts_statp;
	size_t len = strlen(entry->fts_path);
	struct file *file = calloc(1, sizeof(*file) + len + 1);

	if (file == NULL) {
		(void)verr_host(e, "out of memory");
		return NULL;
	}
	memcpy(file->path, entry->fts_path, len);
	file->dev = st->st_dev;
	file->ino = st->st_ino;
	file->size = st->st_size;
	file->mtime = st->st_mtim;
	file->ctime = st->st_ctim;
	if (s->last != NULL)
		s->last->next = file;
	else
		s->first = file;
	s->last = file;
	return file;
}

/* `path` is within the disk. */
static int survey_file(struct folder *s, struct tree *t, struct content *c, const FTSENT *entry,
		       const char *path, struct verr *e)
{
	const struct stat *st = entry->fts_statp;
	char target[PATH_MAX];
	struct tree_facts facts;
	struct file *file = NULL;
	struct tree_node *node;

	if (!S_ISDIR(st->st_mode) && (st->st_nlink > 1 || S_ISREG(st->st_mode))) {
		file = remember_file(s, entry, e);
		if (file == NULL)
			return -1;
	}
	if (file != NULL && st->st_nlink > 1) {
		struct file **found = tsearch(file, &s->linked, compare_files);

		if (found == NULL)
			return verr_host(e, "out of memory");
		if (*found != file)
			return tree_link_node(t, path, (*found)->node, e);
	}
	if (get_facts(entry, &facts, target, e) < 0)
		return -1;
	node = source_add(&s->source, t, path, &facts, e);
	if (node == NULL || add_attributes(s, t, node, entry->fts_accpath, e) < 0)
		return -1;
	if (file == NULL)
		return 0;
	file->node = node;
	if (!S_ISREG(st->st_mode))
		return 0;
	node->size = (uint64_t)file->size;
	return read_content(s, file, c, e);
}

static int survey_entry(struct folder *s, struct tree *t, struct content *c, const FTSENT *entry,
			struct verr *e)
{
	const char *path = entry->fts_path + strlen(s->path);

	switch (entry->fts_info) {
	case FTS_DP: /* a folder, for the second time */
		return 0;
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		errno = entry->fts_errno;
		return verr_invalid_os(e, "cannot read it");
	case FTS_DC:
		return verr_invalid(e, "leads back to a folder around it");
	default:
		return survey_file(s, t, c, entry, path, e);
	}
}

static int survey(struct source *source, struct tree *t, struct content *c, struct verr *e)
{
	struct folder *s = (struct folder *)source;
	char root[PATH_MAX];
	char *const roots[] = {root, NULL};
	const FTSENT *entry;
	FTS *fts;
	int r = 0;

	if ((size_t)snprintf(root, sizeof(root), "%s", s->path) >= sizeof(root))
		return verr_invalid(e, "the name is too long");
	fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (fts == NULL)
		return verr_os(e, "read it");
	while (r == 0 && (errno = 0, entry = fts_read(fts)) != NULL) {
		r = survey_entry(s, t, c, entry, e);
		if (r < 0)
			(void)source_note(e, entry->fts_path);
	}
	if (r == 0 && errno != 0)
		r = verr_os(e, "read it");
	(void)fts_close(fts);
	return r;
}

static int copy(struct source *source, struct content *c, struct verr *e)
{
	struct folder *s = (struct folder *)source;

	for (const struct file *file = s->first; file != NULL; file = file->next) {
		if (file->node == NULL || !S_ISREG(file->node->mode) || file->node->links == 0)
			continue;
		if (read_content(s, file, c, e) < 0)
			return source_note(e, file->path);
	}
	return 0;
}

static void leave_file(void *file)
{
	(void)file; /* the list has it */
}

static void deinit(struct source *source)
{
	struct folder *s = (struct folder *)source;
	struct file *next;

	tdestroy(s->linked, leave_file);
	for (struct file *file = s->first; file != NULL; file = next) {
		next = file->next;
		free(file);
	}
	free(s->buffer);
}

int source_open_folder(struct source **out, const char *path, const struct source_owner *owner,
		       struct verr *e)
{
	static const struct source_class class = {survey, copy, deinit};
	struct folder *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->source = (struct source){.class = &class, .owner = *owner};
	s->path = path;
	s->buffer = malloc(READ_BYTES);
	if (s->buffer == NULL) {
		free(s);
		return verr_host(e, "out of memory");
	}
	*out = &s->source;
	return 0;
}
