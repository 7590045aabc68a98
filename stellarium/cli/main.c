/* SPDX-License-Identifier: Apache-2.0 */
/* stellarium: the command around libstellarium. A verb is one file, and one line here. */
#include "stellarium/cli/common.h"
#include "version.h"

static const struct verb *const verbs[] = {
	&init_verb, &import_verb, &export_verb, &ls_verb,   &info_verb,   &clone_verb,  &rm_verb,
	&gc_verb,   &verify_verb, &stat_verb,   &diff_verb, &volume_verb, &commit_verb,
};

static const struct verb root = {
	.name = "stellarium",
	.summary = "images of disks and other large things, each part stored once",
	.about = "Options:\n"
		 "  -h, --help             this text\n"
		 "  --version              print the version\n"
		 "\nExit status: 0 done; 1 failed, or something is damaged; 2 the arguments, or a "
		 "file "
		 "named in them,\n"
		 "are wrong.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};

int main(int argc, char *argv[])
{
	return verb_program(&root, VOLT_VERSION, argc, argv);
}
