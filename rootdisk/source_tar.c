/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar archive. libarchive reads its formats (old, ustar, pax, GNU's with long names and holes)
 * and what it is packed with; what an entry means for a disk is decided here and in tree.c.
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/bytes.h"
#include "cli/interrupt.h"
#include "rootdisk/source_priv.h"

#define READ_BYTES MIB(1)

/* The binary form of an ACL in an extended attribute: <linux/posix_acl_xattr.h>. */
#define ACL_VERSION 2
#define ACL_HEAD 4
#define ACL_ENTRY 8
#define ACL_NO_ID 0xffffffffU
#define ACL_ENTRIES_MAX 500 /* more do not fit beside an inode */

struct tar {
	struct source source; /* first */
	int fd;               /* borrowed */
	struct archive *archive;

	/* By entry: the regular file that it made, or NULL. */
	struct tree_node **files;
	size_t files_count, files_room;
};

static int archive_fault(struct tar *s, struct verr *e)
{
	const char *text = archive_error_string(s->archive);

	return verr_invalid(e, "%s", text != NULL ? text : "cannot be read");
}

static int open_archive(struct tar *s, struct verr *e)
{
	struct archive *a = archive_read_new();

	(void)archive_read_free(s->archive);
	s->archive = a;
	if (a == NULL)
		return verr_host(e, "out of memory");
	if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return archive_fault(s, e);
	if (lseek(s->fd, 0, SEEK_SET) < 0)
		return verr_os(e, "go to its beginning");
	if (archive_read_open_fd(a, s->fd, READ_BYTES) != ARCHIVE_OK) {
		(void)archive_fault(s, e);
		return verr_note(e, "not a tar, nor one packed with gzip, xz or zstd");
	}
	return 0;
}

int source_is_tar(int fd, bool *is, struct verr *e)
{
	struct tar s = {.fd = fd};
	struct verr ignored = VERR_INIT;
	struct archive_entry *entry;

	*is = false;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return verr_os(e, "go to its beginning");
	if (open_archive(&s, &ignored) == 0) {
		int r = archive_read_next_header(s.archive, &entry);

		*is = r == ARCHIVE_OK || r == ARCHIVE_WARN;
	}
	(void)archive_read_free(s.archive);
	return lseek(fd, 0, SEEK_SET) < 0 ? verr_os(e, "go to its beginning") : 0;
}

enum next_result { NEXT_ENTRY, NEXT_END, NEXT_FAULT };

static enum next_result next_entry(struct tar *s, struct archive_entry **entry, struct verr *e)
{
	int r = interrupt_check(e) < 0 ? ARCHIVE_FATAL
				       : archive_read_next_header(s->archive, entry);
	const char *text;

	if (r == ARCHIVE_OK)
		return NEXT_ENTRY;
	if (r == ARCHIVE_EOF)
		return NEXT_END;
	/*
	 * Names in pax headers are UTF-8, and this program has no locale to convert them to: the
	 * bytes are used as they are, which libarchive mentions. All else is damage.
	 */
	text = archive_error_string(s->archive);
	if (r == ARCHIVE_WARN && text != NULL && strstr(text, "can't be converted") != NULL)
		return NEXT_ENTRY;
	(void)archive_fault(s, e);
	return NEXT_FAULT;
}

/* The blocks of content of the entry that next_entry() came to. */
static int read_content(struct tar *s, struct content *c, struct verr *e)
{
	for (;;) {
		const void *bytes;
		size_t len;
		int64_t offset;
		int r = archive_read_data_block(s->archive, &bytes, &len, &offset);

		if (r == ARCHIVE_EOF)
			return content_end(c, e);
		if (r != ARCHIVE_OK)
			return archive_fault(s, e);
		if (interrupt_check(e) < 0)
			return -1;
		if (len > 0 && content_put(c, (uint64_t)offset, bytes, len, e) < 0)
			return -1;
	}
}

static int remember_file(struct tar *s, struct tree_node *node, struct verr *e)
{
	if (s->files_count == s->files_room) {
		size_t room = MAX(s->files_room * 2, 1024);
		struct tree_node **more = realloc(s->files, room * sizeof(struct tree_node *));

		if (more == NULL)
			return verr_host(e, "out of memory");
		s->files = more;
		s->files_room = room;
	}
	s->files[s->files_count++] = node;
	return 0;
}

/* The tag of libarchive's in an attribute's, or 0. */
static uint16_t acl_tag(int tag)
{
	switch (tag) {
	case ARCHIVE_ENTRY_ACL_USER_OBJ:
		return 0x01;
	case ARCHIVE_ENTRY_ACL_USER:
		return 0x02;
	case ARCHIVE_ENTRY_ACL_GROUP_OBJ:
		return 0x04;
	case ARCHIVE_ENTRY_ACL_GROUP:
		return 0x08;
	case ARCHIVE_ENTRY_ACL_MASK:
		return 0x10;
	case ARCHIVE_ENTRY_ACL_OTHER:
		return 0x20;
	default:
		return 0;
	}
}

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

/* The kernel refuses an ACL in another order. */
static int compare_acl(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int set_acl(struct tree *t, struct tree_node *node, const char *name,
		   struct acl_entry *entries, size_t count, struct verr *e)
{
	uint8_t value[ACL_HEAD + ACL_ENTRY * ACL_ENTRIES_MAX];
	size_t len = ACL_HEAD;

	qsort(entries, count, sizeof(*entries), compare_acl);
	put_le32(value, ACL_VERSION);
	for (size_t i = 0; i < count; i++, len += ACL_ENTRY) {
		put_le16(value + len, entries[i].tag);
		put_le16(value + len + 2, entries[i].permissions);
		put_le32(value + len + 4, entries[i].id);
	}
	return tree_set_xattr(t, node, name, value, len, e);
}

/* An ACL that the archive has as text, as the attribute that it is on a disk. */
static int add_acl(struct tree *t, struct tree_node *node, struct archive_entry *entry, int type,
		   const char *name, struct verr *e)
{
	struct acl_entry entries[ACL_ENTRIES_MAX];
	int announced = archive_entry_acl_reset(entry, type);
	int got, permissions, tag, id;
	const char *who;
	size_t count = 0;

	/* Of an access ACL of three entries nothing but the mode's bits is left. */
	if (announced == 0 || (type == ARCHIVE_ENTRY_ACL_TYPE_ACCESS && announced <= 3))
		return 0;
	while (archive_entry_acl_next(entry, type, &got, &permissions, &tag, &id, &who) ==
	       ARCHIVE_OK) {
		bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;

		if (count == ACL_ENTRIES_MAX)
			return verr_invalid(e, "an ACL of %d entries", announced);
		if (acl_tag(tag) == 0 || (named && id < 0))
			return verr_invalid(e, "an ACL that is none of POSIX's with numbers");
		entries[count++] = (struct acl_entry){.tag = acl_tag(tag),
						      .permissions = (uint16_t)(permissions & 7),
						      .id = named ? (uint32_t)id : ACL_NO_ID};
	}
	return set_acl(t, node, name, entries, count, e);
}

static int add_attributes(struct tree *t, struct tree_node *node, struct archive_entry *entry,
			  struct verr *e)
{
	const char *name;
	const void *value;
	size_t len;

	(void)archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK)
		if (name != NULL && source_add_xattr(t, node, name, value, len, e) < 0)
			return -1;
	if (add_acl(t, node, entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", e) <
	    0)
		return -1;
	return add_acl(t, node, entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default",
		       e);
}

static int get_facts(struct archive_entry *entry, struct tree_facts *facts, struct verr *e)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);

	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return verr_invalid(e, "owner %lld:%lld", (long long)uid, (long long)gid);
	*facts = (struct tree_facts){
		.mode = archive_entry_filetype(entry) | (archive_entry_perm(entry) & 07777),
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.mtime = archive_entry_mtime_is_set(entry) ? archive_entry_mtime(entry) : TREE_TIME,
		.mtime_ns = (uint32_t)archive_entry_mtime_nsec(entry),
	};
	switch (facts->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFIFO:
		return 0;
	case S_IFLNK:
		facts->target = archive_entry_symlink(entry);
		return facts->target == NULL ? verr_invalid(e, "a link to nowhere") : 0;
	case S_IFCHR:
	case S_IFBLK:
		facts->major = (uint32_t)archive_entry_rdevmajor(entry);
		facts->minor = (uint32_t)archive_entry_rdevminor(entry);
		return 0;
	default:
		return verr_invalid(e, "a file of a type that disks do not have");
	}
}

static int survey_entry(struct tar *s, struct tree *t, struct content *c,
			struct archive_entry *entry, const char *path, struct verr *e)
{
	const char *link = archive_entry_hardlink(entry);
	struct tree_facts facts;
	struct tree_node *node;

	/* One with content has that of the file it links to. */
	if (link != NULL)
		return tree_link(t, path, link, e) < 0 ? -1 : remember_file(s, NULL, e);
	if (get_facts(entry, &facts, e) < 0)
		return -1;
	node = source_add(&s->source, t, path, &facts, e);
	if (node == NULL || add_attributes(t, node, entry, e) < 0)
		return -1;
	if (!S_ISREG(facts.mode))
		return remember_file(s, NULL, e);
	if (archive_entry_size(entry) < 0)
		return verr_invalid(e, "its size is negative");
	node->size = (uint64_t)archive_entry_size(entry);
	content_begin(c, node);
	return read_content(s, c, e) < 0 ? -1 : remember_file(s, node, e);
}

static int survey(struct source *source, struct tree *t, struct content *c, struct verr *e)
{
	struct tar *s = (struct tar *)source;
	struct archive_entry *entry;
	enum next_result next;

	if (open_archive(s, e) < 0)
		return -1;
	while ((next = next_entry(s, &entry, e)) == NEXT_ENTRY) {
		const char *path = archive_entry_pathname(entry);

		if (path == NULL || *path == '\0')
			return verr_invalid(e, "an entry without a name");
		if (survey_entry(s, t, c, entry, path, e) < 0)
			return source_note(e, path);
	}
	if (next == NEXT_END && s->files_count == 0)
		return verr_invalid(e, "no files in it");
	return next == NEXT_END ? 0 : -1;
}

static int copy(struct source *source, struct content *c, struct verr *e)
{
	struct tar *s = (struct tar *)source;
	struct archive_entry *entry;
	enum next_result next;
	size_t i = 0;

	if (open_archive(s, e) < 0)
		return -1;
	for (; (next = next_entry(s, &entry, e)) == NEXT_ENTRY; i++) {
		struct tree_node *node = i < s->files_count ? s->files[i] : NULL;

		if (node == NULL || node->links == 0)
			continue;
		content_begin(c, node);
		if (read_content(s, c, e) < 0)
			return source_note(e, archive_entry_pathname(entry));
	}
	if (next == NEXT_END && i != s->files_count)
		return verr_invalid(e, "changed while it was read");
	return next == NEXT_END ? 0 : -1;
}

static void deinit(struct source *source)
{
	struct tar *s = (struct tar *)source;

	(void)archive_read_free(s->archive);
	free(s->files);
}

int source_open_tar(struct source **out, int fd, const struct source_owner *owner, struct verr *e)
{
	static const struct source_class class = {survey, copy, deinit};
	struct tar *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->source = (struct source){.class = &class, .owner = *owner};
	s->fd = fd;
	*out = &s->source;
	return 0;
}
