/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt: the command for people and scripts around volt-vmm, which stays the smallest thing that
 * can run a machine.
 *
 * A verb is one file with one `const struct verb`, and one line here.
 */
#include "version.h"
#include "volt/api.h"
#include "volt/doctor.h"
#include "volt/kernel.h"
#include "volt/net/net.h"
#include "volt/pool/pool.h"
#include "volt/rootfs.h"
#include "volt/snapshot.h"
#include "cli/verb.h"

static const struct verb *const verbs[] = {
	&doctor_verb, &kernel_verb,   &net_verb, &rootfs_verb,
	&pool_verb,   &snapshot_verb, &api_verb, &openapi_verb,
};

static const struct verb root = {
	.name = "volt",
	.summary = "the command around volt-vmm, the monitor that runs virtual machines",
	.about = "Options:\n"
		 "  -h, --help             this text\n"
		 "  --version              print the version\n"
		 "\nExit status: 0 done; 1 failed; 2 the arguments or a file named in them are "
		 "wrong.\n",
	.verbs = verbs,
	.verbs_count = ARRAY_LEN(verbs),
};

int main(int argc, char *argv[])
{
	return verb_program(&root, VOLT_VERSION, argc, argv);
}
