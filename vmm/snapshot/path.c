/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/path.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool climbs(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	return false;
}

static size_t skip_slashes(const char *path)
{
	return strspn(path, "/");
}

static int put(char out[static PATH_MAX], int len, struct verr *e)
{
	(void)out;
	return len < 0 || len >= PATH_MAX ? verr_invalid(e, "a path is longer than %d", PATH_MAX)
					  : 0;
}

int path_relative(const char *from, const char *to, char out[static PATH_MAX], struct verr *e)
{
	const char *f = from, *t = to;
	size_t used = 0;

	if (*f != '/' || *t != '/' || climbs(f) || climbs(t) || strstr(f, "/./") != NULL)
		return put(out, snprintf(out, PATH_MAX, "%s", to), e);
	for (;;) { /* what they have in common */
		f += skip_slashes(f);
		t += skip_slashes(t);
		size_t n = strcspn(f, "/");

		if (n == 0 || strncmp(f, t, n) != 0 || t[n] != '/')
			break;
		f += n;
		t += n;
	}
	for (; *f != '\0'; f += strcspn(f, "/"), f += skip_slashes(f)) {
		if (used + 3 >= PATH_MAX)
			return put(out, PATH_MAX, e);
		used += (size_t)snprintf(out + used, PATH_MAX - used, "../");
	}
	return put(out, (int)used + snprintf(out + used, PATH_MAX - used, "%s", t), e);
}

int path_join(const char *from, const char *path, char out[static PATH_MAX], struct verr *e)
{
	if (*path == '/')
		return put(out, snprintf(out, PATH_MAX, "%s", path), e);
	return put(out, snprintf(out, PATH_MAX, "%s/%s", from, path), e);
}
