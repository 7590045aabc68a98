/* SPDX-License-Identifier: Apache-2.0 */
/* volt kernel build: Volt's own small guest kernel, from the distribution's source. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "volt/kernel.h"
#include "volt/kernel_add.h"
#include "volt/kernel_file.h"
#include "cli/outfile.h"
#include "volt/recipe.h"

#define DEFAULT_NAME "volt"

enum { OUTPUT, NAME };

static const struct verb_option options[] = {
	[OUTPUT] = {.name = "output",
		    .letter = 'o',
		    .value = "DIR",
		    .help = "copy vmlinux, bzImage and config to DIR, too"},
	[NAME] = {.name = "name", .value = "NAME", .help = "what to call it; default: volt"},
};

/* Returns the descriptor of the copy, the caller's. */
static int copy_file(struct stage *st, const char *folder, const char *file, struct verr *e)
{
	char path[PATH_MAX];
	uint64_t size;
	auto_fd from = -1, to = -1;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, file) >= sizeof(path))
		return verr_invalid(e, "%s: the name is too long", folder);
	from = sys_open_input(path, &size, e);
	if (from < 0)
		return -1;
	to = stage_create(st, file, e);
	if (to < 0 || outfile_copy(from, path, to, file, e) < 0)
		return -1;
	return fd_take(&to);
}

static int fill_stage(struct stage *st, const char *folder, const char *name, struct verr *e)
{
	static const char *const others[] = {"bzImage", "config"};
	struct kernel_origin origin = {.from = folder, .packed = "not at all"};
	struct kernel_file k;
	char path[PATH_MAX];
	auto_fd fd = copy_file(st, folder, STORE_KERNEL, e);
	int r;

	if (fd < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		auto_fd other = copy_file(st, folder, others[i], e);

		if (other < 0)
			return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", folder, STORE_KERNEL);
	if (kernel_file_read(path, &k, e) < 0)
		return -1;
	origin.release = k.release;
	r = kernel_add(st, fd, name, &origin, e);
	kernel_file_deinit(&k);
	return r;
}

static int store_folder(const char *folder, const char *name, struct verr *e)
{
	struct store s;
	struct stage st;
	int r = -1;

	if (store_open(&s, true, e) < 0)
		return -1;
	if (stage_open(&st, &s, e) == 0)
		r = fill_stage(&st, folder, name, e);
	stage_deinit(&st);
	store_close(&s);
	return r;
}

static int run(const struct verb_args *args, struct verr *e)
{
	const char *name = args->options[NAME] != NULL ? args->options[NAME] : DEFAULT_NAME;
	char recipe[PATH_MAX], folder[PATH_MAX];
	struct store s;

	if (store_check_name(name, e) < 0)
		return verr_note(e, "--name");
	/* Before the minutes that the build takes. */
	if (recipe_find(recipe, sizeof(recipe), e) < 0 || store_open(&s, true, e) < 0)
		return -1;
	store_close(&s);
	if (recipe_run(recipe, args->options[OUTPUT], folder, sizeof(folder), e) < 0)
		return -1;
	return store_folder(folder, name, e);
}

const struct verb kernel_build_verb = {
	.name = "build",
	.summary = "build Volt's own small guest kernel into the store",
	.about = "Runs the recipe kernel/build ($VOLT_KERNEL_RECIPE, or the one of this "
		 "installation or\n"
		 "source tree), which takes minutes the first time and keeps what it built. Prints "
		 "the path\n"
		 "of the vmlinux.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
