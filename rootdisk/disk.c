/* SPDX-License-Identifier: Apache-2.0 */
#include "rootdisk/disk.h"

int disk_init(struct disk *d, const struct disk_options *options, struct verr *e)
{
	*d = (struct disk)DISK_INIT;
	d->options = *options;
	if (tree_init(&d->tree, e) < 0)
		return -1;
	if (options->without_init || furnish_read_init(&d->furnish, options->init, e) == 0)
		return 0;
	return options->init != NULL ? verr_note(e, "--init") : -1;
}

void disk_deinit(struct disk *d)
{
	ext4_deinit(&d->ext4);
	d->source = source_free(d->source);
	tree_deinit(&d->tree);
	furnish_deinit(&d->furnish);
}

static int read_source(struct disk *d, struct verr *e)
{
	if (source_survey(d->source, &d->tree, e) < 0 || furnish_tree(&d->furnish, &d->tree, e) < 0)
		return -1;
	return tree_finish(&d->tree, e);
}

int disk_read_folder(struct disk *d, const char *path, struct verr *e)
{
	return source_open_folder(&d->source, path, &d->options.owner, e) < 0 ? -1
									      : read_source(d, e);
}

int disk_read_tar(struct disk *d, int fd, struct verr *e)
{
	return source_open_tar(&d->source, fd, &d->options.owner, e) < 0 ? -1 : read_source(d, e);
}

int disk_plan(struct disk *d, struct verr *e)
{
	return ext4_plan(&d->tree, d->options.size, &d->plan, e);
}

int disk_write(struct disk *d, int fd, struct verr *e)
{
	if (ext4_open(&d->ext4, fd, &d->tree, &d->plan, e) < 0 ||
	    source_copy(d->source, ext4_content, &d->ext4, e) < 0 ||
	    furnish_copy(&d->furnish, ext4_content, &d->ext4, e) < 0)
		return -1;
	return ext4_close(&d->ext4, e);
}
