/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_initrd.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/sys.h"
#include "contract/initrd.h"
#include "volt/image.h"
#include "volt/modules.h"
#include "volt/unpack_stream.h"

#define MODULE_SIZE_MAX MIB(64)

/* What every module says of the kernel that it is for, in its section .modinfo. */
#define VERMAGIC "vermagic="

static const struct wanted {
	const char *module;
	const char
		*built_in; /* how a kernel that has it built in calls the driver; for root disks */
	const char *missed;
} wanted[] = {
	{"virtio_mmio", "virtio-mmio", "a guest finds no disk and no network"},
	{"virtio_blk", "virtio_blk", "a guest finds no disk"},
	{"ext4", "ext4", "a guest cannot mount an ext4 disk"},
	{"virtio_net", NULL, "a guest finds no network"},
	{"virtio_rng", NULL, "a guest gets no random numbers from the host"},
};

bool kernel_initrd_is_complete(struct bytes vmlinux)
{
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		char text[32] = "";
		size_t len;

		if (wanted[i].built_in == NULL)
			continue;
		/* With the NULs around it, so that it is not a part of something else. */
		len = (size_t)snprintf(text + 1, sizeof(text) - 1, "%s", wanted[i].built_in) + 2;
		if (memmem(vmlinux.at, vmlinux.len, text, len) == NULL)
			return false;
	}
	return true;
}

static int want_all(const struct initrd_source *source, struct modules *m, struct verr *e)
{
	const char *release = source->release[0] != '\0' ? source->release : source->modules;

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		enum modules_found found;

		if (modules_want(m, wanted[i].module, &found, e) < 0)
			return verr_note(e, "%s", source->modules);
		if (found == MODULES_NONE)
			fprintf(stderr, "volt kernel import: %s has no %s: %s\n", release,
				wanted[i].module, wanted[i].missed);
	}
	return 0;
}

static int read_file(const char *path, uint8_t **out, size_t *len, struct verr *e)
{
	auto_free uint8_t *buffer = NULL;
	uint64_t size = 0;
	auto_fd fd = sys_open_input(path, &size, e);

	if (fd < 0)
		return -1;
	if (size > MODULE_SIZE_MAX)
		return verr_invalid(e, "%s: has more than %llu bytes", path,
				    (unsigned long long)MODULE_SIZE_MAX);
	buffer = malloc(size + 1);
	if (buffer == NULL)
		return verr_host(e, "out of memory");
	if (sys_pread_full(fd, buffer, size, 0, e) < 0)
		return verr_note(e, "%s", path);
	*out = ptr_take(buffer);
	*len = size;
	return 0;
}

/* A module of another kernel would be refused by the guest's: say so now. */
static int check_release(struct bytes module, const char *release, struct verr *e)
{
	const char *at = memmem(module.at, module.len, VERMAGIC, strlen(VERMAGIC));
	size_t len = 0, left;

	if (at == NULL)
		return verr_invalid(e, "not a kernel module");
	at += strlen(VERMAGIC);
	left = MIN(module.len - (size_t)((const uint8_t *)at - module.at), IMAGE_RELEASE);
	while (len < left && at[len] > ' ')
		len++;
	if (release[0] != '\0' && (strlen(release) != len || memcmp(at, release, len) != 0))
		return verr_invalid(e, "is for the kernel %.*s, not %s", (int)len, at, release);
	return 0;
}

static int add_module(const struct initrd_source *source, const struct module *module,
		      const char *name, struct cpio *out, struct verr *e)
{
	const char *file = modules_path(module);
	auto_free uint8_t *packed = NULL, *plain = NULL;
	size_t packed_len = 0, plain_len = 0;
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", file[0] == '/' ? "" : source->modules,
			     file[0] == '/' ? "" : "/", file) >= sizeof(path))
		return verr_invalid(e, "%.40s...: the name is too long", file);
	if (read_file(path, &packed, &packed_len, e) < 0)
		return -1;
	if (unpack_stream(bytes_of(packed, packed_len), MODULE_SIZE_MAX, &plain, &plain_len, e) <
		    0 ||
	    check_release(bytes_of(plain, plain_len), source->release, e) < 0)
		return verr_note(e, "%s", path);
	return cpio_file(out, name + 1, 0644, bytes_of(plain, plain_len), e);
}

static int add_modules(const struct initrd_source *source, const struct modules *m,
		       struct cpio *out, struct verr *e)
{
	char list[VOLT_INITRD_LIST_SIZE];
	size_t len = 0;

	if (cpio_folder(out, &VOLT_INITRD_MODULES[1], 0755, e) < 0)
		return -1;
	for (size_t i = 0; i < m->order_count; i++) {
		char name[MODULE_NAME_MAX], path[MODULE_NAME_MAX + 32];

		modules_name(m->order[i], name);
		(void)snprintf(path, sizeof(path), VOLT_INITRD_MODULES "/%s.ko", name);
		if (add_module(source, m->order[i], path, out, e) < 0)
			return -1;
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s\n", path);
		if (len >= sizeof(list))
			return verr_invalid(e, "%s: more modules are needed than an initrd lists",
					    source->modules);
	}
	return cpio_file(out, &VOLT_INITRD_LIST[1], 0644, bytes_of(list, len), e);
}

static int add_init(const struct initrd_source *source, struct cpio *out, struct verr *e)
{
	/* Where volt-init mounts what it needs before there is a root disk. */
	static const char *const folders[] = {"dev", "proc", "sys"};
	auto_free uint8_t *program = NULL;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (cpio_folder(out, folders[i], 0755, e) < 0)
			return -1;
	if (read_file(source->volt_init, &program, &len, e) < 0)
		return -1;
	return cpio_file(out, &VOLT_INITRD_INIT[1], 0755, bytes_of(program, len), e);
}

static int make(const struct initrd_source *source, struct modules *m, struct cpio *out, bool *made,
		struct verr *e)
{
	if (want_all(source, m, e) < 0)
		return -1;
	if (m->order_count == 0)
		return 0;
	if (add_init(source, out, e) < 0 || add_modules(source, m, out, e) < 0 ||
	    cpio_end(out, e) < 0)
		return -1;
	*made = true;
	return 0;
}

int kernel_initrd_make(const struct initrd_source *source, struct cpio *out, bool *made,
		       struct verr *e)
{
	struct modules m;
	int r = -1;

	*made = false;
	if (modules_read(&m, source->modules, e) == 0)
		r = make(source, &m, out, made, e);
	modules_deinit(&m);
	return r;
}
