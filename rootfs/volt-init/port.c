/* SPDX-License-Identifier: Apache-2.0 */
#include "rootfs/volt-init/port.h"

#include <errno.h>
#include <string.h>
#include <sys/io.h>

#include "rootfs/volt-init/say.h"

#define PORT_FIRST VOLT_PORT_STATUS
#define PORT_COUNT 2
_Static_assert(VOLT_PORT_MARK == PORT_FIRST + 1, "one ioperm covers both ports");

/* What volt-vmm's ports read as. Other machines have registers there that a write would change. */
#define PORT_OURS 0xff

void port_open(struct port *port)
{
	*port = (struct port){0};
	if (ioperm(PORT_FIRST, PORT_COUNT, 1) < 0) {
		port->err = errno;
		return;
	}
	port->usable = inb(VOLT_PORT_STATUS) == PORT_OURS;
}

void port_close(struct port *port)
{
	if (port->err == 0)
		(void)ioperm(PORT_FIRST, PORT_COUNT, 0);
	port->usable = false;
}

void port_mark(const struct port *port, enum volt_mark mark)
{
	if (port->usable)
		outb((unsigned char)mark, VOLT_PORT_MARK);
}

void port_status(const struct port *port, int status)
{
	if (port->usable)
		outb((unsigned char)status, VOLT_PORT_STATUS);
	else if (port->err)
		say("cannot report exit status %d to the monitor: %s", status, strerror(port->err));
}
