/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. Output: console_send() puts bytes into a bounded sink, from any thread.
 * Input, in the loop's thread only: pump() reads as much as the UART has room for and hands it
 * over, then waits for more input, or for room. The UART reports room once after it refused
 * (serial.h), which arrives here as a wake-up of the loop. What epoll cannot watch (a regular file,
 * /dev/null) is always ready: there the wake-up is our own, one piece a turn of the loop.
 *
 * While another process group has the terminal nothing is read and nothing changed. Nobody tells a
 * running process that it has come to the foreground, so unread input is looked at twice a second.
 */
#include "vmm/devices/console.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/own.h"
#include "base/sink.h"
#include "base/sys.h"
#include "vmm/devices/escape.h"
#include "vmm/devices/serial.h"
#include "vmm/devices/term.h"

#define OUTPUT_SIZE KIB(256)
#define FLUSH_MS 1000
#define BACKGROUND_US 500000
#define READ_SIZE 64
#define HELD_SIZE 256

struct console_counters {
	counter bytes_out, bytes_in, dropped;
};

struct console {
	struct console_options options;
	struct console_counters counters;
	struct loop *loop;
	struct sink *out;  /* NULL: nowhere */
	int in, slave;     /* -1: none */
	bool reading;      /* there may be more input */
	bool pollable;     /* epoll takes `in` */
	bool unblocked[2]; /* stdin, stdout: not reopened but made non-blocking for all who share it
			    */
	char pty_name[32];
	struct term term; /* stdin, if that is a terminal */
	struct escape escape;
	struct serial *serial; /* borrowed from console_start() on */
	struct loop_source readable, wake, retry;
	uint8_t held[HELD_SIZE]; /* read, and not taken by the UART yet */
	size_t nheld;
};

static bool is_pollable(int fd)
{
	struct epoll_event event = {.events = EPOLLIN};
	auto_fd epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static int open_output(struct console *c, int descriptor, struct verr *e)
{
	auto_fd fd = descriptor;

	if (fd < 0 || sink_new(c->loop, fd, OUTPUT_SIZE, &c->out, e) < 0)
		return -1;
	(void)fd_take(&fd);
	sink_count_drops(c->out, &c->counters.dropped);
	return 0;
}

/* A non-blocking copy of stdin or stdout; remembers what it changed for others. */
static int open_std(struct console *c, int fd, int access, struct verr *e)
{
	int before = fcntl(fd, F_GETFL);
	int copy = sys_nonblocking(fd, access, e);

	c->unblocked[fd] = (~before & fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
	return copy;
}

static int open_stdio(struct console *c, struct verr *e)
{
	/* Asked first: the next descriptor that is opened takes the number of one that is closed.
	 */
	bool has_stdin = fcntl(STDIN_FILENO, F_GETFD) >= 0;

	if (fcntl(STDOUT_FILENO, F_GETFD) >= 0 &&
	    open_output(c, open_std(c, STDOUT_FILENO, O_WRONLY, e), e) < 0)
		return verr_note(e, "console on stdout");
	if (!has_stdin)
		return 0;
	c->in = open_std(c, STDIN_FILENO, O_RDONLY, e);
	if (c->in < 0)
		return verr_note(e, "console on stdin");
	if (sys_is_terminal(c->in))
		c->term.fd = c->in;
	return 0;
}

static int open_pty(struct console *c, struct verr *e)
{
	struct term_pty pty;

	if (term_pty_open(&pty, e) < 0)
		return verr_note(e, "console");
	c->slave = pty.slave;
	memcpy(c->pty_name, pty.name, sizeof(c->pty_name));
	c->in = fcntl(pty.master, F_DUPFD_CLOEXEC, 0);
	if (c->in < 0) {
		fd_close(&pty.master);
		return verr_os(e, "console on %s", c->pty_name);
	}
	return open_output(c, pty.master, e);
}

static int console_open(struct console *c, struct verr *e)
{
	switch (c->options.kind) {
	case CONSOLE_STDIO:
		return open_stdio(c, e);
	case CONSOLE_FILE:
		if (open_output(c, sys_open_output(c->options.path, e), e) < 0)
			return verr_note(e, "console");
		return 0;
	case CONSOLE_PTY:
		return open_pty(c, e);
	case CONSOLE_NONE:
	default:
		return 0;
	}
}

int console_new(struct loop *loop, const struct console_options *options, struct console **out,
		struct verr *e)
{
	struct console *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return verr_host(e, "console: out of memory");
	*c = (struct console){.options = *options,
			      .loop = loop,
			      .in = -1,
			      .slave = -1,
			      .term = TERM_INIT,
			      .readable = LOOP_SOURCE_INIT,
			      .wake = LOOP_SOURCE_INIT,
			      .retry = LOOP_SOURCE_INIT};
	if (console_open(c, e) < 0) {
		(void)console_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

static void stop_reading(struct console *c)
{
	c->reading = false;
	loop_source_deinit(&c->readable);
	loop_source_deinit(&c->retry);
}

/* Typed ahead of a guest that does not listen: what does not fit is lost, as on any terminal. */
static void hold(struct console *c, const uint8_t *bytes, size_t len)
{
	size_t fits = MIN(len, sizeof(c->held) - c->nheld);

	memcpy(c->held + c->nheld, bytes, fits);
	c->nheld += fits;
}

static void hold_key(struct console *c, uint8_t byte)
{
	uint8_t out[ESCAPE_OUT_MAX];
	size_t len;

	switch (escape_next(&c->escape, byte, out, &len)) {
	case ESCAPE_QUIT:
		c->options.quit(c->options.arg);
		break;
	case ESCAPE_HELP:
		if (c->out != NULL)
			sink_put(c->out, escape_help, strlen(escape_help));
		break;
	case ESCAPE_NONE:
	default:
		break;
	}
	hold(c, out, len);
}

/* Piped input goes through untouched: only a terminal has someone who presses keys. */
static void hold_input(struct console *c, const uint8_t *bytes, size_t len)
{
	if (c->term.fd < 0) {
		hold(c, bytes, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		hold_key(c, bytes[i]);
}

/* Give the UART what is held; false: it has no room, and will say when it has. */
static bool deliver(struct console *c)
{
	size_t n;

	if (c->nheld == 0)
		return true;
	n = serial_receive(c->serial, c->held, c->nheld);
	counter_add(&c->counters.bytes_in, n);
	c->nheld -= n;
	memmove(c->held, c->held + n, c->nheld);
	return c->nheld == 0;
}

/* Read once, at most `room` bytes. */
static void read_input(struct console *c, size_t room)
{
	uint8_t bytes[READ_SIZE];
	ssize_t n = read(c->in, bytes, MIN(room, sizeof(bytes)));

	if (n > 0)
		hold_input(c, bytes, (size_t)n);
	else if (n == 0 || (errno != EINTR && !(errno == EAGAIN && c->pollable)))
		stop_reading(c); /* the end, or a terminal that has hung up */
}

static bool wait_for_foreground(struct console *c)
{
	if (c->term.fd < 0 || !term_in_background(&c->term))
		return false;
	loop_timer_arm(&c->retry, BACKGROUND_US);
	return true;
}

/*
 * How much to read now: what the UART has room for. From a terminal always something, or nobody
 * could press Ctrl-A X at a guest that has stopped listening.
 */
static size_t want_input(struct console *c)
{
	if (c->term.fd >= 0)
		return READ_SIZE;
	return c->nheld == 0 ? serial_room(c->serial) : 0;
}

/* One turn of the input; wants another only if there may be both input and a use for it. */
static void pump(struct console *c)
{
	bool more = false;
	size_t want;

	(void)deliver(c);
	if (c->reading && !wait_for_foreground(c)) {
		if (c->term.fd >= 0 && !c->term.raw)
			term_make_raw(&c->term);
		want = want_input(c);
		if (want > 0) {
			read_input(c, want);
			more = deliver(c) || c->term.fd >= 0;
		}
	}
	if (!c->reading)
		return;
	if (!c->pollable) {
		if (more)
			loop_wake(&c->wake);
	} else if (more) {
		loop_enable(&c->readable);
	} else {
		loop_disable(&c->readable);
	}
}

static void on_input(void *arg)
{
	pump(arg);
}

static void on_retry(void *arg)
{
	struct console *c = arg;

	loop_enable(&c->readable);
}

int console_start(struct console *c, struct serial *serial, struct verr *e)
{
	c->serial = serial;
	if (c->in < 0)
		return 0;
	c->pollable = is_pollable(c->in);
	if (loop_wake_init(&c->wake, c->loop, on_input, c, e) < 0 ||
	    loop_fd_init(&c->readable, c->loop, c->in, LOOP_READ, on_input, c, e) < 0 ||
	    loop_timer_init(&c->retry, c->loop, on_retry, c, e) < 0)
		return verr_note(e, "console input");
	c->reading = true;
	term_make_raw(&c->term);
	/* The first turn asks the UART for room and so makes it tell us when there is some. */
	loop_wake(&c->wake);
	return 0;
}

void console_finish(struct console *c)
{
	if (c->out == NULL)
		return;
	sink_flush(c->out, FLUSH_MS);
	sink_discard(c->out);
}

struct console *console_free(struct console *c)
{
	if (c != NULL) {
		console_finish(c);
		console_restore(c);
		loop_source_deinit(&c->wake);
		stop_reading(c);
		c->out = sink_free(c->out);
		fd_close(&c->in);
		fd_close(&c->slave);
		free(c);
	}
	return NULL;
}

void console_restore(const struct console *c)
{
	if (c == NULL)
		return;
	term_restore(&c->term);
	for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
		if (c->unblocked[fd])
			(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

void console_resume(struct console *c)
{
	if (!c->reading)
		return;
	term_make_raw(&c->term);
	loop_wake(&c->wake);
}

void console_send(void *console, uint8_t byte)
{
	struct console *c = console;

	counter_add(&c->counters.bytes_out, 1);
	if (c->out != NULL)
		sink_put(c->out, &byte, 1);
	else if (c->options.kind != CONSOLE_NONE)
		counter_add(&c->counters.dropped, 1);
}

void console_room(void *console)
{
	struct console *c = console;

	loop_wake(&c->wake);
}

const char *console_pty_name(const struct console *c)
{
	return c->pty_name[0] != '\0' ? c->pty_name : NULL;
}

struct metric_group console_metrics(const struct console *c)
{
	static const struct metric_row rows[] = {
		{"bytes_out", "bytes that the guest sent",
		 offsetof(struct console_counters, bytes_out)},
		{"bytes_in", "bytes that the guest was given",
		 offsetof(struct console_counters, bytes_in)},
		{"dropped", "bytes of output that no reader took",
		 offsetof(struct console_counters, dropped)},
	};

	return (struct metric_group){
		.name = "console", .rows = rows, .count = ARRAY_LEN(rows), .base = &c->counters};
}
