/* SPDX-License-Identifier: Apache-2.0 */
/* Firecracker's command line (arguments.def), for a process that was started under that name. */
#ifndef VOLT_VMM_FIRECRACKER_ARGUMENTS_H
#define VOLT_VMM_FIRECRACKER_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"

struct config;

/* A NUMBER that was given or has a default. */
struct fc_number {
	uint64_t value;
	bool given;
};

typedef const char *fc_arg_TEXT; /* NULL: not given */
typedef struct fc_number fc_arg_NUMBER;
typedef bool fc_arg_FLAG;

/* Texts are argv's. */
struct fc_args {
#define ARG(flag, field, type, ...) fc_arg_##type field;
#include "vmm/firecracker/arguments.def"
#undef ARG
};

/* Was the process started as "firecracker"? */
bool fc_args_is_ours(const char *argv0);

/*
 * "--flag VALUE" and "--flag=VALUE". Nothing further is checked where --help or --version is among
 * them, and set in `out` alone.
 */
V_MUST_CHECK int fc_args_parse(struct fc_args *out, int argc, char *const argv[], struct verr *e);

/* What of it are settings of the machine's: socket, id, sandbox. */
V_MUST_CHECK int fc_args_apply(const struct fc_args *c, struct config *config, struct verr *e);

/* To stdout. The first line is what clients read the version from. */
void fc_args_print_version(void);
void fc_args_print_help(void);

#endif
