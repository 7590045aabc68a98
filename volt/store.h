/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that are kept: ${XDG_DATA_HOME:-$HOME/.local/share}/volt/kernels/NAME/ holds vmlinux,
 * the initrd that it needs for a root disk, if it needs one, and, as text, its origin; more files
 * do no harm.
 */
#ifndef VOLT_VOLT_STORE_H
#define VOLT_VOLT_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/verr.h"

#define STORE_KERNEL "vmlinux"
#define STORE_INITRD "vmlinux.initrd" /* volt-vmm finds it by the kernel's name */
#define STORE_ORIGIN "origin"
#define STORE_ORIGIN_MAX 4096
#define STORE_NAME_MAX 100

struct store {
	int fd; /* its folder; -1 when there is none yet */
	char path[PATH_MAX];
};

#define STORE_INIT       \
	{                \
		.fd = -1 \
	}

/* Open the store; `create` makes it where there is none, else fd stays -1 then. */
V_MUST_CHECK int store_open(struct store *s, bool create, struct verr *e);
void store_close(struct store *s);

/* May a kernel be called so? A fault says what is wrong with `name`. */
V_MUST_CHECK int store_check_name(const char *name, struct verr *e);

/* The value of "KEY: VALUE" in the text of an origin; false when there is none. */
bool store_origin_value(const char *text, const char *key, char *out, size_t size);

#endif
