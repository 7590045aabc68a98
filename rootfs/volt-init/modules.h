/* SPDX-License-Identifier: Apache-2.0 */
/* Loads the kernel modules that an initrd lists (contract/initrd.h). */
#ifndef VOLT_INIT_MODULES_H
#define VOLT_INIT_MODULES_H

#include <stdbool.h>
#include <stddef.h>

/* The longest that a kernel's command line can make them. */
#define MODULES_PARAMS ((size_t)8 << 10)

/*
 * The parameters of the module in "file" ("/modules/virtio_mmio.ko") from a kernel command line,
 * which stays as it is: of each "virtio_mmio.device=X" before "--" it is "device=X". Cut at the end
 * of a word where "size" is not enough for all.
 */
void modules_params(const char *file, const char *line, char *params, size_t size);

/* Loads each file of the list; what fails costs a line. A list that is not there is an empty one.
 */
void modules_load(const char *list, bool debug);

#endif
