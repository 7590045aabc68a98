/* SPDX-License-Identifier: Apache-2.0 */
/* How many machines there are to be, and the daemon's life. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "volt/pool/daemon.h"

/* Until another is started: those who claim at the same time come first. */
#define REFILL_MS 1

/* Between starts that fail, doubled each time. */
#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS 30000

void daemon_say(const struct pool *p, const char *fmt, ...)
{
	char line[1024];
	size_t len;
	va_list ap;

	va_start(ap, fmt);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): it is not */
	(void)vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	len = strlen(line);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[len] = '\n';
	(void)!write(p->log_fd, line, len + 1);
}

unsigned daemon_count(const struct pool *p, enum slot_stage stage)
{
	unsigned count = 0;

	for (const struct slot *s = p->slots; s != NULL; s = s->next)
		count += s->stage == stage && (!s->gone || stage != SLOT_READY);
	return count;
}

/* --- how many --- */

static bool is_used(const struct pool *p, unsigned number)
{
	for (const struct slot *s = p->slots; s != NULL; s = s->next)
		if (s->number == number)
			return true;
	return false;
}

/* The lowest, so that what is named by it (TAP devices) need not be many. */
static bool find_number(const struct pool *p, unsigned *number)
{
	for (unsigned n = 0; n < p->options->most; n++) {
		if (is_used(p, n) || !slot_is_free(p, n))
			continue;
		*number = n;
		return true;
	}
	return false;
}

/* One at a time. */
static bool needs_more(const struct pool *p)
{
	return !p->stopping && daemon_count(p, SLOT_STARTING) == 0 &&
	       daemon_count(p, SLOT_READY) < p->options->size;
}

static void on_refill(void *arg)
{
	struct pool *p = arg;
	struct verr e = VERR_INIT;
	unsigned number;

	p->retry_ns = 0;
	if (!needs_more(p) || !find_number(p, &number))
		return;
	if (slot_start(p, number, &e) < 0)
		daemon_failed(p, e.text);
}

/* All that is left are machines of others. */
static bool is_empty(const struct pool *p)
{
	for (const struct slot *s = p->slots; s != NULL; s = s->next)
		if (s->stage != SLOT_CLAIMED)
			return false;
	return true;
}

void daemon_tend(struct pool *p)
{
	if (!p->stopping) {
		serve_ready(p);
		if (needs_more(p) && p->retry_ns == 0)
			loop_timer_arm(&p->refill, REFILL_MS * 1000ULL);
	} else if (is_empty(p)) {
		loop_stop(p->loop);
	}
}

void daemon_failed(struct pool *p, const char *why)
{
	unsigned long long ms = RETRY_FIRST_MS;

	if (p->stopping)
		return;
	(void)snprintf(p->why, sizeof(p->why), "%s", why);
	if (!p->was_ready) {
		(void)verr_host(p->fault, "the first machine could not be started: %s", why);
		daemon_stop(p);
		return;
	}
	for (unsigned i = 0; i < p->failures && ms < RETRY_MOST_MS; i++)
		ms *= 2;
	ms = MIN(ms, RETRY_MOST_MS);
	p->failures++;
	p->retry_ns = sys_now_ns() + ms * 1000000;
	loop_timer_arm(&p->refill, ms * 1000);
	daemon_say(p, "no machine could be started (%u in a row), the next is tried in %llu ms: %s",
		   p->failures, ms, why);
}

void daemon_was_ready(struct pool *p)
{
	p->failures = 0;
	p->why[0] = '\0';
	p->was_ready = true;
	if (p->ready_fd >= 0)
		(void)!write(p->ready_fd, "", 1);
	fd_close(&p->ready_fd);
}

/* --- the end --- */

void daemon_stop(struct pool *p)
{
	p->stopping = true;
	for (size_t i = 0; i < POOL_CONNECTIONS; i++)
		if (p->conns[i].waits)
			serve_lost(&p->conns[i], "the pool is ending");
	for (struct slot *s = p->slots; s != NULL; s = s->next) {
		if (s->stage == SLOT_CLAIMED || s->stage == SLOT_ENDING)
			continue;
		if (s->claimer != NULL)
			serve_lost(s->claimer, "the pool is ending");
		slot_end(s);
	}
	daemon_tend(p);
}

static void end_now(struct pool *p)
{
	for (struct slot *s = p->slots; s != NULL; s = s->next)
		if (s->stage != SLOT_CLAIMED)
			slot_end_now(s);
}

static struct slot *find_process(const struct pool *p, pid_t pid)
{
	struct slot *s = p->slots;

	while (s != NULL && s->pid != pid)
		s = s->next;
	return s;
}

static void reap(struct pool *p)
{
	struct slot *s;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		s = find_process(p, pid);
		if (s != NULL)
			slot_ended(s, status);
	}
	daemon_tend(p);
}

static void on_signal(void *arg)
{
	struct pool *p = arg;
	struct signalfd_siginfo info;

	while (read(p->signals_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(p);
		else if (p->stopping)
			end_now(p);
		else
			daemon_stop(p);
	}
}

static int watch_signals(struct pool *p, struct verr *e)
{
	sigset_t mask;

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* whoever ignores it cannot wait */
	p->signals_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals_fd < 0)
		return verr_os(e, "create a signalfd");
	if (loop_fd_init(&p->signals, p->loop, p->signals_fd, LOOP_READ, on_signal, p, e) < 0)
		return -1;
	loop_enable(&p->signals);
	return 0;
}

/* --- the whole --- */

void daemon_init(struct pool *p, const struct pool_options *options, int ready_fd)
{
	*p = (struct pool){.options = options,
			   .fd = -1,
			   .signals_fd = -1,
			   .log_fd = STDERR_FILENO,
			   .ready_fd = ready_fd,
			   .accepts = LOOP_SOURCE_INIT,
			   .signals = LOOP_SOURCE_INIT,
			   .refill = LOOP_SOURCE_INIT};
	for (size_t i = 0; i < POOL_CONNECTIONS; i++)
		conn_init(&p->conns[i], p);
}

/* Whoever asked for the end hears of it when nothing is left. */
static void answer_stops(struct pool *p)
{
	for (size_t i = 0; i < POOL_CONNECTIONS; i++)
		if (p->conns[i].stops)
			conn_answer(&p->conns[i], json_pack("{s:b}", "stopped", 1));
}

int daemon_run(struct pool *p, struct verr *e)
{
	int r;

	p->fault = e;
	if (loop_new(&p->loop, e) < 0 || watch_signals(p, e) < 0 ||
	    loop_timer_init(&p->refill, p->loop, on_refill, p, e) < 0 || daemon_listen(p, e) < 0)
		return -1;
	daemon_tend(p);
	r = loop_run(p->loop, e);
	daemon_unlisten(p);
	answer_stops(p);
	return r < 0 || e->kind != VERR_NONE ? -1 : 0;
}

void daemon_deinit(struct pool *p)
{
	for (size_t i = 0; i < POOL_CONNECTIONS; i++)
		conn_close(&p->conns[i]);
	while (p->slots != NULL)
		slot_free(p->slots);
	daemon_unlisten(p);
	loop_source_deinit(&p->signals);
	loop_source_deinit(&p->refill);
	fd_close(&p->signals_fd);
	fd_close(&p->ready_fd);
	p->loop = loop_free(p->loop);
}
