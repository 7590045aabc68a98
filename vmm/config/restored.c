/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a machine that goes on from a snapshot: whose word counts for what. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "vmm/config/config.h"

/* What the guest knows of, which cannot be another now. The rest is the process's own. */
static const char *const of_guest[] = {
	"kernel", "initrd",  "rootfs", "volumes", "tap",   "net_bridge", "net_backend", "publish",
	"rng",    "cmdline", "memory", "cpus",    "entry", "acpi",       "pit",
};

/* Of a NIC; the same value may be said again. */
static const char *const of_guests_nic[] = {"mac", "ip"};

/* Where the host's choice counts, unless it is left to us. */
static const char *const of_either[] = {"huge_pages"};

static bool is_in(const char *const *list, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], key) == 0)
			return true;
	return false;
}

static bool is_default(const void *object, const struct setting *s)
{
	const char *text = setting_text(object, s);

	if (s->type == SETTING_LIST)
		return setting_list((void *)(uintptr_t)object, s)->count == 0;
	if (s->text_default != NULL || text != NULL)
		return s->text_default != NULL && text != NULL &&
		       strcmp(text, s->text_default) == 0;
	return setting_number(object, s) == s->number_default;
}

static int copy_value(void *to, const void *from, const struct setting *s, struct verr *e)
{
	const char *text = setting_text(from, s);

	if (text != NULL)
		return setting_set_text(to, s, text, e);
	return s->type == SETTING_LIST || s->type == SETTING_PATH || s->type == SETTING_TEXT ||
			       s->type == SETTING_TEXTS
		       ? 0
		       : setting_set_number(to, s, setting_number(from, s), e);
}

static int may_be_said(const void *old, const void *object, const struct setting *s, struct verr *e)
{
	const char *was = setting_text(old, s), *now = setting_text(object, s);

	if (was != NULL && now != NULL && strcasecmp(was, now) == 0)
		return 0;
	return verr_invalid(e, "%s: with --restore it is the snapshot's%s%s", s->flag,
			    was != NULL ? ", " : "", was != NULL ? was : "");
}

/* What an object of the command line says beside its id goes over the snapshot's of that id. */
static int override(struct config_list *saved, const void *object, const struct list_class *class,
		    struct verr *e)
{
	const char *id = setting_text(object, list_find(class, "id", 2, false));
	void *old = id != NULL ? list_by_id(saved, class, id) : NULL;

	if (id == NULL)
		return verr_invalid(e, "--%s: expected id=, the name of one of the snapshot's",
				    class->name);
	if (old == NULL)
		return verr_invalid(e, "--%s id=%s: the snapshot has none of this name",
				    class->name, id);
	for (size_t i = 0; i < class->count; i++) {
		const struct setting *s = &class->rows[i];

		if (is_default(object, s))
			continue;
		if ((class == &net_class &&
		     is_in(of_guests_nic, ARRAY_LEN(of_guests_nic), s->key) &&
		     may_be_said(old, object, s, e) < 0) ||
		    copy_value(old, object, s, e) < 0)
			return verr_note(e, "--%s id=%s", class->name, id);
		if (class == &drive_class && strcmp(s->key, "path") == 0)
			((struct drive_config *)old)->placed = true;
	}
	return 0;
}

static int override_all(struct config_list *saved, const struct config_list *list,
			const struct list_class *class, struct verr *e)
{
	for (size_t i = 0; i < list->count; i++)
		if (override(saved, (const char *)list->items + i * class->size, class, e) < 0)
			return -1;
	return 0;
}

/* A value of the process's into the snapshot's configuration. */
static int take_own(struct config *saved, const struct config *own, const struct setting *s,
		    struct verr *e)
{
	if (is_in(of_guest, ARRAY_LEN(of_guest), s->key)) {
		if (is_default(own, s))
			return 0;
		return verr_invalid(e, "--%s: with --restore it is the snapshot's", s->flag);
	}
	if (is_in(of_either, ARRAY_LEN(of_either), s->key) && is_default(own, s))
		return 0;
	if (setting_text(own, s) == NULL && setting_text(saved, s) != NULL)
		free(*(char **)(void *)((char *)saved + s->offset)),
			*(char **)(void *)((char *)saved + s->offset) = NULL;
	return copy_value(saved, own, s, e);
}

int config_restored(struct config *own, const struct config *from, struct verr *e)
{
	struct config saved;

	if (own->workload != NULL)
		return verr_invalid(e, "a command: with --restore it is the snapshot's");
	config_init(&saved);
	if (config_copy(&saved, from, e) < 0 ||
	    override_all(&saved.drives, &own->drives, &drive_class, e) < 0 ||
	    override_all(&saved.nets, &own->nets, &net_class, e) < 0)
		goto out;
	free(ptr_take(saved.kernel));
	free(ptr_take(saved.initrd));
	for (size_t i = 0; i < settings_count; i++)
		if (settings[i].type != SETTING_LIST && take_own(&saved, own, &settings[i], e) < 0)
			goto out;
	if (own->volumes.count > 0) {
		(void)verr_invalid(e, "--volume: with --restore disks are the snapshot's");
		goto out;
	}
	config_deinit(own);
	*own = saved;
	return 0;
out:
	config_deinit(&saved);
	return -1;
}
