/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/snapshot/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/snapshot/disks.h"
#include "vmm/snapshot/path.h"
#include "vmm/snapshot/stored.h"

struct restore {
	struct opened_chain chain;
	struct config saved;
	struct mem_layer layers[MEM_LAYERS_MAX];
	struct machine_restore machine;
	const char *store, *stored; /* a store, and what it is called in there; or NULL */
	struct made_file {
		char *path;
		char *store;    /* which has a name for it, unless NULL */
		bool temporary; /* gone once it is open */
	} made[DISKS_MAX];
	size_t nmade;
	char *contents[DISKS_MAX]; /* the snapshot's files of private disks */
	size_t ncontents;
};

static int read_config(struct restore *r, struct verr *e)
{
	struct bytes text;

	if (state_get_bytes(r->chain.at[0]->state, STATE_KIND_CONFIG, 0, &text, e) < 0)
		return -1;
	return config_parse_json(&r->saved, (const char *)text.at, text.len,
				 "the snapshot's configuration", e);
}

int restore_open(const char *path, const char *memory, struct restore **out, struct verr *e)
{
	struct restore *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return verr_host(e, "out of memory");
	config_init(&r->saved);
	if (chain_open(&r->chain, path, memory, e) < 0 || read_config(r, e) < 0) {
		(void)restore_free(r, false);
		return -1;
	}
	*out = r;
	return 0;
}

void restore_is_stored(struct restore *r, const char *store, const char *name)
{
	r->store = store;
	r->stored = name;
}

int restore_config(const struct restore *r, struct config *config, struct verr *e)
{
	if (config_restored(config, &r->saved, e) < 0)
		return -1;
	/* What was written to a volume's folder is the snapshot's now, and may go to another place.
	 */
	for (size_t i = 0; i < config->drives.count; i++)
		if (config_drives(config)[i].overlay != NULL)
			free(ptr_take(config_drives(config)[i].volume));
	if (config->memory != r->chain.at[0]->memory->size)
		return verr_corrupt(e, "the snapshot's configuration has other memory than its "
				       "state");
	return 0;
}

/* --- disks --- */

static bool differs(const char *a, const char *b)
{
	return a != NULL && (b == NULL || strcmp(a, b) != 0);
}

static int remember(struct restore *r, const char *path, bool temporary, struct verr *e)
{
	struct made_file *made = &r->made[r->nmade];

	made->temporary = temporary;
	made->path = strdup(path);
	if (made->path == NULL) {
		(void)unlink(path);
		return verr_host(e, "out of memory");
	}
	r->nmade++;
	return 0;
}

/* A new file with the disk's content; `path` NULL: a temporary one. */
static int copy_disk(struct restore *r, int from, uint64_t size, const char *path, struct verr *e)
{
	const char *folder = sys_temporary_folder();
	char temporary[PATH_MAX];
	auto_fd fd = -1;

	if (path != NULL) {
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return errno == EEXIST
				       ? verr_invalid(e,
						      "%s: there is a file of this name; expected "
						      "a new one, which gets the disk's content",
						      path)
				       : verr_invalid_os(e, "cannot make %s", path);
	} else {
		(void)snprintf(temporary, sizeof(temporary), "%s/volt-overlay.XXXXXX", folder);
		fd = mkostemp(temporary, O_CLOEXEC);
		if (fd < 0)
			return verr_invalid_os(
				e, "make a temporary file in %s (" SYS_TEMPORARY_HINT ")", folder);
	}
	if (remember(r, path != NULL ? path : temporary, path == NULL, e) < 0)
		return -1;
	return copy_file(from, fd, size, NULL, e);
}

static int replace(char **text, const char *with, struct verr *e)
{
	free(*text);
	*text = strdup(with);
	return *text == NULL ? verr_host(e, "out of memory") : 0;
}

/* A copy that stays keeps its image by a name of its own. */
static int adopt(struct restore *r, const struct drive_config *d, struct verr *e)
{
	struct made_file *made = &r->made[r->nmade - 1];
	struct stel *s = NULL;
	int result;

	made->store = strdup(d->store);
	if (made->store == NULL)
		return verr_host(e, "out of memory");
	if (stel_open(&s, d->store, e) < 0)
		return -1;
	result = stel_volume_adopt(s, made->path, e);
	(void)stel_close(s);
	return result;
}

/* Its image is the snapshot's; by the name that keeps it where that is in a store. */
static int place_image(const struct restore *r, struct drive_config *d, struct verr *e)
{
	char image[STEL_NAME_MAX + 1];

	if (r->store == NULL)
		return 0;
	stored_image(r->stored, "images/", d->id, image);
	return replace(&d->store, r->store, e) < 0 || replace(&d->image, image, e) < 0 ? -1 : 0;
}

/* A volume: what was written is copied, and its image is the store's. */
static int place_volume(struct restore *r, struct drive_config *d, const struct drive_config *saved,
			int fd, uint64_t size, struct verr *e)
{
	bool kept = differs(d->overlay, saved->overlay);

	if (copy_disk(r, fd, size, kept ? d->overlay : NULL, e) < 0)
		return -1;
	free(ptr_take(d->volume));
	free(ptr_take(d->image)); /* what is called so may be another one by now */
	d->private = !kept;
	if (replace(&d->overlay, r->made[r->nmade - 1].path, e) < 0 || place_image(r, d, e) < 0)
		return -1;
	return kept ? adopt(r, d, e) : 0;
}

/* A file: it stays as it is, or becomes another. Its path stays what it was, too. */
static int place_file(struct restore *r, struct drive_config *d, int fd, const char *path,
		      uint64_t size, struct verr *e)
{
	if (d->placed) {
		d->private = false;
		return copy_disk(r, fd, size, d->path, e);
	}
	d->private = true;
	if (d->engine == DISK_ENGINE_IO_URING)
		d->engine = DISK_ENGINE_AUTO;
	d->content = r->contents[r->ncontents] = strdup(path);
	return r->contents[r->ncontents++] == NULL ? verr_host(e, "out of memory") : 0;
}

/* One that the machine may write: the copy in the snapshot. */
static int place_copy(struct restore *r, struct drive_config *d, const struct drive_config *saved,
		      const struct disk_state *disk, struct verr *e)
{
	struct opened *o = r->chain.at[0];
	char path[PATH_MAX];
	auto_fd fd = -1;

	if (d->readonly)
		return verr_invalid(e, "it is read-only, and was not when it was saved");
	if (path_join(o->folder, disk->path, path, e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "cannot open %s", path);
	if (opened_verify_file(o, fd, disk->id, path, disk->size, disk->hash, e) < 0)
		return -1;
	return drive_is_volume(saved) ? place_volume(r, d, saved, fd, disk->size, e)
				      : place_file(r, d, fd, path, disk->size, e);
}

/* One that nobody may write, where it was, or where the user says that it is. */
static int check_referenced(struct restore *r, struct drive_config *d,
			    const struct disk_state *disk, struct verr *e)
{
	auto_fd fd = -1;

	if (drive_is_volume(d))
		return d->volume == NULL ? place_image(r, d, e) : 0;
	fd = open(d->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return verr_invalid_os(e, "cannot open %s, which the snapshot refers to", d->path);
	return opened_verify(r->chain.at[0], fd, disk->id, d->path, disk->size, disk->hash, e);
}

int restore_disks(struct restore *r, struct config *config, struct verr *e)
{
	const struct state_reader *state = r->chain.at[0]->state;
	struct disk_state room, *disk = &room;
	size_t count = state_count(state, STATE_KIND_DISK);

	if (count != config->drives.count || count != r->saved.drives.count || count > DISKS_MAX)
		return verr_corrupt(e, "the snapshot's configuration has other disks than its "
				       "state");
	for (size_t i = 0; i < count; i++) {
		struct drive_config *d = &config_drives(config)[i];
		const struct drive_config *saved = &config_drives(&r->saved)[i];

		if (state_get(state, STATE_KIND_DISK, (uint32_t)i, disk, e) < 0)
			return -1;
		if (strcmp(disk->id, d->id) != 0 || strcmp(disk->id, saved->id) != 0 ||
		    disk->copied != disk_is_copied(saved))
			return verr_corrupt(e,
					    "disk %zu of the snapshot's state is not the "
					    "configuration's",
					    i);
		if ((disk->copied ? place_copy(r, d, saved, disk, e)
				  : check_referenced(r, d, disk, e)) < 0)
			return verr_note(e, "disk %s", d->id);
	}
	opened_stamp(r->chain.at[0]);
	return 0;
}

void restore_opened(struct restore *r, struct config *config)
{
	for (size_t i = 0; i < config->drives.count; i++)
		config_drives(config)[i].content = NULL;
	for (size_t i = 0; i < r->nmade; i++)
		if (r->made[i].temporary) {
			(void)unlink(r->made[i].path);
			free(ptr_take(r->made[i].path));
		}
}

const struct machine_restore *restore_machine(struct restore *r, enum machine_clock clock,
					      bool paused)
{
	chain_layers(&r->chain, r->layers);
	r->machine = (struct machine_restore){.state = r->chain.at[0]->state,
					      .layers = r->layers,
					      .nlayers = r->chain.count,
					      .clock = clock,
					      .paused = paused};
	return &r->machine;
}

int restore_follow(const struct restore *r, const char *path, struct snapshots *snapshots,
		   struct verr *e)
{
	return snapshots_follow(snapshots, path, r->chain.count, r->chain.at[0]->snapshot->id, e);
}

static void remove_made(const struct made_file *made)
{
	struct verr none = VERR_INIT;
	struct stel *s = NULL;

	if (made->store != NULL && stel_open(&s, made->store, &none) == 0)
		(void)!stel_volume_remove(s, made->path, &none);
	(void)stel_close(s);
	(void)unlink(made->path);
}

struct restore *restore_free(struct restore *r, bool keep)
{
	if (r == NULL)
		return NULL;
	while (r->nmade > 0) {
		struct made_file *made = &r->made[--r->nmade];

		if (made->path != NULL && (made->temporary || !keep))
			remove_made(made);
		free(made->path);
		free(made->store);
	}
	while (r->ncontents > 0)
		free(r->contents[--r->ncontents]);
	chain_close(&r->chain);
	config_deinit(&r->saved);
	free(r);
	return NULL;
}
