/* SPDX-License-Identifier: Apache-2.0 */
/* A snapshot's folder into a store. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "vmm/config/config.h"
#include "vmm/snapshot/files.h"
#include "vmm/snapshot/open.h"
#include "vmm/snapshot/path.h"
#include "vmm/snapshot/stored.h"

/* Memory and state; two for each disk. */
#define PARTS_MAX (2 + 2 * 32)

struct put {
	struct stel *s;
	const char *name;
	const struct stel_watch *watch;
	struct stored_made *out;
	struct stel_options options;
	struct opened_chain chain;
	struct config config;
	struct disk_state disk;
	struct stel_image *images[PARTS_MAX];
	char names[PARTS_MAX][STEL_NAME_MAX + 1];
	size_t count;
};

static int check_room(const struct put *p, struct verr *e)
{
	return p->count == PARTS_MAX ? verr_corrupt(e, "too many disks") : 0;
}

static int put_file(struct put *p, const char *part, const char *id, int fd, struct verr *e)
{
	struct stel_import made;

	if (check_room(p, e) < 0 || stel_import_unnamed(p->s, fd, &p->options, p->watch, &made,
							&p->images[p->count], e) < 0)
		return -1;
	stored_image(p->name, part, id, p->names[p->count++]);
	p->out->size += made.size;
	p->out->raw += made.raw_new;
	p->out->stored += made.stored_new;
	return 0;
}

/* -- images of volumes */

struct wanted {
	struct stel_id id;
	char name[STEL_NAME_MAX + 1];
};

static void look(void *ctx, const struct stel_name *name)
{
	struct wanted *w = ctx;

	if (*w->name == '\0' && memcmp(&w->id, &name->id, sizeof(w->id)) == 0)
		(void)snprintf(w->name, sizeof(w->name), "%s", name->name);
}

/* Some name leads to it, the volume's own one at least: then it is whole, and leased. */
static int open_image(struct put *p, const struct stel_id *id, const char *called,
		      struct stel_image **image, struct verr *e)
{
	struct wanted w = {.id = *id};
	struct stel_info info;

	if (stel_list(p->s, look, &w, e) < 0)
		return -1;
	if (*w.name == '\0')
		return verr_not_found(e, "its image, %s, is not in the store any more", called);
	if (stel_image_open(p->s, w.name, image, e) < 0 || stel_image_info(*image, &info, e) < 0)
		return -1;
	return memcmp(&info.id, id, sizeof(*id)) == 0
		       ? 0
		       : verr_state(e, "image %s has become another one", w.name);
}

/* `overlay` is the copy of the volume's; NULL: nothing was written over the image. */
static int put_image(struct put *p, const struct drive_config *d, const char *overlay,
		     struct verr *e)
{
	struct stel_image **image = &p->images[p->count];
	struct stel_volume_info info;

	if (check_room(p, e) < 0)
		return -1;
	if (overlay == NULL) {
		if (stel_image_open(p->s, d->image, image, e) < 0)
			return -1;
	} else if (stel_volume_info(p->s, overlay, &info, e) < 0 ||
		   open_image(p, &info.image, info.name, image, e) < 0) {
		return -1;
	}
	stored_image(p->name, "images/", d->id, p->names[p->count++]);
	return 0;
}

/* -- disks */

static int put_copy(struct put *p, const struct drive_config *d, struct verr *e)
{
	struct opened *o = p->chain.at[0];
	char path[PATH_MAX], usual[sizeof(p->disk.id) + sizeof(SNAPSHOT_DISKS_FOLDER) + 1];
	auto_fd fd = -1;

	(void)snprintf(usual, sizeof(usual), SNAPSHOT_DISKS_FOLDER "/%s", p->disk.id);
	if (strcmp(p->disk.path, usual) != 0)
		return verr_invalid(e, "it is not in the snapshot's folder");
	if (path_join(o->folder, usual, path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "cannot open %s", path);
	if (opened_verify_file(o, fd, d->id, path, p->disk.size, p->disk.hash, e) < 0 ||
	    put_file(p, SNAPSHOT_DISKS_FOLDER "/", d->id, fd, e) < 0)
		return -1;
	return drive_is_volume(d) ? put_image(p, d, path, e) : 0;
}

static int put_disks(struct put *p, struct verr *e)
{
	const struct state_reader *state = p->chain.at[0]->state;
	uint32_t count = state_count(state, STATE_KIND_DISK);

	if (count != p->config.drives.count)
		return verr_corrupt(e, "its configuration has other disks than its state");
	for (uint32_t i = 0; i < count; i++) {
		const struct drive_config *d = &config_drives(&p->config)[i];

		if (state_get(state, STATE_KIND_DISK, i, &p->disk, e) < 0)
			return -1;
		if (d->id == NULL || strcmp(p->disk.id, d->id) != 0)
			return verr_corrupt(e, "disk %u of its state is not the configuration's",
					    i);
		if (p->disk.copied ? put_copy(p, d, e) < 0
				   : drive_is_volume(d) && d->volume == NULL &&
					     put_image(p, d, NULL, e) < 0)
			return verr_note(e, "disk %s", d->id);
	}
	return 0;
}

/* -- all of it */

static int open_folder(struct put *p, const char *folder, struct verr *e)
{
	struct bytes text;
	struct opened *o;
	struct stat st;

	if (stat(folder, &st) < 0)
		return verr_invalid_os(e, "%s", folder);
	if (!S_ISDIR(st.st_mode))
		return verr_invalid(e, "%s: expected the folder of a snapshot", folder);
	if (chain_open(&p->chain, folder, NULL, e) < 0)
		return -1;
	o = p->chain.at[0];
	if (p->chain.count > 1)
		return verr_invalid(e, "%s: it has a base; volt snapshot merge makes a whole one",
				    folder);
	if (strcmp(o->memory->path, SNAPSHOT_MEMORY_FILE) != 0)
		return verr_invalid(e, "%s: its memory is not in its folder", folder);
	return state_get_bytes(o->state, STATE_KIND_CONFIG, 0, &text, e) < 0 ||
			       config_parse_json(&p->config, (const char *)text.at, text.len,
						 "the snapshot's configuration", e) < 0
		       ? -1
		       : 0;
}

static int put_state(struct put *p, struct verr *e)
{
	char path[PATH_MAX];
	auto_fd fd = -1;

	if (path_join(p->chain.at[0]->folder, SNAPSHOT_STATE_FILE, path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? verr_invalid_os(e, "cannot open %s", path)
		      : put_file(p, SNAPSHOT_STATE_FILE, "", fd, e);
}

static int give_names(struct put *p, struct verr *e)
{
	struct stel_naming names[PARTS_MAX];

	for (size_t i = 0; i < p->count; i++)
		names[i] = (struct stel_naming){.name = p->names[i], .image = p->images[i]};
	return stel_name_all(p->s, names, p->count, e);
}

static int run(struct put *p, const char *folder, struct verr *e)
{
	const struct stel_options *defaults = stel_defaults(p->s);

	p->options = *defaults;
	if (defaults->cut.method != STEL_CUT_PAGE)
		p->options.cut = stel_cutting_usual(STEL_CUT_PAGE);
	if (open_folder(p, folder, e) < 0)
		return -1;
	memcpy(p->out->id, p->chain.at[0]->snapshot->id, SNAPSHOT_ID);
	return put_file(p, SNAPSHOT_MEMORY_FILE, "", p->chain.at[0]->memory_fd, e) < 0 ||
			       put_disks(p, e) < 0 || put_state(p, e) < 0
		       ? -1
		       : give_names(p, e);
}

int stored_put(struct stel *s, const char *name, const char *folder, const struct stel_watch *watch,
	       struct stored_made *out, struct verr *e)
{
	struct put *p = NULL;
	int r = -1;

	*out = (struct stored_made){.size = 0};
	if (stored_check_free(s, name, e) < 0)
		return -1;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return verr_host(e, "out of memory");
	p->s = s;
	p->name = name;
	p->watch = watch;
	p->out = out;
	config_init(&p->config);
	r = run(p, folder, e);
	for (size_t i = 0; i < PARTS_MAX; i++)
		(void)stel_image_close(p->images[i]);
	config_deinit(&p->config);
	chain_close(&p->chain);
	free(p);
	return r;
}
