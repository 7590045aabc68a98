/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. "DS" is the PC16550D data sheet, whose section 8 describes the registers.
 *
 * The interrupt line is the OR of five causes, each enabled by a bit of IER, and on a PC it passes
 * a gate that OUT2 opens. The interrupt controller takes edges, so an edge is sent for each cause
 * that becomes active; the driver then reads IIR until that says "none". A cause that is switched
 * off by IER or by the gate is inactive, and gives a new edge when it is switched on again.
 *
 * There is no time: what is written to THR is gone at once, so LSR always says "empty", and the
 * character timeout (DS 8.11) has always run out. Input is never taken beyond what fits, so only a
 * guest in loopback can overrun its receiver. Input comes in bursts where a line has pauses
 * between bytes, so reading one byte gives an edge for the next: a driver that reads one byte an
 * interrupt gets them all.
 */
#include "vmm/devices/serial.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

/* Registers by offset (DS table II); the first two are the divisor while LCR_DLAB is set. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

enum { IER_DATA = 0x01, IER_THRE = 0x02, IER_LINE = 0x04, IER_MODEM = 0x08, IER_ALL = 0x0f };
enum {
	IIR_MODEM = 0x00,
	IIR_NONE = 0x01,
	IIR_THRE = 0x02,
	IIR_DATA = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0
};
enum { FCR_ENABLE = 0x01, FCR_CLEAR_RX = 0x02, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum {
	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,
	MCR_ALL = 0x1f
};
enum { LSR_DATA = 0x01, LSR_OVERRUN = 0x02, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum {
	MSR_DELTAS = 0x0f,
	MSR_RI_ENDED = 0x04,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80
};

/* What asks for an interrupt; not the same bits as IER, which has one for data and timeout. */
enum {
	CAUSE_LINE = 0x01,
	CAUSE_DATA = 0x02,
	CAUSE_TIMEOUT = 0x04,
	CAUSE_THRE = 0x08,
	CAUSE_MODEM = 0x10
};

#define FIFO_SIZE 16

/*
 * A guest that reads LSR this often with no write between polls for input: one that polls to send
 * finds the transmitter empty at the first read.
 */
#define POLLS_TO_LISTEN 16

struct serial_counters {
	counter bytes_out, bytes_in, interrupts, overruns;
};

struct serial {
	struct serial_options options;
	struct serial_counters counters;
	pthread_mutex_t lock;
	/* lock: everything below */
	uint8_t ier, fcr, lcr, mcr, msr, scr;
	uint8_t divisor[2];
	uint8_t fifo[FIFO_SIZE]; /* without FCR_ENABLE one byte of it is RBR */
	unsigned head, count;
	unsigned polls;   /* LSR reads since the last write */
	uint8_t causes;   /* active when the line was last looked at */
	bool overrun;     /* LSR_OVERRUN */
	bool thr_emptied; /* the THRE interrupt is pending */
	bool starved;     /* the host has input that did not fit */
};

static bool fifo_enabled(const struct serial *s)
{
	return (s->fcr & FCR_ENABLE) != 0;
}

/* The receive FIFO's trigger level (DS 8.5); RBR alone has one of 1. */
static unsigned fifo_trigger(const struct serial *s)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	return fifo_enabled(s) ? levels[s->fcr >> 6] : 1;
}

static void fifo_clear(struct serial *s)
{
	s->head = 0;
	s->count = 0;
}

static void fifo_put(struct serial *s, uint8_t byte)
{
	s->fifo[(s->head + s->count++) % FIFO_SIZE] = byte;
}

static uint8_t fifo_take(struct serial *s)
{
	uint8_t byte = s->fifo[s->head];

	if (s->count > 0) {
		s->head = (s->head + 1) % FIFO_SIZE;
		s->count--;
		s->causes &= (uint8_t) ~(CAUSE_DATA | CAUSE_TIMEOUT);
	}
	return byte;
}

static unsigned pending_causes(const struct serial *s)
{
	unsigned causes = 0;

	if ((s->ier & IER_LINE) && s->overrun)
		causes |= CAUSE_LINE;
	if ((s->ier & IER_DATA) && s->count > 0)
		causes |= s->count >= fifo_trigger(s) ? CAUSE_DATA : CAUSE_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thr_emptied)
		causes |= CAUSE_THRE;
	if ((s->ier & IER_MODEM) && (s->msr & MSR_DELTAS))
		causes |= CAUSE_MODEM;
	return causes;
}

/* Loopback makes all modem outputs inactive (DS 8.8), and with OUT2 the PC's gate. */
static bool gate_open(const struct serial *s)
{
	return (s->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

static void send_edges(struct serial *s)
{
	unsigned causes = gate_open(s) ? pending_causes(s) : 0;
	uint64_t one = 1;

	if ((causes & ~(unsigned)s->causes) != 0) {
		/* Cannot block; fails only when 2^64-2 edges are pending. */
		ssize_t n = write(s->options.irq, &one, sizeof(one));

		(void)n;
		counter_add(&s->counters.interrupts, 1);
	}
	s->causes = (uint8_t)causes;
}

static bool guest_listens(const struct serial *s)
{
	return ((s->ier & IER_DATA) && (s->mcr & MCR_OUT2)) || s->polls >= POLLS_TO_LISTEN;
}

static size_t room_now(const struct serial *s)
{
	size_t size = fifo_enabled(s) ? FIFO_SIZE : 1;

	/* In loopback the receiver is cut off from the line (DS 8.8). */
	if ((s->mcr & MCR_LOOP) || !guest_listens(s) || s->count >= size)
		return 0;
	return size - s->count;
}

/*
 * End of an access: bring the interrupt line up to date and unlock; then tell a host that waits.
 * It waits until the guest has read everything, so that it is woken once a FIFO and not once a
 * byte.
 */
static void finish_access(struct serial *s)
{
	bool wake = s->starved && s->count == 0 && room_now(s) > 0;

	if (wake)
		s->starved = false;
	send_edges(s);
	(void)pthread_mutex_unlock(&s->lock);
	if (wake && s->options.room != NULL)
		s->options.room(s->options.arg);
}

/* The transmitter's output as the receiver sees it in loopback. */
static void loop_back(struct serial *s, uint8_t byte)
{
	unsigned size = fifo_enabled(s) ? FIFO_SIZE : 1;

	if (s->count >= size) {
		s->overrun = true;
		counter_add(&s->counters.overruns, 1);
		/* DS 8.4: RBR is overwritten, a full FIFO keeps what it has. */
		if (!fifo_enabled(s))
			s->fifo[s->head] = byte;
		return;
	}
	fifo_put(s, byte);
}

static void write_thr(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		loop_back(s, byte);
	} else {
		s->options.send(s->options.arg, byte);
		counter_add(&s->counters.bytes_out, 1);
	}
	/*
	 * THR is full for no time and then empty. Without FIFOs each byte gives an edge of its own;
	 * with them the whole burst gives one, as the transmitter is slower than the guest.
	 */
	if (!fifo_enabled(s))
		s->causes &= (uint8_t)~CAUSE_THRE;
	s->thr_emptied = true;
}

static void write_ier(struct serial *s, uint8_t value)
{
	/* Enabling the THRE interrupt while THR is empty raises it (DS 8.4, bit 5). */
	if ((value & IER_THRE) && !(s->ier & IER_THRE))
		s->thr_emptied = true;
	s->ier = value & IER_ALL;
}

/*
 * By DS 8.5 changing the mode clears the FIFOs either way. Here enabling them keeps the byte in
 * RBR: Linux enables its receive interrupt just before its FIFOs, and on a real line nothing can
 * arrive between those two instructions.
 */
static void write_fcr(struct serial *s, uint8_t value)
{
	if (!(value & FCR_ENABLE) ? fifo_enabled(s) : (value & FCR_CLEAR_RX) != 0)
		fifo_clear(s);
	/* The other bits are programmed only together with FCR_ENABLE. */
	s->fcr = (value & FCR_ENABLE) ? value & FCR_KEPT : 0;
}

/* The modem inputs: a host that is always there, or in loopback our own outputs (DS 8.8). */
static unsigned modem_inputs(uint8_t mcr)
{
	unsigned in = 0;

	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	in |= mcr & MCR_RTS ? MSR_CTS : 0;
	in |= mcr & MCR_DTR ? MSR_DSR : 0;
	in |= mcr & MCR_OUT1 ? MSR_RI : 0;
	in |= mcr & MCR_OUT2 ? MSR_DCD : 0;
	return in;
}

static void write_mcr(struct serial *s, uint8_t value)
{
	unsigned before = s->msr, now = modem_inputs(value);
	unsigned deltas = (before ^ now) >> 4;

	/* RI reports only that ringing has ended (DS 8.9). */
	if (now & MSR_RI)
		deltas &= ~(unsigned)MSR_RI_ENDED;
	s->mcr = value & MCR_ALL;
	s->msr = (uint8_t)(now | ((before | deltas) & MSR_DELTAS));
}

static void serial_out(void *device, uint16_t offset, uint8_t value)
{
	struct serial *s = device;

	(void)pthread_mutex_lock(&s->lock);
	s->polls = 0;
	switch (offset) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			s->divisor[0] = value;
		else
			write_thr(s, value);
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB)
			s->divisor[1] = value;
		else
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		write_mcr(s, value);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default: /* LSR and MSR: writing them is for factory tests (DS 8.4) */
		break;
	}
	finish_access(s);
}

/* The pending cause of the highest priority (DS table IV). */
static uint8_t read_iir(struct serial *s)
{
	unsigned causes = pending_causes(s), iir = IIR_NONE;

	if (causes & CAUSE_LINE) {
		iir = IIR_LINE;
	} else if (causes & CAUSE_DATA) {
		iir = IIR_DATA;
	} else if (causes & CAUSE_TIMEOUT) {
		iir = IIR_TIMEOUT;
	} else if (causes & CAUSE_THRE) {
		iir = IIR_THRE;
		s->thr_emptied = false;
	} else if (causes & CAUSE_MODEM) {
		iir = IIR_MODEM;
	}
	return (uint8_t)(iir | (fifo_enabled(s) ? IIR_FIFO : 0U));
}

static uint8_t read_lsr(struct serial *s)
{
	unsigned lsr = LSR_THRE | LSR_TEMT;

	lsr |= s->count > 0 ? LSR_DATA : 0;
	lsr |= s->overrun ? LSR_OVERRUN : 0;
	s->overrun = false;
	if (s->polls < POLLS_TO_LISTEN)
		s->polls++;
	return (uint8_t)lsr;
}

static uint8_t read_msr(struct serial *s)
{
	uint8_t msr = s->msr;

	s->msr &= (uint8_t)~MSR_DELTAS;
	return msr;
}

static uint8_t read_register(struct serial *s, uint16_t offset)
{
	switch (offset) {
	case REG_DATA:
		return s->lcr & LCR_DLAB ? s->divisor[0] : fifo_take(s);
	case REG_IER:
		return s->lcr & LCR_DLAB ? s->divisor[1] : s->ier;
	case REG_IIR_FCR:
		return read_iir(s);
	case REG_LCR:
		return s->lcr;
	case REG_MCR:
		return s->mcr;
	case REG_LSR:
		return read_lsr(s);
	case REG_MSR:
		return read_msr(s);
	case REG_SCR:
		return s->scr;
	default:
		return 0xff;
	}
}

static uint8_t serial_in(void *device, uint16_t offset)
{
	struct serial *s = device;
	uint8_t value;

	(void)pthread_mutex_lock(&s->lock);
	value = read_register(s, offset);
	finish_access(s);
	return value;
}

const struct pio_ops serial_pio = {.in = serial_in, .out = serial_out};

int serial_new(const struct serial_options *options, struct serial **out, struct verr *e)
{
	struct serial *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return verr_host(e, "serial line: out of memory");
	s->options = *options;
	s->msr = (uint8_t)modem_inputs(0);
	(void)pthread_mutex_init(&s->lock, NULL);
	*out = s;
	return 0;
}

struct serial *serial_free(struct serial *s)
{
	if (s != NULL) {
		(void)pthread_mutex_destroy(&s->lock);
		free(s);
	}
	return NULL;
}

size_t serial_room(struct serial *s)
{
	size_t room;

	(void)pthread_mutex_lock(&s->lock);
	room = room_now(s);
	s->starved = room == 0;
	(void)pthread_mutex_unlock(&s->lock);
	return room;
}

size_t serial_receive(struct serial *s, const uint8_t *bytes, size_t len)
{
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = MIN(len, room_now(s));
	for (size_t i = 0; i < n; i++)
		fifo_put(s, bytes[i]);
	s->starved = n < len;
	counter_add(&s->counters.bytes_in, n);
	send_edges(s);
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

/* --- saved state --- */

void serial_capture(struct serial *s, struct serial_state *out)
{
	(void)pthread_mutex_lock(&s->lock);
	*out = (struct serial_state){.ier = s->ier,
				     .fcr = s->fcr,
				     .lcr = s->lcr,
				     .mcr = s->mcr,
				     .msr = s->msr,
				     .scr = s->scr,
				     .divisor = {s->divisor[0], s->divisor[1]},
				     .received_count = s->count,
				     .overrun = s->overrun,
				     .thr_emptied = s->thr_emptied,
				     .polls = (uint8_t)s->polls};
	for (unsigned i = 0; i < s->count; i++)
		out->received[i] = s->fifo[(s->head + i) % FIFO_SIZE];
	(void)pthread_mutex_unlock(&s->lock);
}

/* Only what registers can be written to be, and what fits. */
static bool is_possible(const struct serial_state *in)
{
	unsigned size = in->fcr & FCR_ENABLE ? FIFO_SIZE : 1;

	return !(in->ier & ~IER_ALL) && !(in->fcr & ~FCR_KEPT) &&
	       (in->fcr == 0 || in->fcr & FCR_ENABLE) && !(in->mcr & ~MCR_ALL) &&
	       (in->msr & ~MSR_DELTAS) == modem_inputs(in->mcr) && in->received_count <= size &&
	       in->polls <= POLLS_TO_LISTEN;
}

int serial_apply(struct serial *s, const struct serial_state *in, struct verr *e)
{
	_Static_assert(sizeof(in->received) == FIFO_SIZE, "the FIFO fits");
	if (!is_possible(in))
		return verr_corrupt(e, "the serial line is in a state that it cannot be in");
	(void)pthread_mutex_lock(&s->lock);
	s->ier = in->ier;
	s->fcr = in->fcr;
	s->lcr = in->lcr;
	s->mcr = in->mcr;
	s->msr = in->msr;
	s->scr = in->scr;
	memcpy(s->divisor, in->divisor, sizeof(s->divisor));
	fifo_clear(s);
	for (uint32_t i = 0; i < in->received_count; i++)
		fifo_put(s, in->received[i]);
	s->overrun = in->overrun;
	s->thr_emptied = in->thr_emptied;
	s->polls = in->polls;
	s->causes = 0;
	finish_access(s);
	return 0;
}

struct metric_group serial_metrics(const struct serial *s)
{
	static const struct metric_row rows[] = {
		{"bytes_out", "bytes that the guest sent",
		 offsetof(struct serial_counters, bytes_out)},
		{"bytes_in", "bytes that the guest was given",
		 offsetof(struct serial_counters, bytes_in)},
		{"interrupts", "interrupt edges", offsetof(struct serial_counters, interrupts)},
		{"overruns", "bytes lost by the guest in loopback",
		 offsetof(struct serial_counters, overruns)},
	};

	return (struct metric_group){
		.name = "serial", .rows = rows, .count = ARRAY_LEN(rows), .base = &s->counters};
}
