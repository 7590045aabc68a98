/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/furnish.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "rootdisk/volt_init.h"

#define INIT_PATH "sbin/volt-init"
#define INIT_MAX MIB(64)

int furnish_read_init(struct furnish *f, const char *path, struct verr *e)
{
	char found[PATH_MAX];
	auto_free void *bytes = NULL;
	auto_fd fd = -1;
	uint64_t size;

	if (path == NULL) {
		if (volt_init_find(found, sizeof(found), e) < 0)
			return verr_note(e, "--init FILE names one, --no-init leaves it out");
		path = found;
	}
	fd = sys_open_input(path, &size, e);
	if (fd < 0)
		return -1;
	if (size == 0 || size > INIT_MAX)
		return verr_invalid(e, "%s: %llu bytes: not a volt-init", path,
				    (unsigned long long)size);
	bytes = malloc(size);
	if (bytes == NULL)
		return verr_host(e, "out of memory");
	if (sys_pread_full(fd, bytes, size, 0, e) < 0)
		return verr_note(e, "%s", path);
	f->init = ptr_take(bytes);
	f->init_len = size;
	return 0;
}

void furnish_deinit(struct furnish *f)
{
	free(f->init);
	*f = (struct furnish)FURNISH_INIT;
}

static int add_folders(struct tree *t, struct verr *e)
{
	static const struct {
		const char *path;
		mode_t mode;
	} folders[] = {{"proc", 0555}, {"sys", 0555},  {"dev", 0755},
		       {"run", 0755},  {"tmp", 01777}, {"lost+found", 0700}};

	/* A link is left as it is, wherever it leads. */
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (!tree_has(t, folders[i].path) &&
		    tree_need_folder(t, folders[i].path, folders[i].mode, e) < 0)
			return verr_note(e, "/%s", folders[i].path);
	return 0;
}

static int add_init(struct furnish *f, struct tree *t, struct verr *e)
{
	const struct tree_facts facts = {.mode = S_IFREG | 0755, .mtime = TREE_TIME};

	f->node = tree_add(t, INIT_PATH, &facts, e);
	if (f->node == NULL)
		return verr_note(e, "/%s", INIT_PATH);
	f->node->size = f->init_len;
	return furnish_copy(f, content_survey, t, e);
}

int furnish_tree(struct furnish *f, struct tree *t, struct verr *e)
{
	if (add_folders(t, e) < 0)
		return -1;
	return f->init != NULL ? add_init(f, t, e) : 0;
}

int furnish_copy(const struct furnish *f, content_fn *fn, void *arg, struct verr *e)
{
	struct content c;
	int r;

	if (f->node == NULL)
		return 0;
	if (content_init(&c, fn, arg, e) < 0)
		return -1;
	content_begin(&c, f->node);
	r = content_put(&c, 0, f->init, f->init_len, e);
	if (r == 0)
		r = content_end(&c, e);
	content_deinit(&c);
	return r;
}
