/* SPDX-License-Identifier: Apache-2.0 */
/* volt kernel path: where a kernel is, for scripts. */
#include <stdio.h>

#include "base/own.h"
#include "base/sys.h"
#include "volt/kernel.h"
#include "volt/store.h"

static int run(const struct verb_args *args, struct verr *e)
{
	const char *name = args->operands[0];
	char path[PATH_MAX];
	struct store s;
	int there;

	if (store_check_name(name, e) < 0 || store_open(&s, false, e) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s/%s", s.path, name, STORE_KERNEL);
	there = s.fd >= 0 && access(path, R_OK) == 0;
	store_close(&s);
	if (!there)
		return verr_not_found(e, "%s: no such kernel; see volt kernel list", name);
	puts(path);
	return STATUS_OK;
}

const struct verb kernel_path_verb = {
	.name = "path",
	.summary = "print the path of a kernel's vmlinux",
	.run = run,
	.operands = "NAME",
	.operands_min = 1,
	.operands_max = 1,
};
