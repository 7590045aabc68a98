/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel command line: the user's or the default, what devices need, and the workload. */
#ifndef VOLT_VMM_BOOT_CMDLINE_H
#define VOLT_VMM_BOOT_CMDLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/verr.h"
#include "contract/workload.h"
#include "vmm/arch/x86_64/platform.h"

struct cmdline_parts {
	const char *base; /* the user's; NULL: the default one */
	bool console;     /* the default one names the serial console */
	bool acpi;        /* off adds acpi=off, and virtio_mmio.device= for each such device */
	bool root;        /* the first disk is the root: adds root=, ro or rw, and init= */
	bool root_readonly;
	const char *init; /* NULL: no init= */
	/* Of each NIC what volt-init gives its interface, as ip_parse() has it, or NULL. */
	const char *const *ips;
	size_t nips;
	const struct platform *platform; /* the devices */
	char *const *workload;           /* NULL-terminated; NULL: none */
	bool unattended;                 /* nobody types: the workload's pagers need not wait */
};

struct cmdline {
	char text[VOLT_CMDLINE_SIZE];
	uint32_t len;
};

/*
 * Put the command line together. What is added comes before a "--" of the user's, and leaves out
 * what the user has said already (root=, ro, rw, init=, volt.ip=). The workload follows " -- " as
 * contract/workload.h has it. A line longer than VOLT_CMDLINE_SIZE - 1 is a fault that names its
 * length.
 */
V_MUST_CHECK int cmdline_build(const struct cmdline_parts *parts, struct cmdline *out,
			       struct verr *e);

/* Copy it and its NUL to LAYOUT_CMDLINE; a fault when it is longer than `kernel_max` bytes. */
V_MUST_CHECK int cmdline_load(struct mem *mem, const struct cmdline *line, uint32_t kernel_max,
			      struct verr *e);

#endif
