/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the host that volt runs. */
#ifndef VOLT_VOLT_PROGRAM_H
#define VOLT_VOLT_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/verr.h"

/*
 * Its path; false: it is not there. Looked for in PATH and, because an ordinary user's lacks them,
 * where administrators' programs are.
 */
bool program_find(const char *name, char *path, size_t size);

/*
 * Run it to its end with `input` (NULL: none) on its standard input, which is short: it must fit
 * into a pipe. What it says on standard output goes to `out`, ended by a NUL and cut to `size`. Not
 * to be found, or ending otherwise than with status 0: a fault with the last line that it wrote on
 * standard error. So is one that takes longer than a minute, which is ended then.
 */
V_MUST_CHECK int program_run(const char *const argv[], const char *input, char *out, size_t size,
			     struct verr *e);
V_MUST_CHECK int program_run_within(unsigned ms, const char *const argv[], const char *input,
				    char *out, size_t size, struct verr *e);

/* The user's name in /etc/passwd: nothing else can be asked by a static program. */
bool program_user_name(uint32_t uid, char *name, size_t size);

#endif
