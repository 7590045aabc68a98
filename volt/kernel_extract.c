/* SPDX-License-Identifier: Apache-2.0 */
/* volt kernel extract: the vmlinux in a bzImage, to a file. */
#include "base/own.h"
#include "volt/kernel.h"
#include "volt/kernel_file.h"
#include "cli/outfile.h"
#include "volt/vmlinux.h"

enum { OUTPUT };

static const struct verb_option options[] = {
	[OUTPUT] = {.name = "output", .letter = 'o', .value = "VMLINUX", .help = "where to put it"},
};

static int write_checked(const struct kernel_file *k, const char *from, const char *path,
			 struct verr *e)
{
	struct outfile f;
	struct vmlinux ignored;
	int r = -1;

	if (outfile_open(&f, path, e) < 0)
		return -1;
	if (outfile_write(f.fd, path, k->vmlinux, k->len, e) == 0) {
		r = vmlinux_inspect(f.fd, k->len, &ignored, e);
		r = r < 0 ? verr_note(e, "%s: what is in it", from) : outfile_commit(&f, e);
	}
	outfile_deinit(&f);
	return r;
}

static int run(const struct verb_args *args, struct verr *e)
{
	const char *from = args->operands[0], *to = args->options[OUTPUT];
	struct kernel_file k;
	int r;

	if (to == NULL)
		return verr_invalid(e, "expected -o VMLINUX, where to put the kernel");
	if (kernel_file_read(from, &k, e) < 0)
		return -1;
	r = write_checked(&k, from, to, e);
	kernel_file_deinit(&k);
	return r;
}

const struct verb kernel_extract_verb = {
	.name = "extract",
	.summary = "unpack the vmlinux in a bzImage to a file",
	.about = "A bzImage is what distributions install as /boot/vmlinuz-*. The kernel in it may "
		 "be packed\n"
		 "with gzip, xz, zstd or lz4.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "BZIMAGE",
	.operands_min = 1,
	.operands_max = 1,
};
