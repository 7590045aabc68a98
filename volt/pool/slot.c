/* SPDX-License-Identifier: Apache-2.0 */
/* One machine, from its start to its end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "volt/pool/daemon.h"
#include "volt/pool/template.h"

/* Until a machine must be ready; and from when it has no holder until it must have ended. */
#define START_LIMIT_US 60000000ULL
#define END_LIMIT_US 5000000ULL

/* One that ends sooner after it was ready than that is not started again at once. */
#define SHORT_LIFE_NS 1000000000ULL

const char *slot_stage_name(enum slot_stage stage)
{
	static const char *const names[] = {
		[SLOT_STARTING] = "starting", [SLOT_READY] = "ready",     [SLOT_TAKEN] = "taken",
		[SLOT_HELD] = "held",         [SLOT_CLAIMED] = "claimed", [SLOT_ENDING] = "ending",
	};

	return names[stage];
}

/* --- what it says --- */

static void end_line(struct slot *s)
{
	if (s->line_len == 0)
		return;
	(void)snprintf(s->last, sizeof(s->last), "%.*s", (int)s->line_len, s->line);
	/* That one which is ended ends by force is no news; why the first does not start is said
	 * at the end. */
	if (s->stage != SLOT_ENDING && (s->stage != SLOT_STARTING || s->pool->was_ready))
		daemon_say(s->pool, "%s: %s", s->id, s->last);
	s->line_len = 0;
}

/* False: there is nothing more now. */
static bool read_said(struct slot *s)
{
	char bytes[1024];
	ssize_t n = read(s->said_fd, bytes, sizeof(bytes));

	if (n < 0 && errno == EINTR)
		return true;
	if (n == 0)
		loop_source_deinit(&s->said);
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || s->line_len == sizeof(s->line) - 1)
			end_line(s);
		if (bytes[i] != '\n')
			s->line[s->line_len++] = bytes[i];
	}
	return n > 0;
}

static void on_said(void *arg)
{
	(void)read_said(arg);
}

/* --- its end --- */

void slot_end(struct slot *s)
{
	s->stage = SLOT_ENDING;
	s->claimer = NULL;
	link_deinit(&s->link);
	loop_timer_arm(&s->patience, END_LIMIT_US);
}

void slot_end_now(struct slot *s)
{
	slot_end(s);
	if (s->pid > 0)
		(void)kill(s->pid, SIGKILL);
}

/* Not ready in time, or not gone. */
static void on_impatience(void *arg)
{
	struct slot *s = arg;
	struct pool *p = s->pool;
	bool starts = s->stage == SLOT_STARTING;

	if (s->gone) { /* its end says the rest */
		(void)kill(s->pid, SIGKILL);
		return;
	}
	slot_end_now(s);
	if (starts)
		daemon_failed(p, "it was not ready after a minute");
}

/* The process follows, or is made to. Until it has ended nobody knows why. */
static void on_link_end(void *arg)
{
	struct slot *s = arg;

	link_deinit(&s->link);
	s->gone = true;
	loop_timer_arm(&s->patience, END_LIMIT_US);
	daemon_tend(s->pool);
}

static void describe_end(const struct slot *s, int status, char *out, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(out, size, "it was ended by signal %d (%s)", WTERMSIG(status),
			       strsignal(WTERMSIG(status)));
	else if (s->last[0] != '\0' && WEXITSTATUS(status) != 0)
		(void)snprintf(out, size, "%s", s->last);
	else
		(void)snprintf(out, size, "it ended with status %d", WEXITSTATUS(status));
}

static void on_lost(struct slot *s, const char *why)
{
	struct pool *p = s->pool;

	p->lost++;
	daemon_say(p, "%s ended before anybody had claimed it: %s", s->id, why);
	if (sys_now_ns() - s->since_ns < SHORT_LIFE_NS)
		daemon_failed(p, why);
}

void slot_ended(struct slot *s, int status)
{
	char why[sizeof(s->last) + 32];

	while (read_said(s))
		;
	end_line(s);
	s->pid = 0;
	describe_end(s, status, why, sizeof(why));
	switch (s->stage) {
	case SLOT_STARTING:
		daemon_failed(s->pool, why);
		break;
	case SLOT_READY:
		on_lost(s, why);
		break;
	case SLOT_TAKEN:
	case SLOT_HELD:
		if (s->claimer != NULL)
			serve_lost(s->claimer, why);
		break;
	case SLOT_CLAIMED:
		daemon_say(s->pool, "%s has ended: %s", s->id, why);
		break;
	case SLOT_ENDING:
		break;
	}
	slot_free(s);
}

/* Nobody behind it has been made sure of. False: it is something else, or stays. */
static bool remove_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && unlink(path) == 0;
}

void slot_free(struct slot *s)
{
	struct slot **at = &s->pool->slots;

	while (*at != NULL && *at != s)
		at = &(*at)->next;
	if (*at == s)
		*at = s->next;
	link_deinit(&s->link);
	loop_source_deinit(&s->said);
	loop_source_deinit(&s->patience);
	fd_close(&s->said_fd);
	/* One that was killed has left its socket. */
	if (s->pid == 0)
		(void)remove_socket(s->path);
	daemon_listen_again(s->pool);
	free(s);
}

/* --- the claim --- */

/* What the machine says is wrong goes to its claimer. */
static void refuse_claim(struct slot *s, unsigned status, const char *body, bool changed)
{
	auto_json *fault = json_loads(body, 0, NULL);
	const char *text = json_string_value(json_object_get(fault, "fault_message"));
	struct conn *claimer = s->claimer;

	if (changed) {
		slot_end(s);
	} else {
		s->stage = SLOT_READY;
		s->claimer = NULL;
	}
	claimer->invalid = status == 400 || status == 404;
	serve_lost(claimer, text != NULL ? text : "the machine refuses");
	daemon_tend(s->pool);
}

static void on_resumed(void *arg, unsigned status, const char *body)
{
	struct slot *s = arg;

	if (status != 200) {
		refuse_claim(s, status, body, true);
		return;
	}
	s->stage = SLOT_HELD;
	s->pool->claims++;
	serve_runs(s->claimer);
	daemon_tend(s->pool);
}

static void next_step(struct slot *s);

static void take_id(struct slot *s)
{
	const json_t *id = json_object_get(s->claimer->request.claim, "id");

	if (id != NULL)
		(void)snprintf(s->id, sizeof(s->id), "%s", json_string_value(id));
}

static void on_changed(void *arg, unsigned status, const char *body)
{
	struct slot *s = arg;

	if (status != 200) {
		refuse_claim(s, status, body,
			     s->step > 0 || status == 409); /* it is not paused any more */
		return;
	}
	/* The last step but the resume: it is called so now. */
	if (s->step == json_array_size(json_object_get(s->claimer->request.claim, "nets")))
		take_id(s);
	s->step++;
	next_step(s);
}

/* NIC `index` of those that the claim names, with the descriptors that are its own. */
static bool change_net(struct slot *s, const json_t *nets, size_t index)
{
	const json_t *net = json_array_get(nets, index);
	const int *fds = s->claimer->passed.fds;
	auto_json *keys = json_copy((json_t *)(uintptr_t)net);
	auto_free char *body = NULL;
	char path[96];

	for (size_t i = 0; i < index; i++)
		fds += request_fds(json_array_get(nets, i));
	(void)snprintf(path, sizeof(path), "/v1/vm/nets/%s",
		       json_string_value(json_object_get(net, "id")));
	(void)json_object_del(keys, "id");
	(void)json_object_del(keys, "fds");
	body = json_dumps(keys, JSON_COMPACT);
	return body != NULL &&
	       link_pass(&s->link, "PATCH", path, body, fds, request_fds(net), on_changed);
}

static bool change_id(struct slot *s, const char *id)
{
	char body[sizeof(s->id) + 16];

	(void)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
	return link_ask(&s->link, "PATCH", "/v1/vm/config", body, on_changed);
}

/* Its NICs, its id, and then it runs. */
static void next_step(struct slot *s)
{
	const json_t *claim = s->claimer->request.claim;
	const json_t *nets = json_object_get(claim, "nets"), *id = json_object_get(claim, "id");
	size_t count = json_array_size(nets);
	bool asked;

	if (s->step < count)
		asked = change_net(s, nets, s->step);
	else if (s->step == count && id != NULL)
		asked = change_id(s, json_string_value(id));
	else
		asked = link_ask(&s->link, "PUT", "/v1/vm/state", "{\"action\":\"resume\"}",
				 on_resumed);
	if (!asked)
		refuse_claim(s, 0, "", true);
}

void slot_take(struct slot *s, struct conn *claimer)
{
	s->stage = SLOT_TAKEN;
	s->claimer = claimer;
	s->step = 0;
	claimer->slot = s;
	next_step(s);
}

static void on_released(void *arg, unsigned status, const char *body)
{
	struct slot *s = arg;
	struct conn *claimer = s->claimer;

	s->keeping = false;
	if (status != 200) {
		(void)body;
		slot_end(s);
		if (claimer != NULL)
			serve_lost(claimer, "the machine was not to be let go");
		return;
	}
	link_deinit(&s->link);
	s->stage = SLOT_CLAIMED;
	s->claimer = NULL;
	if (claimer != NULL)
		serve_kept(claimer);
}

void slot_keep(struct slot *s)
{
	s->keeping =
		link_ask(&s->link, "PUT", "/v1/vm/state", "{\"action\":\"release\"}", on_released);
	/* Otherwise its process is ending: its claimer hears why. */
}

/* --- its start --- */

static void start_failed(struct slot *s, const char *why)
{
	slot_end(s);
	daemon_failed(s->pool, why);
	daemon_tend(s->pool);
}

static void become_ready(struct slot *s)
{
	s->stage = SLOT_READY;
	s->since_ns = sys_now_ns();
	loop_disable(&s->patience);
	daemon_was_ready(s->pool);
	daemon_tend(s->pool);
}

static void on_paused(void *arg, unsigned status, const char *body)
{
	struct slot *s = arg;

	(void)body;
	if (status == 200)
		become_ready(s);
	else
		start_failed(s, "the machine cannot be paused");
}

/* A restored machine is paused; one that was booted is told to. */
static void on_state(void *arg, unsigned status, const char *body)
{
	struct slot *s = arg;
	auto_json *answer = json_loads(body, 0, NULL);
	const char *state = json_string_value(json_object_get(answer, "state"));

	if (status == 200 && state != NULL && strcmp(state, "paused") == 0) {
		become_ready(s);
		return;
	}
	if (status == 200 && state != NULL && strcmp(state, "running") == 0 &&
	    link_ask(&s->link, "PUT", "/v1/vm/state", "{\"action\":\"pause\"}", on_paused))
		return;
	start_failed(s, "the machine has no kernel, and no snapshot to go on from");
}

bool slot_is_free(const struct pool *p, unsigned number)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s.%u", p->options->socket,
		       number);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd < 0; /* the start says what is wrong */
	return errno == ENOENT || (errno == ECONNREFUSED && remove_socket(address.sun_path));
}

/* Both ends of what connects the daemon with a machine. */
struct ends {
	int hold[2], said[2];
};

static void close_ends(struct ends *n)
{
	fd_close(&n->hold[0]);
	fd_close(&n->hold[1]);
	fd_close(&n->said[0]);
	fd_close(&n->said[1]);
}

static int open_ends(struct ends *n, struct verr *e)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, n->hold) < 0)
		return verr_os(e, "create a pair of sockets");
	if (pipe2(n->said, O_CLOEXEC) < 0)
		return verr_os(e, "create a pipe");
	/* Ours only: the machine's end has a description of its own. */
	return fcntl(n->said[0], F_SETFL, O_NONBLOCK) < 0 ? verr_os(e, "set up a pipe") : 0;
}

static int prepare(struct slot *s, struct ends *n, struct verr *e)
{
	struct pool *p = s->pool;
	auto_free char *id = template_fill(p->options->id, s->number);

	if (id == NULL)
		return verr_host(e, "out of memory");
	if ((size_t)snprintf(s->id, sizeof(s->id), "%s", id) >= sizeof(s->id) ||
	    (size_t)snprintf(s->path, sizeof(s->path), "%s.%u", p->options->socket, s->number) >=
		    sizeof(s->path))
		return verr_invalid(e, "the name of machine %u is too long", s->number);
	if (open_ends(n, e) < 0)
		return -1;
	s->said_fd = fd_take(&n->said[0]);
	if (loop_fd_init(&s->said, p->loop, s->said_fd, LOOP_READ, on_said, s, e) < 0 ||
	    loop_timer_init(&s->patience, p->loop, on_impatience, s, e) < 0 ||
	    link_init(&s->link, p->loop, fd_take(&n->hold[0]), on_link_end, s, e) < 0)
		return -1;
	loop_enable(&s->said);
	return spawn(s, n->hold[1], n->said[1], &s->pid, e);
}

int slot_start(struct pool *p, unsigned number, struct verr *e)
{
	struct slot *s = calloc(1, sizeof(*s));
	struct ends ends = {{-1, -1}, {-1, -1}};
	int r;

	if (s == NULL)
		return verr_host(e, "out of memory");
	*s = (struct slot){.pool = p,
			   .number = number,
			   .stage = SLOT_STARTING,
			   .link = LINK_INIT,
			   .said = LOOP_SOURCE_INIT,
			   .patience = LOOP_SOURCE_INIT,
			   .said_fd = -1};
	r = prepare(s, &ends, e);
	close_ends(&ends);
	if (r < 0) {
		slot_free(s);
		return -1;
	}
	s->next = p->slots;
	p->slots = s;
	loop_timer_arm(&s->patience, START_LIMIT_US);
	if (!link_ask(&s->link, "GET", "/v1/vm/state", NULL, on_state))
		slot_end(s);
	return 0;
}
