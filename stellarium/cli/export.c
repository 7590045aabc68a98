/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium export: write an image to a file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "cli/outfile.h"
#include "stellarium/cli/common.h"

static int export_to(struct stel_image *image, int fd, const char *name, struct verr *e)
{
	struct progress progress;
	struct stel_watch watch = common_progress(&progress, name);
	int r = stel_export(image, fd, &watch, e);

	progress_end(&progress);
	return r;
}

static int export_file(struct stel_image *image, const char *path, struct verr *e)
{
	struct outfile f = OUTFILE_INIT;
	int r = outfile_open(&f, path, e);

	if (r == 0)
		r = export_to(image, f.fd, path, e);
	if (r == 0)
		r = outfile_commit(&f, e);
	outfile_deinit(&f);
	return r;
}

/* A device or a pipe is written to as it is. */
static int export_other(struct stel_image *image, const char *path, struct verr *e)
{
	auto_fd fd = -1;

	if (strcmp(path, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
	else
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return verr_invalid_os(e, "open %s", path);
	return export_to(image, fd, path, e);
}

static int work(struct stel *s, const struct verb_args *args, struct verr *e)
{
	const char *path = args->operands[2];
	struct stel_image *image = NULL;
	struct stat st;
	bool other;
	int r;

	other = strcmp(path, "-") == 0 ||
		(stat(path, &st) == 0 &&
		 (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)));
	if (stel_image_open(s, args->operands[1], &image, e) < 0)
		return -1;
	r = other ? export_other(image, path, e) : export_file(image, path, e);
	(void)stel_image_close(image);
	return r < 0 ? verr_note(e, "%s", path) : STATUS_OK;
}

static int run(const struct verb_args *args, struct verr *e)
{
	return common_with_store(work, args, e);
}

const struct verb export_verb = {
	.name = "export",
	.summary = "write an image to a file, a device or standard output",
	.about = "FILE is -: standard output. A file is sparse, and appears when it is complete.\n",
	.run = run,
	.operands = "STORE NAME FILE",
	.operands_min = 3,
	.operands_max = 3,
};
