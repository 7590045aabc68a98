/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feed the UART as a guest's vCPU and the host's loop would: the input's bytes are register
 * accesses and input. Whatever comes, the FIFO is bounded, every byte sent comes out, no byte is
 * made up, and a host that was refused is told of room exactly once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/compiler.h"
#include "vmm/devices/serial.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

enum { REG_DATA, REG_IIR = 2, REG_LCR = 3, REG_MCR = 4, REG_LSR = 5 };

struct host {
	struct serial *serial;
	size_t sent;
	uint8_t last_sent;
	bool waiting; /* it was refused room and has not been told of any since */
};

static void on_send(void *arg, uint8_t byte)
{
	struct host *h = arg;

	h->sent++;
	h->last_sent = byte;
}

static void on_room(void *arg)
{
	struct host *h = arg;

	CHECK(h->waiting);
	h->waiting = false;
	CHECK(serial_room(h->serial) > 0);
}

static void give_input(struct host *h, const uint8_t *bytes, size_t len)
{
	size_t room = serial_room(h->serial), n;

	CHECK(room <= 16);
	n = serial_receive(h->serial, bytes, len);
	CHECK(n == MIN(len, room));
	h->waiting = n < len;
	CHECK(serial_room(h->serial) == room - n);
	h->waiting = room == n;
}

static void write_register(struct host *h, uint16_t reg, uint8_t value)
{
	bool to_line = reg == REG_DATA && !(serial_pio.in(h->serial, REG_LCR) & 0x80) &&
		       !(serial_pio.in(h->serial, REG_MCR) & 0x10);
	size_t before = h->sent;

	serial_pio.out(h->serial, reg, value);
	CHECK(h->sent == before + to_line);
	CHECK(!to_line || h->last_sent == value);
}

/* A driver's interrupt handler: it must come to an end. */
static void serve(struct host *h)
{
	unsigned turns = 0;

	serial_pio.out(h->serial, REG_LCR, 0x03);
	while (!(serial_pio.in(h->serial, REG_IIR) & 1)) {
		CHECK(++turns < 64);
		while (serial_pio.in(h->serial, REG_LSR) & 1) {
			CHECK(++turns < 64);
			(void)serial_pio.in(h->serial, REG_DATA);
		}
		(void)serial_pio.in(h->serial, 6);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct host host = {0};
	struct serial_options options = {.irq = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
					 .send = on_send,
					 .room = on_room,
					 .arg = &host};
	struct verr e = VERR_INIT;

	CHECK(serial_new(&options, &host.serial, &e) == 0);
	for (size_t i = 0; i + 1 < size; i += 2) {
		uint8_t op = data[i], value = data[i + 1];

		if (op < 0x80)
			write_register(&host, op % SERIAL_PORTS, value);
		else if (op < 0xe0)
			(void)serial_pio.in(host.serial, op % SERIAL_PORTS);
		else if (op < 0xf8)
			give_input(&host, data, MIN((size_t)value % 32, size));
		else
			serve(&host);
	}
	host.serial = serial_free(host.serial);
	(void)close(options.irq);
	return 0;
}
