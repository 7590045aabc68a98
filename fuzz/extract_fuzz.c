/* SPDX-License-Identifier: Apache-2.0 */
/* Any file as a bzImage: find the kernel in it, unpack it, and look at what comes out; and as a
 * packed module. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/own.h"
#include "volt/image.h"
#include "volt/unpack.h"
#include "volt/unpack_stream.h"
#include "volt/vmlinux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Small, so that a run is fast. */
#define LIMIT MIB(1)

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void must_explain(const struct verr *e)
{
	must(e->kind == VERR_INVALID && e->text[0] != '\0');
}

static void inspect(const uint8_t *kernel, size_t len)
{
	static int fd = -1;
	struct vmlinux found;
	struct verr e = VERR_INIT;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, kernel, len, 0) == (ssize_t)len);
	if (vmlinux_inspect(fd, len, &found, &e) < 0)
		must_explain(&e);
}

static void unpack(struct bytes payload)
{
	auto_free uint8_t *kernel = NULL;
	struct verr e = VERR_INIT;
	size_t len = 0;

	if (unpack_payload(payload, LIMIT, &kernel, &len, &e) < 0) {
		must_explain(&e);
		return;
	}
	must(unpack_name(payload) != NULL && len > 0 && len <= LIMIT);
	inspect(kernel, len);
}

static void unpack_module(struct bytes file)
{
	auto_free uint8_t *module = NULL;
	struct verr e = VERR_INIT;
	size_t len = 0;

	if (unpack_stream(file, LIMIT, &module, &len, &e) < 0)
		must_explain(&e);
	else
		must(len <= LIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image_header head;
	struct verr e = VERR_INIT;

	if (image_parse(bytes_of(data, size), &head, &e) < 0) {
		must_explain(&e);
	} else {
		must(strlen(head.release) < sizeof(head.release));
		must(head.payload.at >= data && head.payload.len > 0 &&
		     head.payload.at + head.payload.len <= data + size);
		unpack(head.payload);
	}
	/* The same as nothing but a payload, as a module's file, and as what might be in it. */
	unpack(bytes_of(data, size));
	unpack_module(bytes_of(data, size));
	inspect(data, size);
	return 0;
}
