/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_add.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "volt/vmlinux.h"

/* A file's name may have anything in it; the origin is lines of text. */
static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7F)
			*text = '?';
}

static int put_origin(struct stage *st, const struct kernel_origin *o, struct verr *e)
{
	char text[STORE_ORIGIN_MAX], from[STORE_ORIGIN_MAX / 2], when[32];
	time_t now = time(NULL);
	struct tm utc;
	int n;

	(void)snprintf(from, sizeof(from), "%s", o->from);
	make_printable(from);
	if (gmtime_r(&now, &utc) == NULL ||
	    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		when[0] = '\0';
	n = snprintf(text, sizeof(text), "release: %s\nfrom: %s\npacked: %s\nadded: %s\n",
		     o->release, from, o->packed, when);
	return stage_put(st, STORE_ORIGIN, text, (size_t)n, e);
}

int kernel_add(struct stage *st, int fd, const char *name, const struct kernel_origin *origin,
	       struct verr *e)
{
	struct vmlinux ignored;
	struct stat s;

	if (fstat(fd, &s) < 0)
		return verr_os(e, "stat %s", STORE_KERNEL);
	if (vmlinux_inspect(fd, (uint64_t)s.st_size, &ignored, e) < 0)
		return verr_note(e, "%s: what is in it", origin->from);
	if (put_origin(st, origin, e) < 0 || stage_commit(st, name, e) < 0)
		return -1;
	printf("%s/%s/%s\n", st->store->path, name, STORE_KERNEL);
	return 0;
}
