/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"

#define TEXT_MAX KIB(16)

bool stamp_of(int fd, const char *name, struct stamp_file *out)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	*out = (struct stamp_file){
		.device = st.st_dev,
		.inode = st.st_ino,
		.size = (uint64_t)st.st_size,
		.ctime_ns =
			(uint64_t)st.st_ctim.tv_sec * 1000000000U + (uint64_t)st.st_ctim.tv_nsec,
	};
	(void)snprintf(out->name, sizeof(out->name), "%s", name);
	return true;
}

void stamp_add(struct stamp *s, const struct stamp_file *file)
{
	if (s->count < STAMP_FILES_MAX)
		s->files[s->count++] = *file;
}

void stamp_set(struct stamp *s, const struct stamp_file *file)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->files[i].name, file->name) == 0) {
			s->files[i] = *file;
			return;
		}
	stamp_add(s, file);
}

bool stamp_has(const struct stamp *s, const struct stamp_file *file)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct stamp_file *f = &s->files[i];

		if (strcmp(f->name, file->name) == 0 && f->device == file->device &&
		    f->inode == file->inode && f->size == file->size &&
		    f->ctime_ns == file->ctime_ns)
			return true;
	}
	return false;
}

static struct stamp_self self_of(int fd)
{
	struct statx x;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &x) < 0 ||
	    (x.stx_mask & STATX_BTIME) == 0)
		return (struct stamp_self){0};
	return (struct stamp_self){
		.device = makedev(x.stx_dev_major, x.stx_dev_minor),
		.inode = x.stx_ino,
		.born_ns = (uint64_t)x.stx_btime.tv_sec * 1000000000U + x.stx_btime.tv_nsec,
	};
}

bool stamp_is_own(const struct stamp *s, int fd)
{
	const struct stamp_self now = self_of(fd);

	return now.born_ns != 0 && now.device == s->self.device && now.inode == s->self.inode &&
	       now.born_ns == s->self.born_ns;
}

static int head_of(const uint8_t id[static STAMP_ID], char *out, size_t size)
{
	int len = snprintf(out, size, "volt-verified 2 ");

	for (size_t i = 0; i < STAMP_ID; i++)
		len += snprintf(out + len, size - (size_t)len, "%02x", id[i]);
	return len + snprintf(out + len, size - (size_t)len, " ");
}

int stamp_write(const struct stamp *s, int fd, struct verr *e)
{
	char text[TEXT_MAX];
	const struct stamp_self self = self_of(fd);
	int len = head_of(s->id, text, sizeof(text));

	len += snprintf(text + len, sizeof(text) - (size_t)len,
			"%" PRIu64 " %" PRIu64 " %" PRIu64 " \n", self.device, self.inode,
			self.born_ns);
	for (size_t i = 0; i < s->count; i++) {
		const struct stamp_file *f = &s->files[i];

		len += snprintf(text + len, sizeof(text) - (size_t)len,
				"%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", f->device,
				f->inode, f->size, f->ctime_ns, f->name);
	}
	len += snprintf(text + len, sizeof(text) - (size_t)len, "end\n");
	return copy_put(fd, text, (uint64_t)len, 0, e);
}

/* A number and the blank behind it. */
static bool take_number(const char **at, uint64_t *out)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*out = strtoull(*at, &end, 10);
	if (errno != 0 || *end != ' ')
		return false;
	*at = end + 1;
	return true;
}

/* One line; false: it is none. */
static bool read_line(const char *line, struct stamp_file *f)
{
	size_t len;

	if (!take_number(&line, &f->device) || !take_number(&line, &f->inode) ||
	    !take_number(&line, &f->size) || !take_number(&line, &f->ctime_ns))
		return false;
	len = strcspn(line, "\n");
	if (len == 0 || len >= sizeof(f->name) || line[len] != '\n')
		return false;
	(void)snprintf(f->name, sizeof(f->name), "%.*s", (int)len, line);
	return true;
}

void stamp_read(struct stamp *s, const uint8_t id[static STAMP_ID], int fd)
{
	char text[TEXT_MAX + 1], head[64];
	ssize_t len = pread(fd, text, TEXT_MAX, 0);
	const char *line = text;
	struct stamp found = {.count = 0};

	*s = (struct stamp){.count = 0};
	memcpy(s->id, id, STAMP_ID);
	text[MAX(len, 0)] = '\0';
	(void)head_of(id, head, sizeof(head));
	if (strncmp(line, head, strlen(head)) != 0)
		return;
	line += strlen(head);
	if (!take_number(&line, &found.self.device) || !take_number(&line, &found.self.inode) ||
	    !take_number(&line, &found.self.born_ns) || *line++ != '\n')
		return;
	for (; strcmp(line, "end\n") != 0; line = strchr(line, '\n') + 1) {
		struct stamp_file f;

		if (!read_line(line, &f))
			return;
		stamp_add(&found, &f);
	}
	memcpy(found.id, id, STAMP_ID);
	*s = found;
}

void stamp_replace(const struct stamp *s, const char *path)
{
	char temporary[PATH_MAX];
	struct verr none = VERR_INIT;
	auto_fd fd = -1;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path) >= sizeof(temporary))
		return;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return;
	if (stamp_write(s, fd, &none) < 0 || rename(temporary, path) < 0)
		(void)unlink(temporary);
}
