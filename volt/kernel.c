/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/kernel.h"

static const struct verb *const verbs[] = {
	&kernel_list_verb,    &kernel_path_verb,  &kernel_import_verb,
	&kernel_extract_verb, &kernel_build_verb,
};

const struct verb kernel_verb = {
	.name = "kernel",
	.summary = "keep guest kernels",
	.about = "Kernels are kept in ${XDG_DATA_HOME:-$HOME/.local/share}/volt/kernels/NAME/.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};
