/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line, as far as it is meant for volt-init. */
#ifndef VOLT_INIT_OPTIONS_H
#define VOLT_INIT_OPTIONS_H

#include <stdbool.h>

struct options {
	bool debug;     /* volt.debug: say each step */
	char *workload; /* what follows "--", still to be cut into words; NULL where there is none
			 */
};

/*
 * Takes the options out of "line", which it cuts up and which must live as long as the result.
 * Words that are not volt-init's are the kernel's, or nobody's: they are passed over.
 */
void options_parse(struct options *options, char *line);

/*
 * Cuts the next word off *at, in place, as the kernel does: blanks separate, except between double
 * quotes, and the quotes go. NULL at the end.
 */
char *options_word(char **at);

#endif
