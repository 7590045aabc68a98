/* SPDX-License-Identifier: Apache-2.0 */
/* How a host can back guest memory. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "volt/check.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGETLB_REMEDY "sysctl vm.nr_hugepages=N (64 for a guest of 128 MiB)"

static unsigned long long read_number(const char *path)
{
	char text[32];

	return check_read_file(path, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

void check_hugetlb(struct check_context *c, struct finding *f)
{
	unsigned long long all = read_number(HUGEPAGES "nr_hugepages");
	unsigned long long unused = read_number(HUGEPAGES "free_hugepages");

	(void)c;
	if (access(HUGEPAGES, F_OK) < 0)
		check_missing(f, "a host kernel with CONFIG_HUGETLBFS=y",
			      "this kernel has no 2 MiB pages to reserve");
	else if (unused > 0)
		check_ok(f, "%llu of %llu reserved 2 MiB pages are free", unused, all);
	else if (all > 0)
		check_limited(f, HUGETLB_REMEDY, "all %llu reserved 2 MiB pages are in use", all);
	else
		check_limited(f, HUGETLB_REMEDY, "no 2 MiB pages are reserved");
}

bool check_bracketed(const char *text, char *out, size_t size)
{
	const char *open = strchr(text, '['), *end;

	if (open == NULL)
		return false;
	end = strchr(++open, ']');
	if (end == NULL || (size_t)(end - open) >= size)
		return false;
	(void)snprintf(out, size, "%.*s", (int)(end - open), open);
	return true;
}

void check_thp(struct check_context *c, struct finding *f)
{
	char text[128], mode[32];

	(void)c;
	if (!check_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) ||
	    !check_bracketed(text, mode, sizeof(mode)))
		check_missing(f, "a host kernel with CONFIG_TRANSPARENT_HUGEPAGE=y",
			      "this kernel has no transparent huge pages: guests run on 4 KiB "
			      "pages, slower");
	else if (strcmp(mode, "never") == 0)
		check_limited(f, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
			      "transparent huge pages are off: guests run on 4 KiB pages, slower");
	else
		check_ok(f, "transparent huge pages: %s", mode);
}

/* By its device, whose permissions the host's owner sets, or else by the system call. */
static int open_userfaultfd(void)
{
	auto_fd device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (device >= 0) {
		int fd = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC);

		if (fd >= 0)
			return fd;
	}
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC);
}

void check_userfaultfd(struct check_context *c, struct finding *f)
{
	auto_fd fd = open_userfaultfd();

	(void)c;
	if (fd >= 0)
		check_ok(f, "guest memory can be filled on demand");
	else if (errno == EPERM)
		check_missing(f,
			      "sysctl vm.unprivileged_userfaultfd=1, or give this user "
			      "/dev/userfaultfd",
			      "no permission: no filling of guest memory on demand");
	else
		check_missing(f, "a host kernel with CONFIG_USERFAULTFD=y",
			      "no userfaultfd (%s): no filling of guest memory on demand",
			      strerror(errno));
}
