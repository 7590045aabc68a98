/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the console's tests share: a loop, a console and a UART, with a guest that listens; and this
 * process's stdin and stdout kept aside, so that a test may put what it likes in their place.
 */
#ifndef VOLT_VMM_DEVICES_CONSOLE_TEST_H
#define VOLT_VMM_DEVICES_CONSOLE_TEST_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "base/sys.h"
#include "vmm/devices/console.h"
#include "vmm/devices/devices_test.h"
#include "vmm/devices/serial.h"

struct fixture {
	struct loop *loop;
	struct console *console;
	struct serial *serial;
	int irq;
	int saved[2]; /* the real stdin and stdout */
	unsigned quits;
	struct loop_source timer;
	uint64_t deadline;
	bool guest_reads; /* each tick: what the UART holds goes to `got` */
	char got[8192];
	size_t ngot, wanted;
};

static inline void fixture_quit(void *arg)
{
	((struct fixture *)arg)->quits++;
}

/* Read what the guest has been sent. */
static inline void guest_drain(struct fixture *f)
{
	while (f->ngot < sizeof(f->got) - 1 && (serial_pio.in(f->serial, 5) & 1))
		f->got[f->ngot++] = (char)serial_pio.in(f->serial, 0);
	f->got[f->ngot] = '\0';
}

static inline void fixture_tick(void *arg)
{
	struct fixture *f = arg;

	if (f->guest_reads)
		guest_drain(f);
	if ((f->guest_reads && f->ngot >= f->wanted) || sys_now_ns() > f->deadline)
		loop_stop(f->loop);
	else
		loop_timer_arm(&f->timer, f->guest_reads ? 1000 : 20000);
}

/* Run the loop until the guest has read `wanted` bytes in all; false: not within five seconds. */
static inline bool run_until_read(struct fixture *f, size_t wanted)
{
	struct verr e = VERR_INIT;

	f->guest_reads = true;
	f->wanted = wanted;
	f->deadline = sys_now_ns() + 5000000000ULL;
	loop_timer_arm(&f->timer, 0);
	assert_ok(loop_run(f->loop, &e), &e);
	return f->ngot >= wanted;
}

/* Run the loop for a while in which the guest does nothing. */
static inline void run_for(struct fixture *f, unsigned milliseconds)
{
	struct verr e = VERR_INIT;

	f->guest_reads = false;
	f->deadline = sys_now_ns() + milliseconds * 1000000ULL;
	loop_timer_arm(&f->timer, 0);
	assert_ok(loop_run(f->loop, &e), &e);
}

/* Does the loop sleep when there is nothing to do? A busy one would use all of the time. */
static inline bool loop_is_idle(struct fixture *f)
{
	struct timespec before, after;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	run_for(f, 100);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 <
	       20;
}

/* Make `fd` (taken over; -1 closes) this process's stdin or stdout. */
static inline void replace(int which, int fd)
{
	if (fd < 0) {
		(void)close(which);
		return;
	}
	assert_int_equal(dup2(fd, which), which);
	(void)close(fd);
}

static inline int console_open_kind(struct fixture *f, enum console_kind kind, const char *path,
				    struct verr *e)
{
	struct console_options options = {
		.kind = kind, .path = path, .quit = fixture_quit, .arg = f};
	struct serial_options serial = {.irq = f->irq, .send = console_send, .room = console_room};

	if (console_new(f->loop, &options, &f->console, e) < 0)
		return -1;
	serial.arg = f->console;
	assert_ok(serial_new(&serial, &f->serial, e), e);
	return 0;
}

/* A console of this kind, started, and a guest that listens. */
static inline void start(struct fixture *f, enum console_kind kind, const char *path)
{
	struct verr e = VERR_INIT;

	assert_ok(console_open_kind(f, kind, path, &e), &e);
	assert_ok(console_start(f->console, f->serial, &e), &e);
	serial_pio.out(f->serial, 2, 0x01);
	serial_pio.out(f->serial, 4, 0x08);
	serial_pio.out(f->serial, 1, 0x01);
}

static inline void stop(struct fixture *f)
{
	f->console = console_free(f->console);
	f->serial = serial_free(f->serial);
}

static inline void guest_print(struct fixture *f, const char *text)
{
	for (; *text != '\0'; text++)
		serial_pio.out(f->serial, 0, (uint8_t)*text);
}

static inline uint64_t console_counter(struct fixture *f, const char *name)
{
	return metric_named(console_metrics(f->console), name);
}

static inline int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct verr e = VERR_INIT;

	assert_non_null(f);
	(void)signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 2; i++)
		f->saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
	f->irq = irq_open();
	assert_ok(loop_new(&f->loop, &e), &e);
	assert_ok(loop_timer_init(&f->timer, f->loop, fixture_tick, f, &e), &e);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	loop_source_deinit(&f->timer);
	f->loop = loop_free(f->loop);
	fd_close(&f->irq);
	for (int i = 0; i < 2; i++)
		replace(i, f->saved[i]);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
