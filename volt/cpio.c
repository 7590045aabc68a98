/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/cpio.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* "070701" and thirteen numbers of eight hexadecimal digits. */
#define HEADER 110
#define TRAILER "TRAILER!!!"
#define NAME_MAX_LEN 4096

/* Numbers have 32 bits, and no initrd that makes sense comes near. */
#define ARCHIVE_MAX GIB(1)

static size_t padding(size_t len)
{
	return -len & 3;
}

static int reserve(struct cpio *c, size_t len, struct verr *e)
{
	size_t room = c->room > 0 ? c->room : KIB(64);
	uint8_t *at;

	if (len > ARCHIVE_MAX || c->len + len > ARCHIVE_MAX)
		return verr_invalid(e, "an initrd has at most %llu bytes",
				    (unsigned long long)ARCHIVE_MAX);
	while (room < c->len + len)
		room *= 2;
	if (room == c->room)
		return 0;
	at = realloc(c->at, room);
	if (at == NULL)
		return verr_host(e, "out of memory: an initrd of %zu bytes", c->len + len);
	c->at = at;
	c->room = room;
	return 0;
}

/* There must be room. */
static void put(struct cpio *c, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(c->at + c->len, bytes, len);
	c->len += len;
}

static void pad(struct cpio *c)
{
	put(c, "\0\0\0", padding(c->len));
}

static int add(struct cpio *c, const char *name, unsigned mode, unsigned links, struct bytes data,
	       struct verr *e)
{
	size_t name_len = strnlen(name, NAME_MAX_LEN) + 1;
	char head[HEADER + 1];

	if (name_len > NAME_MAX_LEN)
		return verr_invalid(e, "%.40s...: the name is too long", name);
	if (reserve(c, HEADER + name_len + 3 + data.len + 3, e) < 0)
		return -1;
	(void)snprintf(head, sizeof(head),
		       "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++c->inodes,
		       mode, 0u, 0u, links, 0u, (unsigned)data.len, 0u, 0u, 0u, 0u,
		       (unsigned)name_len, 0u);
	put(c, head, HEADER);
	put(c, name, name_len);
	pad(c);
	put(c, data.at, data.len);
	pad(c);
	return 0;
}

int cpio_folder(struct cpio *c, const char *name, unsigned mode, struct verr *e)
{
	return add(c, name, S_IFDIR | mode, 2, bytes_of(NULL, 0), e);
}

int cpio_file(struct cpio *c, const char *name, unsigned mode, struct bytes data, struct verr *e)
{
	return add(c, name, S_IFREG | mode, 1, data, e);
}

int cpio_end(struct cpio *c, struct verr *e)
{
	return add(c, TRAILER, 0, 1, bytes_of(NULL, 0), e);
}

void cpio_deinit(struct cpio *c)
{
	free(c->at);
	*c = (struct cpio)CPIO_INIT;
}
