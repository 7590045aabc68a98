/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "contract/initrd.h"
#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/options.h"
#include "rootfs/volt-init/say.h"

#define BLANKS " \t\n\v\f\r"

/* The next word with its quotes, which the kernel takes off a module's parameters as well. */
static const char *next_word(const char **at, size_t *size)
{
	const char *word = *at + strspn(*at, BLANKS);
	const char *end = word;
	bool quoted = false;

	for (; *end && (quoted || !strchr(BLANKS, *end)); end++)
		quoted ^= *end == '"';
	*at = end;
	*size = (size_t)(end - word);
	return word;
}

static char fold(char c)
{
	return c == '-' ? '_' : c;
}

/* How much of "word" is "NAME." for the module; 0 where it is not. */
static size_t prefix_size(const char *word, size_t size, const char *name, size_t name_size)
{
	if (size <= name_size + 1 || word[name_size] != '.')
		return 0;
	for (size_t i = 0; i < name_size; i++) {
		if (fold(word[i]) != fold(name[i]))
			return 0;
	}
	return name_size + 1;
}

void modules_params(const char *file, const char *line, char *params, size_t size)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash ? slash + 1 : file;
	size_t name_size = strcspn(name, ".");
	const char *word;
	size_t length, used = 0;

	while (word = next_word(&line, &length), length > 0) {
		if (length == 2 && strncmp(word, "--", 2) == 0)
			break;
		/* A word may be quoted as a whole. */
		size_t quote = word[0] == '"';
		size_t prefix = prefix_size(word + quote, length - quote, name, name_size);
		if (prefix == 0)
			continue;
		length -= quote + prefix;
		if (used + quote + length + 2 > size)
			break;
		if (used > 0)
			params[used++] = ' ';
		if (quote)
			params[used++] = '"';
		memcpy(params + used, word + quote + prefix, length);
		used += length;
	}
	params[used] = '\0';
}

static bool load_file(const char *file, const char *params)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	long done = syscall(SYS_finit_module, fd, params, 0);
	int err = errno;
	close(fd);
	errno = err;
	return done == 0;
}

static void load(const char *file, const char *line, bool debug)
{
	char params[MODULES_PARAMS];

	modules_params(file, line, params, sizeof(params));
	if (load_file(file, params))
		say_step(debug, "loaded %s %s", file, params);
	else if (errno == EEXIST || errno == ENODEV)
		/* There already, or for something that this machine does not have. */
		say_step(debug, "%s is not needed: %s", file, strerror(errno));
	else
		say("cannot load %s: %s", file, strerror(errno));
}

void modules_load(const char *list, bool debug)
{
	size_t size;
	const char *line = file_read("/proc/cmdline", OPTIONS_LINE, &size);
	char *text = file_read(list, VOLT_INITRD_LIST_SIZE, &size);
	char *file;

	if (!text && errno != ENOENT)
		say("cannot read %s: %s", list, strerror(errno));
	while (text && (file = strsep(&text, "\n"))) {
		if (*file)
			load(file, line ? line : "", debug);
	}
}
