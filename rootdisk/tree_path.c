/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "rootdisk/tree_priv.h"

#define FOLLOW_MAX 40 /* links, as Linux has it */

/*
 * A path as it is walked: `rest` is what is left of it, in a buffer in which a link's target takes
 * the place of the link.
 */
struct walk {
	struct tree *t;
	struct tree_node *at;
	char *rest;
	int followed;
	char buffer[2 * PATH_MAX + 2];
};

static int start_walk(struct walk *w, struct tree *t, const char *path, size_t len, struct verr *e)
{
	w->t = t;
	w->at = t->root;
	w->followed = 0;
	w->rest = w->buffer + sizeof(w->buffer) - 1 - len;
	if (len >= PATH_MAX)
		return verr_invalid(e, "a path of %zu bytes", len);
	memcpy(w->rest, path, len);
	w->rest[len] = '\0';
	return 0;
}

/* The next part of the path, or NULL at its end. */
static const char *next_part(struct walk *w, size_t *len)
{
	const char *part;

	w->rest += strspn(w->rest, "/");
	part = w->rest;
	*len = strcspn(part, "/");
	w->rest += *len;
	return *len > 0 ? part : NULL;
}

/* Put a link's target in front of what is left. */
static int follow(struct walk *w, const char *target, struct verr *e)
{
	size_t len = strlen(target), left = strlen(w->rest);

	if (++w->followed > FOLLOW_MAX)
		return verr_invalid(e, "leads through more than %d links", FOLLOW_MAX);
	if (len + left >= sizeof(w->buffer))
		return verr_invalid(e, "leads through links to a path that is too long");
	if (*target == '/')
		w->at = w->t->root;
	memmove(w->buffer + len, w->rest, left + 1);
	memcpy(w->buffer, target, len);
	memmove(w->buffer + sizeof(w->buffer) - (len + left + 1), w->buffer, len + left + 1);
	w->rest = w->buffer + sizeof(w->buffer) - (len + left + 1);
	return 0;
}

/* Into one part of the path, made as a folder of this mode where missing, if `make`. */
static int step(struct walk *w, const char *part, size_t len, bool make, mode_t mode,
		struct verr *e)
{
	struct tree_node *node;

	if (len == 1 && part[0] == '.')
		return 0;
	if (len == 2 && memcmp(part, "..", 2) == 0) {
		w->at = w->at->parent;
		return 0;
	}
	if (len > TREE_NAME_MAX)
		return verr_invalid(e, "a name of %zu bytes", len);
	node = tree_find_node(w->t, w->at, part, len);
	if (node != NULL && S_ISLNK(node->mode))
		return follow(w, node->target, e);
	if (node != NULL && !S_ISDIR(node->mode))
		return verr_invalid(e, "its folder is a file");
	if (node == NULL && !make)
		return verr_not_found(e, "its folder does not exist");
	if (node == NULL)
		node = tree_make_folder(w->t, w->at, part, len, mode, e);
	w->at = node;
	return node == NULL ? -1 : 0;
}

struct tree_node *tree_walk(struct tree *t, const char *path, size_t len, bool make, mode_t mode,
			    struct verr *e)
{
	struct walk w;
	const char *part;
	size_t part_len;

	if (start_walk(&w, t, path, len, e) < 0)
		return NULL;
	while ((part = next_part(&w, &part_len)) != NULL)
		if (step(&w, part, part_len, make, mode, e) < 0)
			return NULL;
	return w.at;
}

int tree_split(const char *path, struct tree_path *s, struct verr *e)
{
	*s = (struct tree_path){.name = path};
	for (const char *at = path; *at != '\0';) {
		size_t len = strcspn(at, "/");

		if (len == 2 && memcmp(at, "..", 2) == 0)
			return verr_invalid(e, "its path leads upwards (\"..\")");
		if (len > 0 && !(len == 1 && *at == '.')) {
			s->folder_len = (size_t)(at - path);
			s->name = at;
			s->name_len = len;
		}
		at += len;
		at += strspn(at, "/");
	}
	if (s->name_len > TREE_NAME_MAX)
		return verr_invalid(e, "a name of %zu bytes", s->name_len);
	return 0;
}
