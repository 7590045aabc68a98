/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/serial.h"

#include <pthread.h>
#include <sched.h>

#include "vmm/devices/devices_test.h"

enum { DATA, IER, IIR, FCR = 2, LCR, MCR, LSR, MSR, SCR };

#define NO_INTERRUPT 0x01
#define RX_ON 0x01
#define TX_ON 0x02
#define LINE_ON 0x04
#define MODEM_ON 0x08
#define OUT2 0x08
#define LOOP 0x10

struct fixture {
	struct serial *serial;
	int irq;
	uint8_t sent[4096];
	size_t nsent;
	unsigned rooms; /* calls, and the room that the last one found */
	size_t room;
};

static void on_send(void *arg, uint8_t byte)
{
	struct fixture *f = arg;

	f->sent[f->nsent++ % sizeof(f->sent)] = byte;
}

static void on_room(void *arg)
{
	struct fixture *f = arg;

	f->rooms++;
	f->room = serial_room(f->serial); /* not locked: it may be asked at once */
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	f->irq = irq_open();
	assert_ok(serial_new(
			  &(struct serial_options){
				  .irq = f->irq, .send = on_send, .room = on_room, .arg = f},
			  &f->serial, &e),
		  &e);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->serial = serial_free(f->serial);
	(void)close(f->irq);
	free(f);
	return 0;
}

static uint8_t in(struct fixture *f, uint16_t reg)
{
	return serial_pio.in(f->serial, reg);
}

static void out(struct fixture *f, uint16_t reg, unsigned value)
{
	serial_pio.out(f->serial, reg, (uint8_t)value);
}

/* As a driver that listens: FIFOs with trigger level 8, interrupts let through. */
static void listen_to_input(struct fixture *f)
{
	out(f, FCR, 0x81);
	out(f, MCR, OUT2);
	out(f, IER, RX_ON);
	assert_int_equal(irq_edges(f->irq), 0);
}

static size_t receive(struct fixture *f, const char *text)
{
	return serial_receive(f->serial, (const uint8_t *)text, strlen(text));
}

static void test_registers_after_reset(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(in(f, IER), 0);
	assert_int_equal(in(f, IIR), NO_INTERRUPT);
	assert_int_equal(in(f, LCR), 0);
	assert_int_equal(in(f, MCR), 0);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, MSR), 0xb0);
	assert_int_equal(in(f, SCR), 0);
}

static void test_registers_keep_what_they_have_bits_for(void **state)
{
	struct fixture *f = *state;

	out(f, IER, 0xff);
	assert_int_equal(in(f, IER), 0x0f);
	out(f, LCR, 0x7f);
	assert_int_equal(in(f, LCR), 0x7f);
	out(f, MCR, 0xef);
	assert_int_equal(in(f, MCR), 0x0f);
	out(f, SCR, 0xa5);
	assert_int_equal(in(f, SCR), 0xa5);
	/* The divisor latch hides the data and enable registers. */
	out(f, LCR, 0x83);
	out(f, DATA, 0x34);
	out(f, IER, 0x12);
	assert_int_equal(in(f, DATA), 0x34);
	assert_int_equal(in(f, IER), 0x12);
	out(f, LCR, 0x03);
	assert_int_equal(in(f, IER), 0x0f);
	assert_int_equal(f->nsent, 0);
}

static void test_sends_at_once(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 300; i++) {
		out(f, DATA, i);
		assert_int_equal(in(f, LSR) & 0x60, 0x60);
	}
	assert_int_equal(f->nsent, 300);
	assert_int_equal(f->sent[299], 299 & 0xff);
	assert_int_equal(metric_named(serial_metrics(f->serial), "bytes_out"), 300);
	assert_int_equal(irq_edges(f->irq), 0);
}

/* The probe of Linux's 8250 driver, step by step: it must end at "16550A", with no quirk. */
static void test_linux_probe(void **state)
{
	struct fixture *f = *state;

	/* Is anything there? */
	out(f, IER, 0);
	assert_int_equal(in(f, IER) & 0x0f, 0);
	out(f, IER, 0x0f);
	assert_int_equal(in(f, IER) & 0x0f, 0x0f);
	out(f, IER, 0);
	/* Loopback. */
	out(f, MCR, LOOP | 0x0a);
	assert_int_equal(in(f, MSR) & 0xf0, 0x90);
	out(f, MCR, 0);
	/* FIFOs; a 16650 would have shown a zero with these settings of LCR. */
	out(f, LCR, 0xbf);
	out(f, FCR, 0);
	out(f, LCR, 0);
	out(f, FCR, 0x01);
	assert_int_equal(in(f, IIR) >> 6, 3);
	out(f, LCR, 0x80);
	assert_int_not_equal(in(f, IIR), 0);
	out(f, LCR, 0xbf);
	assert_int_not_equal(in(f, IIR), 0);
	/* National Semiconductor's super I/O: bank 2 does not exist. */
	for (unsigned loop = 0; loop <= LOOP; loop += LOOP) {
		out(f, LCR, 0);
		out(f, MCR, loop);
		out(f, LCR, 0xe0);
		assert_int_equal(in(f, IIR) & LOOP, 0);
	}
	out(f, LCR, 0);
	out(f, MCR, 0);
	/* A TI16750 has 64 bytes of FIFO, a XScale bit 6 of IER. */
	out(f, FCR, 0x21);
	assert_int_equal(in(f, IIR) >> 5, 6);
	out(f, LCR, 0x80);
	out(f, FCR, 0x21);
	assert_int_equal(in(f, IIR) >> 5, 6);
	out(f, LCR, 0);
	out(f, IER, 0x40);
	assert_int_equal(in(f, IER), 0);
	assert_int_equal(f->nsent, 0);
}

static void test_linux_counts_the_fifo(void **state)
{
	struct fixture *f = *state;
	unsigned count;

	out(f, FCR, 0x07);
	out(f, MCR, LOOP);
	out(f, LCR, 0x03);
	for (count = 0; count < 256; count++)
		out(f, DATA, count);
	assert_int_equal(in(f, LSR), 0x63); /* overrun, once */
	for (count = 0; (in(f, LSR) & 1) && count < 256; count++)
		assert_int_equal(in(f, DATA), count);
	assert_int_equal(count, 16);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(f->nsent, 0);
	assert_int_equal(metric_named(serial_metrics(f->serial), "overruns"), 240);
}

/* What Linux does when a port is opened; else it starts a timer or works around a bug. */
static void test_linux_finds_no_thre_bug(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		out(f, IER, TX_ON);
		assert_int_equal(in(f, IIR), 0x02);
		out(f, IER, 0);
		assert_int_equal(in(f, IIR), NO_INTERRUPT);
	}
	out(f, MCR, OUT2);
	out(f, IER, TX_ON);
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, IIR), 0x02);
	out(f, IER, 0);
}

static void test_thre_interrupt(void **state)
{
	struct fixture *f = *state;

	out(f, FCR, 0x01);
	out(f, MCR, OUT2);
	out(f, DATA, 'x');
	assert_int_equal(irq_edges(f->irq), 0);
	out(f, IER, TX_ON);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(in(f, IIR), 0xc2);
	assert_int_equal(in(f, IIR), 0xc1); /* reading it was the acknowledgement */
	/* A burst into the FIFO empties it once. */
	for (int i = 0; i < 16; i++)
		out(f, DATA, 'y');
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(in(f, IIR), 0xc2);
	/* Enabled already: nothing new. */
	out(f, IER, TX_ON);
	assert_int_equal(irq_edges(f->irq), 0);
	assert_int_equal(in(f, IIR), 0xc1);
	/* Without FIFOs every byte has its own. */
	out(f, FCR, 0);
	for (int i = 0; i < 16; i++)
		out(f, DATA, 'z');
	assert_int_equal(irq_edges(f->irq), 16);
}

static void test_iir_clears_thre_only_as_the_source(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(receive(f, "a"), 1);
	out(f, IER, RX_ON | TX_ON);
	assert_int_equal(in(f, IIR), 0xcc);
	assert_int_equal(in(f, IIR), 0xcc);
	assert_int_equal(in(f, DATA), 'a');
	assert_int_equal(in(f, IIR), 0xc2);
	assert_int_equal(in(f, IIR), 0xc1);
}

static void test_data_or_timeout(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(receive(f, "1234567"), 7);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(in(f, IIR), 0xcc); /* below the trigger level */
	assert_int_equal(receive(f, "8"), 1);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(in(f, IIR), 0xc4);
	assert_int_equal(in(f, DATA), '1');
	assert_int_equal(in(f, IIR), 0xcc);
	/* A single byte, without FIFOs, is data. */
	out(f, FCR, 0);
	assert_int_equal(receive(f, "9"), 1);
	assert_int_equal(in(f, IIR), 0x04);
	assert_int_equal(in(f, DATA), '9');
	assert_int_equal(in(f, IIR), NO_INTERRUPT);
}

/* A driver that reads one byte an interrupt, and no loop, gets every byte. */
static void test_each_byte_interrupts(void **state)
{
	struct fixture *f = *state;
	unsigned got = 0;

	listen_to_input(f);
	assert_int_equal(receive(f, "0123456789abcdefXX"), 16);
	while (irq_edges(f->irq) > 0) {
		assert_int_equal(in(f, DATA), "0123456789abcdef"[got]);
		got++;
	}
	assert_int_equal(got, 16);
}

static void test_pending_cause_gives_an_edge_when_enabled_again(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(receive(f, "ab"), 2);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(receive(f, "c"), 1);
	assert_int_equal(irq_edges(f->irq), 0); /* the same cause, still active */
	out(f, IER, 0);                         /* as Linux does around every kernel message */
	assert_int_equal(in(f, IIR), 0xc1);
	out(f, IER, RX_ON);
	assert_int_equal(irq_edges(f->irq), 1);
	/* OUT2 is the gate on a PC: IIR shows the cause, the line does not. */
	out(f, MCR, 0);
	assert_int_equal(in(f, IIR), 0xcc);
	out(f, IER, 0);
	out(f, IER, RX_ON);
	assert_int_equal(irq_edges(f->irq), 0);
	out(f, MCR, OUT2);
	assert_int_equal(irq_edges(f->irq), 1);
	/* Loopback closes the gate, too. */
	out(f, MCR, OUT2 | LOOP);
	out(f, MCR, OUT2);
	assert_int_equal(irq_edges(f->irq), 1);
	assert_int_equal(metric_named(serial_metrics(f->serial), "interrupts"), 4);
}

/* A new cause while the handler serves another must not be lost. */
static void test_second_cause_gives_an_edge(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(receive(f, "a"), 1);
	assert_int_equal(irq_edges(f->irq), 1);
	out(f, IER, RX_ON | TX_ON);
	assert_int_equal(irq_edges(f->irq), 1);
	/* And what comes after the handler saw "none" does. */
	assert_int_equal(in(f, DATA), 'a');
	assert_int_equal(in(f, IIR), 0xc2);
	assert_int_equal(in(f, IIR), 0xc1);
	assert_int_equal(receive(f, "b"), 1);
	assert_int_equal(irq_edges(f->irq), 1);
}

static void test_priorities(void **state)
{
	struct fixture *f = *state;

	out(f, FCR, 0x01);
	out(f, MCR, LOOP);
	for (unsigned i = 0; i < 17; i++)
		out(f, DATA, i);
	out(f, IER, RX_ON | TX_ON | LINE_ON | MODEM_ON);
	assert_int_equal(in(f, IIR), 0xc6);
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, IIR), 0xc4);
	for (int i = 0; i < 16; i++)
		assert_int_equal(in(f, DATA), i);
	assert_int_equal(in(f, IIR), 0xc2);
	assert_int_equal(in(f, IIR), 0xc0);
	assert_int_equal(in(f, MSR), 0x0b); /* CTS, DSR and DCD have gone */
	assert_int_equal(in(f, IIR), 0xc1);
}

static void test_modem_status(void **state)
{
	struct fixture *f = *state;

	out(f, MCR, LOOP | 0x0f);
	assert_int_equal(in(f, MSR), 0xf0);
	out(f, MCR, LOOP | 0x0b); /* ringing ends */
	assert_int_equal(in(f, MSR), 0xb4);
	out(f, MCR, LOOP | 0x0f); /* it begins: no report */
	assert_int_equal(in(f, MSR), 0xf0);
	out(f, MCR, LOOP | 0x05);
	assert_int_equal(in(f, MSR), 0x69);
	out(f, MCR, 0);
	assert_int_equal(in(f, MSR), 0xbd);
	assert_int_equal(in(f, MSR), 0xb0);
}

static void test_overrun_without_fifo(void **state)
{
	struct fixture *f = *state;

	out(f, MCR, LOOP);
	out(f, DATA, 'a');
	assert_int_equal(in(f, LSR), 0x61);
	out(f, DATA, 'b');
	assert_int_equal(in(f, LSR), 0x63);
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, DATA), 'b');
	assert_int_equal(in(f, LSR), 0x60);
}

static void test_fifo_control(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(receive(f, "abc"), 3);
	out(f, FCR, 0xc0); /* bit 0 clear: the rest is not programmed, and the FIFO is cleared */
	assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(in(f, IIR), NO_INTERRUPT);
	out(f, FCR, 0x01);
	assert_int_equal(receive(f, "abc"), 3);
	assert_int_equal(in(f, IIR), 0xc4); /* trigger level 1 */
	out(f, FCR, 0x81);
	assert_int_equal(in(f, DATA), 'a'); /* no clear bit, nothing lost */
	out(f, FCR, 0x83);
	assert_int_equal(in(f, LSR), 0x60);
	out(f, FCR, 0x05); /* the transmitter's is empty anyway */
	assert_int_equal(in(f, LSR), 0x60);
}

/* Linux enables its receive interrupt and then its FIFOs: what came between is not lost. */
static void test_enabling_fifos_keeps_input(void **state)
{
	struct fixture *f = *state;

	out(f, MCR, OUT2);
	out(f, IER, RX_ON);
	assert_int_equal(receive(f, "xy"), 1);
	out(f, FCR, 0x01);
	assert_int_equal(receive(f, "y"), 1);
	assert_int_equal(in(f, DATA), 'x');
	assert_int_equal(in(f, DATA), 'y');
}

static void test_input_waits_for_a_listener(void **state)
{
	struct fixture *f = *state;

	out(f, FCR, 0x01);
	assert_int_equal(serial_room(f->serial), 0);
	assert_int_equal(receive(f, "a"), 0);
	out(f, IER, RX_ON); /* as a probe does: the interrupt is not let through */
	assert_int_equal(serial_room(f->serial), 0);
	assert_int_equal(f->rooms, 0);
	out(f, MCR, OUT2);
	assert_int_equal(f->rooms, 1);
	assert_int_equal(f->room, 16);
	out(f, MCR, OUT2 | LOOP); /* the receiver is cut off */
	assert_int_equal(serial_room(f->serial), 0);
	assert_int_equal(receive(f, "a"), 0);
	out(f, MCR, OUT2);
	assert_int_equal(f->rooms, 2);
}

static void test_polling_guest_listens(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(serial_room(f->serial), 0);
	for (int i = 0; i < 100; i++) { /* sending: the line status once a byte */
		assert_int_equal(in(f, LSR), 0x60);
		out(f, DATA, 'x');
	}
	assert_int_equal(f->rooms, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(in(f, LSR), 0x60);
	assert_int_equal(f->rooms, 1);
	assert_int_equal(receive(f, "ab"), 1);
	assert_int_equal(in(f, LSR), 0x61);
	assert_int_equal(in(f, DATA), 'a');
	assert_int_equal(f->rooms, 2);
}

static void test_room_is_reported_once_and_only_when_asked(void **state)
{
	struct fixture *f = *state;

	listen_to_input(f);
	assert_int_equal(serial_room(f->serial), 16);
	assert_int_equal(receive(f, "abc"), 3);
	for (int i = 0; i < 3; i++)
		(void)in(f, DATA);
	assert_int_equal(f->rooms, 0); /* nobody waits */
	assert_int_equal(receive(f, "0123456789abcdefg"), 16);
	for (int i = 0; i < 15; i++)
		(void)in(f, DATA);
	assert_int_equal(f->rooms, 0); /* once a FIFO, not once a byte */
	(void)in(f, DATA);
	assert_int_equal(f->rooms, 1);
	for (int i = 0; i < 5; i++) {
		out(f, IER, 0); /* kernel messages */
		out(f, IER, RX_ON);
	}
	assert_int_equal(f->rooms, 1);
	assert_int_equal(metric_named(serial_metrics(f->serial), "bytes_in"), 19);
}

/* Without a room callback nothing breaks. */
static void test_no_room_callback(void **state)
{
	struct fixture *f = *state;
	struct verr e = VERR_INIT;
	struct serial *s;

	assert_ok(serial_new(&(struct serial_options){.irq = f->irq, .send = on_send, .arg = f}, &s,
			     &e),
		  &e);
	assert_int_equal(serial_room(s), 0);
	serial_pio.out(s, MCR, OUT2);
	serial_pio.out(s, IER, RX_ON);
	assert_int_equal(serial_room(s), 1);
	assert_null(serial_free(s));
	assert_null(serial_free(NULL));
}

#define RACE_BYTES 3000

static void *race_host(void *arg)
{
	struct fixture *f = arg;
	uint8_t next = 0;

	for (unsigned i = 0; i < RACE_BYTES;) {
		size_t n = serial_receive(f->serial, &next, 1);

		i += (unsigned)n;
		next = (uint8_t)(next + n);
		if (n == 0)
			(void)sched_yield();
	}
	return NULL;
}

/* The host's thread and a vCPU at once (for ThreadSanitizer, too): every byte, in order. */
static void test_two_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t host;
	uint8_t want = 0;

	listen_to_input(f);
	assert_int_equal(pthread_create(&host, NULL, race_host, f), 0);
	for (unsigned i = 0; i < RACE_BYTES;) {
		if (!(in(f, LSR) & 1)) {
			(void)sched_yield();
			continue;
		}
		assert_int_equal(in(f, DATA), want);
		want++;
		i++;
	}
	assert_int_equal(pthread_join(host, NULL), 0);
	assert_int_equal(in(f, LSR), 0x60);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_registers_after_reset),
		TEST(test_registers_keep_what_they_have_bits_for),
		TEST(test_sends_at_once),
		TEST(test_linux_probe),
		TEST(test_linux_counts_the_fifo),
		TEST(test_linux_finds_no_thre_bug),
		TEST(test_thre_interrupt),
		TEST(test_iir_clears_thre_only_as_the_source),
		TEST(test_data_or_timeout),
		TEST(test_each_byte_interrupts),
		TEST(test_pending_cause_gives_an_edge_when_enabled_again),
		TEST(test_second_cause_gives_an_edge),
		TEST(test_priorities),
		TEST(test_modem_status),
		TEST(test_overrun_without_fifo),
		TEST(test_fifo_control),
		TEST(test_enabling_fifos_keeps_input),
		TEST(test_input_waits_for_a_listener),
		TEST(test_polling_guest_listens),
		TEST(test_room_is_reported_once_and_only_when_asked),
		TEST(test_no_room_callback),
		TEST(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
