/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt: the command for people and scripts around volt-vmm, which stays the smallest thing that
 * can run a machine.
 *
 * A verb is one file with one `const struct verb`, and one line here.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "version.h"
#include "volt/doctor.h"
#include "volt/kernel.h"
#include "volt/rootfs.h"
#include "volt/verb.h"

static const struct verb *const verbs[] = {
	&doctor_verb,
	&kernel_verb,
	&rootfs_verb,
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

/*
 * A standard descriptor that whoever started us closed must not become one of our files, for our
 * lines would go there. Read-only: writing to it fails, as it should.
 */
static void fill_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		(void)close(fd);
}

int main(int argc, char *argv[])
{
	int status = STATUS_OK;

	fill_standard_fds();
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		printf("volt %s\n", VOLT_VERSION);
	else
		status = verb_main(&root, root.name, argc, argv);
	/* An answer that nobody got is a failure. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("volt: standard output");
		return status == STATUS_OK ? STATUS_FAILED : status;
	}
	return status;
}
