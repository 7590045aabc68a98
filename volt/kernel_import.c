/* SPDX-License-Identifier: Apache-2.0 */
/* volt kernel import: a kernel of the host's distribution, or any other file, into the store. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "volt/kernel.h"
#include "volt/kernel_add.h"
#include "volt/kernel_file.h"
#include "volt/kernel_initrd.h"
#include "volt/kernel_pick.h"
#include "cli/outfile.h"
#include "rootdisk/volt_init.h"

enum { NAME, MODULES };

static const struct verb_option options[] = {
	[NAME] = {.name = "name", .value = "NAME", .help = "what to call it; default: its release"},
	[MODULES] = {.name = "modules",
		     .value = "DIR",
		     .help = "where its modules.dep is; default: /lib/modules/RELEASE"},
};

static int make_initrd(struct stage *st, const char *modules, const struct kernel_file *k,
		       struct verr *e)
{
	char volt_init[PATH_MAX];
	struct initrd_source source = {
		.release = k->release, .modules = modules, .volt_init = volt_init};
	struct cpio archive = CPIO_INIT;
	bool made = false;
	int r;

	if (volt_init_find(volt_init, sizeof(volt_init), e) < 0)
		return -1;
	r = kernel_initrd_make(&source, &archive, &made, e);
	if (r == 0 && made)
		r = stage_put(st, STORE_INITRD, archive.at, archive.len, e);
	cpio_deinit(&archive);
	return r;
}

/*
 * An initrd that was not asked for is left out where it cannot be made: the kernel is of use
 * without one. Whoever boots it from a disk has been told, unless it needs none.
 */
static int add_initrd(struct stage *st, const char *modules, const struct kernel_file *k,
		      struct verr *e)
{
	char folder[PATH_MAX];
	struct verr why = VERR_INIT;

	if (modules != NULL)
		return make_initrd(st, modules, k, e);
	if (k->release[0] == '\0' || strchr(k->release, '/') != NULL)
		(void)verr_invalid(&why, "the kernel does not say which release it is");
	else if ((size_t)snprintf(folder, sizeof(folder), "/lib/modules/%s", k->release) <
			 sizeof(folder) &&
		 make_initrd(st, folder, k, &why) == 0)
		return 0;
	if (!kernel_initrd_is_complete(bytes_of(k->vmlinux, k->len)))
		fprintf(stderr,
			"volt kernel import: no initrd for root disks: %s; --modules DIR names the "
			"folder of the kernel's modules\n",
			why.text);
	return 0;
}

static int store_file(const struct store *s, const char *name, const char *path,
		      const char *modules, const struct kernel_file *k, struct verr *e)
{
	const struct kernel_origin origin = {
		.release = k->release, .from = path, .packed = k->packed};
	struct stage st;
	int r = -1;

	if (stage_open(&st, s, e) == 0) {
		auto_fd fd = stage_create(&st, STORE_KERNEL, e);

		if (fd >= 0 && outfile_write(fd, s->path, k->vmlinux, k->len, e) == 0 &&
		    add_initrd(&st, modules, k, e) == 0)
			r = kernel_add(&st, fd, name, &origin, e);
	}
	stage_deinit(&st);
	return r;
}

static int import(const char *path, const char *name, const char *modules,
		  const struct kernel_file *k, struct verr *e)
{
	struct store s;
	int r;

	if (name == NULL && k->release[0] == '\0')
		return verr_invalid(e, "%s: does not say which release it is: use --name NAME",
				    path);
	if (name == NULL)
		name = k->release;
	if (store_check_name(name, e) < 0 || store_open(&s, true, e) < 0)
		return -1;
	r = store_file(&s, name, path, modules, k, e);
	store_close(&s);
	return r;
}

/* An absolute path says later where it was from. Some distributions keep kernels for root alone. */
static char *full_path(const char *path, struct verr *e)
{
	char *full = realpath(path, NULL);

	if (full == NULL)
		(void)verr_invalid_os(e, "cannot read %s", path);
	else if (access(full, R_OK) < 0 && errno == EACCES)
		(void)verr_invalid(e, "no permission to read %s: try sudo chmod a+r %s", full,
				   full);
	if (e->kind != VERR_NONE)
		free(ptr_take(full));
	return full;
}

static int run(const struct verb_args *args, struct verr *e)
{
	char picked[PATH_MAX];
	auto_free char *path = NULL;
	struct kernel_file k;
	int r;

	if (args->options[NAME] != NULL && store_check_name(args->options[NAME], e) < 0)
		return verr_note(e, "--name");
	if (args->count == 0 && kernel_pick("/boot", picked, sizeof(picked), e) < 0)
		return -1;
	path = full_path(args->count == 0 ? picked : args->operands[0], e);
	if (path == NULL)
		return -1;
	if (kernel_file_read(path, &k, e) < 0)
		return -1;
	r = import(path, args->options[NAME], args->options[MODULES], &k, e);
	kernel_file_deinit(&k);
	return r;
}

const struct verb kernel_import_verb = {
	.name = "import",
	.summary = "unpack a kernel of the host's into the store",
	.about = "FILE is a bzImage or a vmlinux; default: the newest /boot/vmlinuz-*, one for the "
		 "cloud\n"
		 "(*-cloud-*) if there is any. A kernel of the same name is replaced. Where its "
		 "drivers\n"
		 "for disks are modules, an initrd that has them is put beside it, vmlinux.initrd, "
		 "which\n"
		 "volt-vmm --rootfs uses by itself. Prints the path of the vmlinux.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "[FILE]",
	.operands_max = 1,
};
