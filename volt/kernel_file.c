/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel_file.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/sys.h"
#include "volt/unpack.h"
#include "cli/verb.h"

/* What every Linux says of itself when it starts. */
static const char banner[] = "Linux version ";

static int read_whole(const char *path, uint8_t **out, size_t *len, struct verr *e)
{
	uint64_t size = 0;
	auto_fd fd = sys_open_input(path, &size, e);
	auto_free uint8_t *buffer = NULL;

	if (fd < 0)
		return -1;
	if (size > UNPACK_MAX)
		return verr_invalid(e, "%s: %llu bytes: a kernel has at most %llu", path,
				    (unsigned long long)size, (unsigned long long)UNPACK_MAX);
	buffer = malloc(size + 1);
	if (buffer == NULL)
		return verr_host(e, "%s: out of memory", path);
	if (sys_pread_full(fd, buffer, size, 0, e) < 0)
		return verr_note(e, "%s", path);
	*out = ptr_take(buffer);
	*len = size;
	return 0;
}

static bool is_elf(struct bytes file)
{
	return file.len >= SELFMAG && memcmp(file.at, ELFMAG, SELFMAG) == 0;
}

static void find_release(struct kernel_file *k)
{
	const size_t len = sizeof(banner) - 1;
	const uint8_t *at = memmem(k->vmlinux, k->len, banner, len);

	if (at != NULL)
		image_release(bytes_of(at + len, k->len - (size_t)(at - k->vmlinux) - len),
			      k->release);
}

static int unpack_image(const char *path, struct bytes file, struct kernel_file *out,
			struct verr *e)
{
	struct image_header head;

	if (image_parse(file, &head, e) < 0)
		return -1;
	out->packed = unpack_name(head.payload);
	if (out->packed != NULL)
		verb_progress("unpacking %s (%.1f MiB, %s)", path,
			      (double)head.payload.len / (double)MIB(1), out->packed);
	memcpy(out->release, head.release, sizeof(out->release));
	return unpack_payload(head.payload, UNPACK_MAX, &out->vmlinux, &out->len, e);
}

int kernel_file_read(const char *path, struct kernel_file *out, struct verr *e)
{
	auto_free uint8_t *file = NULL;
	size_t len = 0;

	*out = (struct kernel_file){0};
	if (read_whole(path, &file, &len, e) < 0)
		return -1;
	if (is_elf(bytes_of(file, len))) {
		out->vmlinux = ptr_take(file);
		out->len = len;
		out->packed = "not at all";
	} else if (unpack_image(path, bytes_of(file, len), out, e) < 0) {
		return verr_note(e, "%s", path);
	}
	if (out->release[0] == '\0')
		find_release(out);
	return 0;
}

void kernel_file_deinit(struct kernel_file *k)
{
	free(k->vmlinux);
	k->vmlinux = NULL;
}
