/* SPDX-License-Identifier: Apache-2.0 */
/* The console on terminals: stdin that is one, and a pseudo-terminal of its own. */
#include "vmm/devices/console_test.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

/* A terminal as stdin and stdout, one description as a shell has it. Returns the other end. */
static int use_terminal(struct termios *settings)
{
	int master, slave;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	assert_int_equal(tcgetattr(slave, settings), 0);
	assert_int_equal(fcntl(master, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(dup2(slave, 0), 0);
	assert_int_equal(dup2(slave, 1), 1);
	(void)close(slave);
	return master;
}

static bool same_settings(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_cflag == b->c_cflag &&
	       a->c_lflag == b->c_lflag && memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc)) == 0;
}

static void test_terminal_is_raw_and_restored(void **state)
{
	struct fixture *f = *state;
	struct termios before, now;
	int master = use_terminal(&before);
	struct verr e = VERR_INIT;

	assert_ok(console_open_kind(f, CONSOLE_STDIO, NULL, &e), &e);
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_true(same_settings(&before, &now)); /* not before console_start() */
	assert_ok(console_start(f->console, f->serial, &e), &e);
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_int_equal(now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN), 0);
	assert_int_equal(now.c_iflag & (ICRNL | IXON | ISTRIP), 0);
	assert_int_equal(now.c_oflag, before.c_oflag); /* log lines look right */
	assert_int_equal(fcntl(0, F_GETFL) & O_NONBLOCK, 0);

	console_restore(f->console); /* as from a fatal signal's handler */
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_true(same_settings(&before, &now));
	console_resume(f->console); /* after SIGCONT */
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_int_equal(now.c_lflag & ICANON, 0);
	stop(f);
	assert_int_equal(tcgetattr(0, &now), 0);
	assert_true(same_settings(&before, &now));
	(void)close(master);
}

static void test_terminal_keys(void **state)
{
	struct fixture *f = *state;
	struct termios before;
	int master = use_terminal(&before);
	char out[256] = {0};
	ssize_t n;

	start(f, CONSOLE_STDIO, NULL);
	assert_int_equal(write(master, "ls\r\003\001a\001z", 8), 8);
	assert_true(run_until_read(f, 7));
	assert_string_equal(f->got, "ls\r\003\001\001z");
	assert_int_equal(f->quits, 0);
	assert_int_equal(write(master, "\001h", 2), 2);
	run_for(f, 50);
	n = read(master, out, sizeof(out) - 1);
	assert_true(n > 0); /* no echo, only the help */
	assert_memory_equal(out, "\r\nCtrl-A X", 10);
	assert_int_equal(write(master, "\001", 1), 1);
	run_for(f, 20);
	assert_int_equal(write(master, "x", 1), 1);
	run_for(f, 50);
	assert_int_equal(f->quits, 1);
	assert_int_equal(f->ngot, 7);
	guest_print(f, "out\n");
	run_for(f, 50);
	n = read(master, out, sizeof(out) - 1);
	assert_int_equal(n, 5);
	assert_memory_equal(out, "out\r\n", 5);
	assert_true(loop_is_idle(f));
	(void)close(master);
}

/* More keys than the UART has room for, with Ctrl-A at every place where a piece can end. */
static void test_terminal_burst(void **state)
{
	struct fixture *f = *state;
	struct termios before;
	int master = use_terminal(&before);
	char keys[200], want[200]; /* what a guest that is slow to read has typed ahead of it */
	size_t nkeys = 0, nwant = 0;

	for (unsigned i = 0; nkeys + 4 < sizeof(keys); i++) {
		keys[nkeys++] = want[nwant++] = (char)('b' + i % 20);
		if (i % 5 == 0) {
			keys[nkeys++] = want[nwant++] = '\001';
			keys[nkeys++] = want[nwant++] = 'q';
		}
	}
	start(f, CONSOLE_STDIO, NULL);
	assert_int_equal(write(master, keys, nkeys), nkeys);
	assert_true(loop_is_idle(f));
	assert_true(run_until_read(f, nwant));
	assert_int_equal(f->ngot, nwant);
	assert_memory_equal(f->got, want, nwant);
	(void)close(master);
}

static void test_terminal_hangs_up(void **state)
{
	struct fixture *f = *state;
	struct termios before;
	int master = use_terminal(&before);

	start(f, CONSOLE_STDIO, NULL);
	run_for(f, 20);
	(void)close(master);
	assert_true(loop_is_idle(f));
	guest_print(f, "nobody");
	assert_true(loop_is_idle(f));
	assert_int_equal(console_counter(f, "dropped"), 6);
}

/* Steps of the child that is a background job; its exit status says which one went wrong. */
static int live_in_background(struct fixture *f, pid_t session)
{
	struct termios before, now;

	if (setpgid(0, 0) < 0 || tcgetattr(0, &before) < 0)
		return 10;
	start(f, CONSOLE_STDIO, NULL);
	if (tcgetattr(0, &now) < 0 || !same_settings(&before, &now))
		return 11;
	if (!loop_is_idle(f) || f->ngot != 0)
		return 12; /* there is input, for the shell */
	console_resume(f->console);
	console_restore(f->console);
	if (tcgetattr(0, &now) < 0 || !same_settings(&before, &now))
		return 13;
	/* `fg`, without a signal. */
	(void)signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(0, getpgrp()) < 0)
		return 14;
	(void)signal(SIGTTOU, SIG_DFL);
	if (!run_until_read(f, 6) || memcmp(f->got, "line\n", 5) != 0)
		return 15;
	if (tcgetattr(0, &now) < 0 || (now.c_lflag & ICANON))
		return 16;
	/* And back: the shell's settings are the shell's. */
	(void)signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(0, session) < 0 || tcsetattr(0, TCSANOW, &before) < 0)
		return 17;
	(void)signal(SIGTTOU, SIG_DFL);
	stop(f);
	return tcgetattr(0, &now) < 0 || !same_settings(&before, &now) ? 18 : 0;
}

/* A session with the terminal as its own: the "shell", whose child is the job. */
static int lead_session(struct fixture *f)
{
	pid_t child;
	int status;

	if (setsid() < 0 || ioctl(0, TIOCSCTTY, 0) < 0)
		return 1;
	child = fork();
	if (child < 0)
		return 2;
	if (child == 0)
		_exit(live_in_background(f, getppid()));
	/* WUNTRACED: a job that SIGTTOU or SIGTTIN stops has failed. */
	if (waitpid(child, &status, WUNTRACED) != child)
		return 3;
	if (!WIFEXITED(status)) {
		(void)kill(child, SIGKILL);
		return 4;
	}
	return WEXITSTATUS(status);
}

static void test_background_job(void **state)
{
	struct fixture *f = *state;
	struct termios before;
	int master = use_terminal(&before), status;
	pid_t session;

	assert_int_equal(write(master, "line\nx\n", 7), 7);
	session = fork();
	assert_true(session >= 0);
	if (session == 0)
		_exit(lead_session(f));
	assert_int_equal(waitpid(session, &status, 0), session);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(master);
}

static void test_pty(void **state)
{
	struct fixture *f = *state;
	char out[32] = {0};
	int slave;

	start(f, CONSOLE_PTY, NULL);
	assert_non_null(console_pty_name(f->console));
	assert_true(loop_is_idle(f)); /* nobody has it: no hang-up that never ends */
	for (int i = 0; i < 2; i++) { /* somebody comes, goes, and comes again */
		slave = open(console_pty_name(f->console), O_RDWR | O_NOCTTY | O_CLOEXEC);
		assert_true(slave >= 0);
		/* Keys are the guest's; nothing is echoed back to it. */
		assert_int_equal(write(slave, "a\001x\r\n\003", 6), 6);
		assert_true(run_until_read(f, 6));
		assert_memory_equal(f->got, "a\001x\r\n\003", 6);
		guest_print(f, "hi\r\n");
		run_for(f, 50);
		assert_int_equal(read(slave, out, sizeof(out)), 4);
		assert_memory_equal(out, "hi\r\n", 4);
		(void)close(slave);
		assert_true(loop_is_idle(f));
		assert_int_equal(f->ngot, 6);
		f->ngot = 0;
	}
	assert_int_equal(f->quits, 0);
}

/* Without a reader: bounded, counted, idle; and who comes late finds the oldest output. */
static void test_pty_without_a_reader(void **state)
{
	struct fixture *f = *state;
	char out[100];
	int slave;

	start(f, CONSOLE_PTY, NULL);
	for (unsigned i = 0; i < 1 << 20; i++) {
		console_send(f->console, (uint8_t)('a' + i % 26));
		if (i % 65536 == 0)
			run_for(f, 1);
	}
	run_for(f, 50);
	assert_true(loop_is_idle(f));
	assert_true(console_counter(f, "dropped") > 0);
	slave = open(console_pty_name(f->console), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(read(slave, out, sizeof(out)), sizeof(out));
	for (unsigned i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], 'a' + i % 26);
	(void)close(slave);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_terminal_is_raw_and_restored),
		TEST(test_terminal_keys),
		TEST(test_terminal_burst),
		TEST(test_terminal_hangs_up),
		TEST(test_background_job),
		TEST(test_pty),
		TEST(test_pty_without_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
