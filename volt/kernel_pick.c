/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_pick.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

#define PREFIX "vmlinuz-"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_candidate(const char *name)
{
	return strncmp(name, PREFIX, strlen(PREFIX)) == 0 && !ends_with(name, ".old") &&
	       !ends_with(name, ".bak") && strstr(name, ".dpkg-") == NULL &&
	       strstr(name, "-rescue-") == NULL;
}

static bool is_better(const char *name, const char *best)
{
	bool cloud = strstr(name, "-cloud-") != NULL;

	if (*best == '\0')
		return true;
	if (cloud != (strstr(best, "-cloud-") != NULL))
		return cloud;
	return strverscmp(name, best) > 0;
}

int kernel_pick(const char *folder, char *out, size_t size, struct verr *e)
{
	char best[NAME_MAX + 1] = "";
	const struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL)
		return verr_invalid_os(e, "cannot look for a kernel in %s: name a file", folder);
	while ((entry = readdir(dir)) != NULL)
		if (is_candidate(entry->d_name) && is_better(entry->d_name, best))
			(void)snprintf(best, sizeof(best), "%s", entry->d_name);
	(void)closedir(dir);
	if (*best == '\0')
		return verr_not_found(e,
				      "there is no %s/" PREFIX "*: name a file, or apt-get install "
				      "linux-image-cloud-amd64",
				      folder);
	if ((size_t)snprintf(out, size, "%s/%s", folder, best) >= size)
		return verr_invalid(e, "%s: the name is too long", folder);
	return 0;
}
