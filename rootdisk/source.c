/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "rootdisk/source_priv.h"

#define NOTE_LEN 200

int source_parse_owner(const char *text, struct source_owner *out, struct verr *e)
{
	char *end;

	*out = (struct source_owner){.set = true};
	if (strcmp(text, "root") == 0)
		return 0;
	for (int i = 0; i < 2; i++) {
		unsigned long long n = strtoull(text, &end, 10);

		if (*text < '0' || *text > '9' || n >= UINT32_MAX || *end != (i == 0 ? ':' : '\0'))
			return verr_invalid(e, "--owner: expected root, or numbers as 1000:1000");
		*(i == 0 ? &out->uid : &out->gid) = (uint32_t)n;
		text = end + 1;
	}
	return 0;
}

struct source *source_free(struct source *s)
{
	if (s != NULL)
		s->class->deinit(s);
	free(s);
	return NULL;
}

int source_survey(struct source *s, struct tree *t, struct verr *e)
{
	struct content c;
	int r;

	if (content_init(&c, content_survey, t, e) < 0)
		return -1;
	r = s->class->survey(s, t, &c, e);
	content_deinit(&c);
	return r;
}

int source_copy(struct source *s, content_fn *fn, void *arg, struct verr *e)
{
	struct content c;
	int r;

	if (content_init(&c, fn, arg, e) < 0)
		return -1;
	r = s->class->copy(s, &c, e);
	content_deinit(&c);
	return r;
}

struct tree_node *source_add(const struct source *s, struct tree *t, const char *path,
			     struct tree_facts *facts, struct verr *e)
{
	if (s->owner.set) {
		facts->uid = s->owner.uid;
		facts->gid = s->owner.gid;
	}
	return tree_add(t, path, facts, e);
}

int source_add_xattr(struct tree *t, struct tree_node *node, const char *name, const void *value,
		     size_t len, struct verr *e)
{
	static const char *const known[] = {"user.", "trusted.", "security.",
					    "system.posix_acl_access", "system.posix_acl_default"};

	if (strlen(name) > XATTR_NAME_MAX)
		return verr_invalid(e, "an attribute with a name of %zu bytes", strlen(name));
	/* Others, of other systems, have no place on an ext4 disk. */
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		size_t n = strlen(known[i]);

		if (strncmp(name, known[i], n) == 0 &&
		    (known[i][n - 1] == '.') == (name[n] != '\0'))
			return tree_set_xattr(t, node, name, value, len, e);
	}
	return 0;
}

int source_note(struct verr *e, const char *name)
{
	char text[NOTE_LEN + 1];
	size_t len = 0;

	for (; name[len] != '\0' && len < NOTE_LEN; len++)
		text[len] = (unsigned char)name[len] < ' ' || name[len] == 0x7f ? '?' : name[len];
	text[len] = '\0';
	return verr_note(e, "%s", text);
}
