/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"

/* XDG Base Directory Specification: folders that it names are made private, and must be absolute.
 */
#define BASE_MODE 0700
#define STORE_MODE 0755
#define STORE_BELOW_BASE "/volt/kernels"

static int find_base(char *out, size_t size, struct verr *e)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int n;

	if (data != NULL && data[0] == '/')
		n = snprintf(out, size, "%s", data);
	else if (home != NULL && home[0] == '/')
		n = snprintf(out, size, "%s/.local/share", home);
	else
		return verr_invalid(e, "do not know where kernels are kept: set HOME or "
				       "XDG_DATA_HOME to a folder, from / on");
	/* Room for the rest, and for a kernel's name and files. */
	if ((size_t)n + sizeof(STORE_BELOW_BASE) + STORE_NAME_MAX + 32 > size)
		return verr_invalid(e, "%.40s...: the folder's name is too long", out);
	return 0;
}

/* Make the folder and those above it; the ones past `base_len` with STORE_MODE. */
static int make_folders(char *path, size_t base_len, struct verr *e)
{
	for (char *at = path + 1;; at++) {
		char end = *at;

		if (end != '/' && end != '\0')
			continue;
		*at = '\0';
		if (mkdir(path, (size_t)(at - path) > base_len ? STORE_MODE : BASE_MODE) < 0 &&
		    errno != EEXIST)
			return verr_os(e, "make the folder %s", path);
		*at = end;
		if (end == '\0')
			return 0;
	}
}

int store_open(struct store *s, bool create, struct verr *e)
{
	size_t base_len;

	*s = (struct store)STORE_INIT;
	if (find_base(s->path, sizeof(s->path), e) < 0)
		return -1;
	base_len = strlen(s->path);
	memcpy(s->path + base_len, STORE_BELOW_BASE, sizeof(STORE_BELOW_BASE));
	if (create && make_folders(s->path, base_len, e) < 0)
		return -1;
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0 && (create || errno != ENOENT))
		return verr_os(e, "open %s", s->path);
	return 0;
}

void store_close(struct store *s)
{
	fd_close(&s->fd);
}

static bool is_name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       strchr("._-+~", c) != NULL;
}

int store_check_name(const char *name, struct verr *e)
{
	size_t len = strlen(name);

	if (len == 0 || len > STORE_NAME_MAX)
		return verr_invalid(e, "a kernel's name has 1 to %d characters, not %zu",
				    STORE_NAME_MAX, len);
	if (name[0] == '.' || name[0] == '-')
		return verr_invalid(e, "%s: a kernel's name must not begin with %c", name, name[0]);
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return verr_invalid(e,
					    "a kernel's name has only A-Z a-z 0-9 . _ - + ~ in it");
	return 0;
}

bool store_origin_value(const char *text, const char *key, char *out, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");

		if (len > key_len + 1 && strncmp(line, key, key_len) == 0 &&
		    strncmp(line + key_len, ": ", 2) == 0) {
			len -= key_len + 2;
			return (size_t)snprintf(out, size, "%.*s", (int)len, line + key_len + 2) <
			       size;
		}
		line += len + (line[len] == '\n');
	}
	return false;
}
