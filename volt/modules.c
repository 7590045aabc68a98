/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/modules.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"

#define SUFFIX ".ko"

/* Far more than modules that need modules that need modules ever are. */
#define DEPTH_MAX 64

#define BLANKS " \t\r"

enum visit { VISIT_NEW, VISIT_UNDER_WAY, VISIT_DONE };

struct module {
	const char *path;
	const char *needs; /* paths between blanks */
	bool builtin;
	enum visit visit;
};

/* A part of a text that is not cut up. */
struct span {
	const char *at;
	size_t len;
};

/* Take the next word off a line; an empty one at its end. */
static struct span next_word(const char **at)
{
	struct span word;

	*at += strspn(*at, BLANKS);
	word = (struct span){*at, strcspn(*at, BLANKS "\n")};
	*at += word.len;
	return word;
}

static struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

/* The name in a path: "kernel/net/core/failover.ko.xz" is "failover"; empty where it is none. */
static struct span name_in(struct span path)
{
	const char *end = path.at + path.len, *slash = memrchr(path.at, '/', path.len), *suffix;

	if (slash != NULL)
		path = (struct span){slash + 1, (size_t)(end - slash - 1)};
	suffix = memmem(path.at, path.len, SUFFIX, strlen(SUFFIX));
	path.len = suffix != NULL && path.at[0] != '.' ? (size_t)(suffix - path.at) : 0;
	return path.len < MODULE_NAME_MAX ? path : (struct span){path.at, 0};
}

static char fold(char c)
{
	return c == '-' ? '_' : c;
}

static bool same_name(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (fold(a.at[i]) != fold(b.at[i]))
			return false;
	return a.len > 0;
}

/* There are a few thousand, and a dozen look-ups. */
static struct module *find(const struct modules *m, struct span name)
{
	for (size_t i = 0; i < m->count; i++)
		if (same_name(name_in(span_of(m->list[i].path)), name))
			return &m->list[i];
	return NULL;
}

static size_t count_lines(const char *text)
{
	size_t count = 1;

	for (; text != NULL && (text = strchr(text, '\n')) != NULL; text++)
		count++;
	return count;
}

/* Cut the next line off; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at != NULL && **at != '\0' ? *at : NULL, *end;

	if (line == NULL)
		return NULL;
	end = strchrnul(line, '\n');
	*at = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return line;
}

static int take_dep(struct modules *m, struct verr *e)
{
	char *at = m->texts.dep, *line;

	for (size_t number = 1; (line = next_line(&at)) != NULL; number++) {
		char *colon = strchr(line, ':');

		if (colon == NULL && line[strspn(line, BLANKS)] != '\0' && line[0] != '#')
			return verr_invalid(e, "modules.dep: line %zu: expected PATH: PATH...",
					    number);
		if (colon == NULL)
			continue;
		*colon = '\0';
		m->list[m->count++] = (struct module){.path = line, .needs = colon + 1};
	}
	return 0;
}

static void take_builtin(struct modules *m)
{
	char *at = m->texts.builtin, *line;

	while ((line = next_line(&at)) != NULL)
		m->list[m->count++] = (struct module){.path = line, .needs = "", .builtin = true};
}

int modules_parse(struct modules *m, struct modules_texts texts, struct verr *e)
{
	size_t most = count_lines(texts.dep) + count_lines(texts.builtin);

	*m = (struct modules)MODULES_INIT;
	m->texts = texts;
	m->list = calloc(most, sizeof(*m->list));
	m->order = calloc(most, sizeof(const struct module *));
	if (m->list == NULL || m->order == NULL)
		return verr_host(e, "out of memory");
	if (take_dep(m, e) < 0)
		return -1;
	take_builtin(m);
	return 0;
}

/* *text stays NULL where there is no such file. */
static int read_list(const char *folder, const char *name, char **text, struct verr *e)
{
	char path[PATH_MAX];
	uint64_t size;
	auto_free char *buffer = NULL;
	auto_fd fd = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path))
		return verr_invalid(e, "%s: the name is too long", folder);
	if (access(path, F_OK) < 0)
		return 0;
	fd = sys_open_input(path, &size, e);
	if (fd < 0)
		return -1;
	if (size > MODULES_LIST_MAX)
		return verr_invalid(e, "%s: has more than %zu bytes", path, MODULES_LIST_MAX);
	buffer = malloc(size + 1);
	if (buffer == NULL)
		return verr_host(e, "out of memory");
	if (sys_pread_full(fd, buffer, size, 0, e) < 0)
		return verr_note(e, "%s", path);
	buffer[size] = '\0';
	*text = ptr_take(buffer);
	return 0;
}

static void free_texts(struct modules_texts *texts)
{
	free(texts->dep);
	free(texts->builtin);
	free(texts->softdep);
	free(texts->alias);
	*texts = (struct modules_texts){0};
}

int modules_read(struct modules *m, const char *folder, struct verr *e)
{
	struct modules_texts texts = {0};

	*m = (struct modules)MODULES_INIT;
	if (read_list(folder, "modules.dep", &texts.dep, e) < 0 ||
	    read_list(folder, "modules.builtin", &texts.builtin, e) < 0 ||
	    read_list(folder, "modules.softdep", &texts.softdep, e) < 0 ||
	    read_list(folder, "modules.alias", &texts.alias, e) < 0) {
		free_texts(&texts);
		return -1;
	}
	if (texts.dep == NULL) {
		free_texts(&texts);
		return verr_not_found(e, "there is no %s/modules.dep", folder);
	}
	return modules_parse(m, texts, e) < 0 ? verr_note(e, "%s", folder) : 0;
}

void modules_deinit(struct modules *m)
{
	free_texts(&m->texts);
	free(m->list);
	free(m->order);
	*m = (struct modules)MODULES_INIT;
}

static int visit(struct modules *m, struct module *module, unsigned depth, struct verr *e);

/* "softdep NAME pre: NAME... post: NAME...": the names are often aliases, which several have. */
static int visit_alias(struct modules *m, struct span alias, unsigned depth, struct verr *e)
{
	struct module *module = find(m, alias);

	if (module != NULL)
		return visit(m, module, depth, e);
	for (const char *line = m->texts.alias; line != NULL && *line != '\0';) {
		const char *at = line;
		bool is_alias = same_name(next_word(&at), span_of("alias"));

		if (is_alias && same_name(next_word(&at), alias)) {
			module = find(m, next_word(&at));
			if (module != NULL && visit(m, module, depth, e) < 0)
				return -1;
		}
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return 0;
}

/* What a module would like to be loaded before it ("pre:") or after it ("post:"). */
static int visit_soft(struct modules *m, const struct module *module, const char *when,
		      unsigned depth, struct verr *e)
{
	struct span name = name_in(span_of(module->path)), word;

	for (const char *line = m->texts.softdep; line != NULL && *line != '\0';) {
		const char *at = line;
		bool now = false;

		if (same_name(next_word(&at), span_of("softdep")) &&
		    same_name(next_word(&at), name)) {
			while ((word = next_word(&at)).len > 0) {
				if (word.at[word.len - 1] == ':')
					now = same_name(word, span_of(when));
				else if (now && visit_alias(m, word, depth, e) < 0)
					return -1;
			}
		}
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return 0;
}

static int visit_needs(struct modules *m, const struct module *module, unsigned depth,
		       struct verr *e)
{
	const char *at = module->needs;
	struct span path;

	while ((path = next_word(&at)).len > 0) {
		struct module *needed = find(m, name_in(path));

		if (needed == NULL)
			return verr_invalid(e, "modules.dep: %.128s needs %.*s, which is not there",
					    module->path, (int)MIN(path.len, (size_t)128), path.at);
		if (visit(m, needed, depth, e) < 0)
			return -1;
	}
	return 0;
}

static int visit(struct modules *m, struct module *module, unsigned depth, struct verr *e)
{
	/* One that needs itself in a circle comes after the rest of it. */
	if (module->builtin || module->visit != VISIT_NEW)
		return 0;
	if (depth == DEPTH_MAX)
		return verr_invalid(e, "modules.dep: %.128s is needed too deep down", module->path);
	module->visit = VISIT_UNDER_WAY;
	if (visit_soft(m, module, "pre:", depth + 1, e) < 0 ||
	    visit_needs(m, module, depth + 1, e) < 0)
		return -1;
	m->order[m->order_count++] = module;
	module->visit = VISIT_DONE;
	return visit_soft(m, module, "post:", depth + 1, e);
}

int modules_want(struct modules *m, const char *name, enum modules_found *found, struct verr *e)
{
	struct module *module = find(m, span_of(name));

	*found = MODULES_NONE;
	if (module == NULL)
		return 0;
	*found = module->builtin ? MODULES_BUILTIN : MODULES_ORDERED;
	return visit(m, module, 0, e);
}

const char *modules_path(const struct module *module)
{
	return module->path;
}

void modules_name(const struct module *module, char out[MODULE_NAME_MAX])
{
	struct span name = name_in(span_of(module->path));

	for (size_t i = 0; i < name.len; i++)
		out[i] = fold(name.at[i]);
	out[name.len] = '\0';
}
