/* SPDX-License-Identifier: Apache-2.0 */
/* volt kernel list: what the store has. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/sys.h"
#include "volt/image.h"
#include "volt/kernel.h"
#include "volt/store.h"
#include "volt/vmlinux.h"

struct row {
	char size[16];
	char release[IMAGE_RELEASE];
	const char *pvh;
	const char *initrd;
};

static void read_origin(const struct store *s, const char *name, struct row *row)
{
	char path[STORE_NAME_MAX + 32], text[STORE_ORIGIN_MAX];
	auto_fd fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", name, STORE_ORIGIN);
	fd = openat(s->fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	text[MAX(n, 0)] = '\0';
	if (!store_origin_value(text, "release", row->release, sizeof(row->release)) ||
	    row->release[0] == '\0')
		(void)snprintf(row->release, sizeof(row->release), "-");
}

static void read_kernel(const struct store *s, const char *name, struct row *row)
{
	char path[PATH_MAX];
	uint64_t size = 0;
	struct verr e = VERR_INIT;
	struct vmlinux kernel;
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", s->path, name, STORE_KERNEL);
	fd = sys_open_input(path, &size, &e);
	(void)snprintf(row->size, sizeof(row->size), "%.1fM", (double)size / (double)MIB(1));
	if (fd < 0 || vmlinux_inspect(fd, size, &kernel, &e) < 0)
		row->pvh = "damaged";
	else
		row->pvh = kernel.pvh ? "yes" : "no";
}

static void find_initrd(const struct store *s, const char *name, struct row *row)
{
	char path[STORE_NAME_MAX + 32];

	(void)snprintf(path, sizeof(path), "%s/%s", name, STORE_INITRD);
	row->initrd = faccessat(s->fd, path, R_OK, 0) == 0 ? "yes" : "no";
}

static void print_kernel(const struct store *s, const char *name)
{
	struct row row;

	read_origin(s, name, &row);
	read_kernel(s, name, &row);
	find_initrd(s, name, &row);
	printf("%-28s %7s  %-28s %-8s %-7s %s/%s/%s\n", name, row.size, row.release, row.pvh,
	       row.initrd, s->path, name, STORE_KERNEL);
}

static int is_kernel(const struct dirent *entry)
{
	struct verr ignored = VERR_INIT;

	return entry->d_type != DT_REG && store_check_name(entry->d_name, &ignored) == 0;
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct store s;
	struct dirent **entries = NULL;
	int count = 0;

	(void)args;
	if (store_open(&s, false, e) < 0)
		return -1;
	if (s.fd >= 0)
		count = scandirat(s.fd, ".", &entries, is_kernel, versionsort);
	if (count < 0) {
		store_close(&s);
		return verr_os(e, "read %s", s.path);
	}
	if (count == 0)
		fprintf(stderr, "no kernels yet: try volt kernel import\n");
	else
		printf("%-28s %7s  %-28s %-8s %-7s %s\n", "NAME", "SIZE", "RELEASE", "PVH",
		       "INITRD", "PATH");
	for (int i = 0; i < count; i++) {
		print_kernel(&s, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	store_close(&s);
	return STATUS_OK;
}

const struct verb kernel_list_verb = {
	.name = "list",
	.summary = "list the kernels that are kept",
	.about = "PVH says whether a kernel has PVH's entry point: it is entered there, else by "
		 "Linux's\n"
		 "64-bit one. INITRD says whether it has one for root disks beside it: a kernel "
		 "with "
		 "all\n"
		 "drivers built in needs none.\n",
	.run = run,
};
