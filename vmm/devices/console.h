/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's end of the guest's serial line: this process's stdin and stdout, a file, a
 * pseudo-terminal, or nothing. Output never blocks the guest (base/sink.h); input is read only as
 * the UART has room for it. A terminal on stdin is put in raw mode, and is restored on every way
 * out that a process can see: console_free(), and console_restore() from a fatal signal's handler.
 * Ctrl-A X asks to quit, Ctrl-A A sends Ctrl-A, Ctrl-A H (or ?) prints help.
 */
#ifndef VOLT_VMM_DEVICES_CONSOLE_H
#define VOLT_VMM_DEVICES_CONSOLE_H

#include "base/loop.h"
#include "base/metrics.h"

struct console;
struct serial;

enum console_kind {
	CONSOLE_STDIO, /* descriptors 0 and 1; either may be closed */
	CONSOLE_FILE,  /* output only, appended to what the file holds; a FIFO needs no reader */
	CONSOLE_PTY,   /* without a reader: kept as far as it fits, then dropped */
	CONSOLE_NONE,
};

/*
 * A process may start with descriptor 0 or 1 closed; before it opens anything it should put
 * /dev/null there, or CONSOLE_STDIO talks to whatever was opened first.
 */
struct console_options {
	enum console_kind kind;
	const char *path;        /* CONSOLE_FILE; borrowed */
	void (*quit)(void *arg); /* Ctrl-A X; loop's thread; perhaps more than once */
	void *arg;
};

/* Open what the console needs; nothing is read and no terminal changed before console_start(). */
V_MUST_CHECK int console_new(struct loop *loop, const struct console_options *options,
			     struct console **out, struct verr *e);

/* Give it the UART (borrowed) and begin: raw mode, reading input. Loop's thread. */
V_MUST_CHECK int console_start(struct console *console, struct serial *serial, struct verr *e);

/*
 * No more output comes: flush for at most a second; what nobody has taken then is dropped, so that
 * the counters are final. Loop's thread, once the vCPUs have stopped.
 */
void console_finish(struct console *console);

/*
 * Finish, restore the terminal, close. After the vCPUs have stopped and before
 * serial_free(). Accepts NULL, returns NULL.
 */
struct console *console_free(struct console *console);

/*
 * Only undo what others would see: the terminal's settings, and stdin or stdout not blocking where
 * they could not be opened again (base/sys.h). Async-signal-safe, accepts NULL.
 */
void console_restore(const struct console *console);

/* After SIGCONT: raw mode again, as a shell has changed the terminal since. Loop's thread. */
void console_resume(struct console *console);

/* A byte from the guest; any thread; never blocks. Matches serial_options.send. */
void console_send(void *console, uint8_t byte);
/* The UART has room again; any thread. Matches serial_options.room. */
void console_room(void *console);

/* The name of the pseudo-terminal ("/dev/pts/3"), else NULL. Borrowed. */
const char *console_pty_name(const struct console *console);

/* Counters: bytes out, bytes in, bytes dropped. */
struct metric_group console_metrics(const struct console *console);

#endif
