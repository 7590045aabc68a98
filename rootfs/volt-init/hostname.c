/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/hostname.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/say.h"

#define FILE_MAX ((size_t)4 << 10)
#define BLANKS " \t\r"

char *hostname_parse(char *text)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		line += strspn(line, BLANKS);
		line[strcspn(line, BLANKS)] = '\0';
		if (*line && *line != '#')
			return line;
	}
	return NULL;
}

static const char *read_own(void)
{
	size_t size;
	char *text = file_read(HOSTNAME_PATH, FILE_MAX, &size);

	return text ? hostname_parse(text) : NULL;
}

void hostname_set(const char *wanted, const char *image)
{
	const char *name = wanted ? wanted : image;

	if (!name)
		name = read_own();
	if (!name)
		return;
	if (*name == '\0' || strlen(name) > HOSTNAME_MAX)
		say("host name \"%.80s\": expected 1 to %d bytes", name, HOSTNAME_MAX);
	else if (sethostname(name, strlen(name)) < 0)
		say("cannot set the host name \"%s\": %s", name, strerror(errno));
}
