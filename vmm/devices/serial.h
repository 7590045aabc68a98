/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A 16550A UART (National Semiconductor PC16550D data sheet): full register set, 16-byte receive
 * FIFO, interrupts by edge, loopback. Time does not exist: a byte is sent as soon as it is written,
 * so the transmitter is always empty; divisor and line settings are kept and mean nothing.
 */
#ifndef VOLT_VMM_DEVICES_SERIAL_H
#define VOLT_VMM_DEVICES_SERIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/metrics.h"
#include "base/verr.h"
#include "vmm/devices/pio.h"
#include "vmm/state/lists.h"

#define SERIAL_PORTS 8

struct serial;

struct serial_options {
	int irq; /* eventfd written for each interrupt edge; borrowed; non-blocking */
	/* A byte that the guest sent; called with the device locked, from a vCPU's thread. */
	void (*send)(void *arg, uint8_t byte);
	/*
	 * There is room for input again. Called once after serial_room() returned 0 or
	 * serial_receive() took less than it was offered, so nobody is woken who does not wait;
	 * from the vCPU's thread that made the room, device not locked. NULL: none.
	 */
	void (*room)(void *arg);
	void *arg;
};

V_MUST_CHECK int serial_new(const struct serial_options *options, struct serial **out,
			    struct verr *e);
struct serial *serial_free(struct serial *serial); /* accepts NULL, returns NULL */

extern const struct pio_ops serial_pio; /* device: struct serial */

/*
 * How many bytes of input fit now; any thread. 0 as long as the guest does not listen: input waits
 * on the host, where no driver that clears its FIFO while it starts can lose it. A guest listens
 * when it lets receive interrupts through or polls the line status.
 */
size_t serial_room(struct serial *serial);

/* Input for the guest: as many of `len` bytes as fit; returns how many. Any thread. */
size_t serial_receive(struct serial *serial, const uint8_t *bytes, size_t len);

/* While no vCPU runs. What is pending after serial_apply() gives an edge, anew if it has had one.
 */
void serial_capture(struct serial *serial, struct serial_state *out);
V_MUST_CHECK int serial_apply(struct serial *serial, const struct serial_state *in, struct verr *e);

/* Counters: bytes out, bytes in, interrupts, overruns. Borrowed. */
struct metric_group serial_metrics(const struct serial *serial);

#endif
