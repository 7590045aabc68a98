/* SPDX-License-Identifier: Apache-2.0 */
/* From a word of the kernel command line to the arguments in it (contract/workload.h). */
#ifndef VOLT_INIT_DECODE_H
#define VOLT_INIT_DECODE_H

#include "rootfs/volt-init/workload.h"

/* Decodes "word" in place and appends its arguments, at least one, to the workload's. */
int decode_word(char *word, struct workload *workload, struct why *why);

#endif
