/* SPDX-License-Identifier: Apache-2.0 */
/* The two I/O ports through which volt-init reports to volt-vmm (contract/ports.h). */
#ifndef VOLT_INIT_PORT_H
#define VOLT_INIT_PORT_H

#include <stdbool.h>

#include "contract/ports.h"

struct port {
	bool usable; /* the kernel lets us, and volt-vmm is what answers there */
	int err;     /* why the kernel refused, or 0 */
};

/* Says nothing itself: it runs before there is a console. */
void port_open(struct port *port);

/* Gives up the right to use the ports; for the workload, which would inherit it. */
void port_close(struct port *port);

void port_mark(const struct port *port, enum volt_mark mark);

/* Reports the workload's exit status; one line where the kernel refuses the port. */
void port_status(const struct port *port, int status);

#endif
