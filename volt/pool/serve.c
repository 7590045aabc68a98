/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the pool, and the answers. */
#include <string.h>

#include "base/sys.h"
#include "volt/pool/daemon.h"

/* The one that has been ready longest. */
static struct slot *pick(const struct pool *p)
{
	struct slot *best = NULL;

	for (struct slot *s = p->slots; s != NULL; s = s->next)
		if (s->stage == SLOT_READY && !s->gone &&
		    (best == NULL || s->since_ns < best->since_ns))
			best = s;
	return best;
}

static struct conn *first_waiting(struct pool *p)
{
	struct conn *first = NULL;

	for (size_t i = 0; i < POOL_CONNECTIONS; i++)
		if (p->conns[i].waits && (first == NULL || p->conns[i].turn < first->turn))
			first = &p->conns[i];
	return first;
}

static void refuse_claim(struct conn *c, const char *when)
{
	const struct pool *p = c->pool;
	unsigned starting = daemon_count(p, SLOT_STARTING);

	if (p->why[0] != '\0')
		conn_refuse(c, "no machine is ready%s, and the last start failed: %s", when,
			    p->why);
	else if (starting == 0 && daemon_count(p, SLOT_CLAIMED) >= p->options->most)
		conn_refuse(c, "no machine is ready%s: all of %u (--max) are claimed", when,
			    p->options->most);
	else
		conn_refuse(c, "no machine is ready%s: %u of %u are, %u starting", when,
			    daemon_count(p, SLOT_READY), p->options->size, starting);
}

static void claim(struct conn *c)
{
	struct pool *p = c->pool;
	struct slot *s = pick(p);

	if (c->slot != NULL) {
		conn_refuse(c, "this connection has machine %s, which is not kept yet",
			    c->slot->id);
	} else if (p->stopping) {
		conn_refuse(c, "the pool is ending");
	} else if (s != NULL) {
		slot_take(s, c);
	} else if (c->request.wait_ms == 0) {
		refuse_claim(c, "");
	} else {
		c->waits = true;
		c->turn = ++p->turns;
		loop_timer_arm(&c->timeout, c->request.wait_ms * 1000ULL);
	}
}

static void keep(struct conn *c)
{
	if (c->slot == NULL)
		conn_refuse(c, "there is no machine to keep: none was claimed on this "
			       "connection, or it has ended");
	else
		slot_keep(c->slot);
}

static int check_passed(const struct conn *c, struct verr *e)
{
	if (c->passed.cut)
		return verr_invalid(e,
				    "descriptors came that there is no room for: expected at most "
				    "%d, in one message with a claim's line, and no request before "
				    "it that is not answered",
				    PASSED_MAX);
	if (c->passed.count != c->request.fds)
		return verr_invalid(e, "%zu descriptors came, and by its fds %zu belong to it",
				    c->passed.count, c->request.fds);
	return 0;
}

void serve(struct conn *c, const char *line, size_t len)
{
	struct verr e = VERR_INIT;

	if (pool_request_parse(&c->request, line, len, &e) < 0 || check_passed(c, &e) < 0) {
		c->invalid = true;
		conn_refuse(c, "%s", e.text);
		return;
	}
	switch (c->request.kind) {
	case REQUEST_CLAIM:
		claim(c);
		break;
	case REQUEST_KEEP:
		keep(c);
		break;
	case REQUEST_STATUS:
		conn_answer(c, serve_status(c->pool));
		break;
	case REQUEST_STOP:
		c->stops = true;
		daemon_stop(c->pool);
		break;
	}
}

/* What nobody has heard of, or said that he keeps, is nobody's. */
void serve_gone(struct conn *c)
{
	struct slot *s = c->slot;

	c->slot = NULL;
	if (s != NULL && s->keeping)
		s->claimer = NULL;
	else if (s != NULL)
		slot_end(s);
}

void serve_ready(struct pool *p)
{
	struct conn *c;
	struct slot *s;

	while ((c = first_waiting(p)) != NULL && (s = pick(p)) != NULL) {
		c->waits = false;
		slot_take(s, c);
	}
}

static json_t *describe(const struct slot *s)
{
	return json_pack("{s:i,s:s,s:s,s:i}", "number", (int)s->number, "id", s->id, "socket",
			 s->path, "pid", (int)s->pid);
}

void serve_runs(struct conn *c)
{
	conn_answer(c, json_pack("{s:o}", "claimed", describe(c->slot)));
}

void serve_kept(struct conn *c)
{
	json_t *machine = describe(c->slot);

	c->slot = NULL;
	conn_answer(c, json_pack("{s:o}", "kept", machine));
}

void serve_lost(struct conn *c, const char *why)
{
	bool waited = c->waits;

	c->slot = NULL;
	c->waits = false;
	if (!c->busy)
		return;
	if (why == NULL)
		refuse_claim(c, " in that time");
	else if (waited)
		conn_refuse(c, "%s", why);
	else
		conn_refuse(c, "the machine cannot be claimed: %s", why);
}

json_t *serve_status(const struct pool *p)
{
	json_t *machines = json_array();
	json_t *status = json_pack(
		"{s:i,s:i,s:i,s:i,s:i,s:i,s:I,s:I,s:o}", "pid", (int)getpid(), "size",
		(int)p->options->size, "max", (int)p->options->most, "ready",
		(int)daemon_count(p, SLOT_READY), "starting", (int)daemon_count(p, SLOT_STARTING),
		"claimed", (int)daemon_count(p, SLOT_CLAIMED), "claims", (json_int_t)p->claims,
		"lost", (json_int_t)p->lost, "machines", machines);
	uint64_t now = sys_now_ns();

	for (const struct slot *s = p->slots; s != NULL; s = s->next) {
		json_t *machine = describe(s);

		(void)json_object_set_new(machine, "state", json_string(slot_stage_name(s->stage)));
		(void)json_array_append_new(machines, machine);
	}
	if (p->why[0] != '\0')
		(void)json_object_update_new(
			status,
			json_pack("{s:s%,s:i,s:I}", "fault", p->why, strlen(p->why), "failures",
				  (int)p->failures, "retry_ms",
				  (json_int_t)(p->retry_ns > now ? (p->retry_ns - now) / 1000000
								 : 0)));
	return json_pack("{s:o}", "status", status);
}
