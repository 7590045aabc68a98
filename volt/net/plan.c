/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "cli/interrupt.h"
#include "cli/outfile.h"

/*
 * In the order of setup; what comes first has the record, and is undone last. systemd-networkd
 * makes the interfaces when it reads its units, but does not take them away: that is plan_links'
 * work.
 */
static plan_step *const networkd_steps[] = {plan_units, plan_forwarding, plan_nat, plan_links};
static plan_step *const netlink_steps[] = {plan_record, plan_bridge, plan_taps, plan_forwarding,
					   plan_nat};
/* Which of them has the record. */
#define RECORD 0

/*
 * Once more at the end of the way back: systemd-networkd may have made something until plan_units
 * had it forget that.
 */
static plan_step *const networkd_rest[] = {plan_links, plan_nat, plan_forwarding};

void plan_tell(struct plan *p, const char *fmt, ...)
{
	va_list ap;

	p->changes++;
	if (p->undoing)
		fputs("undo: ", stdout);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)putchar('\n');
}

int plan_write(const char *path, const char *text, struct verr *e)
{
	struct outfile f = OUTFILE_INIT;
	int result = -1;

	if (outfile_open(&f, path, e) == 0 &&
	    outfile_write(f.fd, path, text, strlen(text), e) == 0) {
		if (fchmod(f.fd, 0644) < 0)
			(void)verr_os(e, "set the mode of %s", path);
		else
			result = outfile_commit(&f, e);
	}
	outfile_deinit(&f);
	return result;
}

static plan_step *const *steps_of(const struct plan *p, size_t *count)
{
	bool networkd = (p->to != NULL ? p->to : p->from)->means == NET_NETWORKD;

	*count = networkd ? ARRAY_LEN(networkd_steps) : ARRAY_LEN(netlink_steps);
	return networkd ? networkd_steps : netlink_steps;
}

static int take_rest(struct plan *p, struct verr *e)
{
	const struct net_setup *s = p->to != NULL ? p->to : p->from;

	p->forgotten = true;
	for (size_t i = 0; i < ARRAY_LEN(networkd_rest) && s->means == NET_NETWORKD && !p->dry; i++)
		if (networkd_rest[i](p, e) < 0)
			return -1;
	return 0;
}

static bool undo_step(struct plan *back, plan_step *step)
{
	struct verr e = VERR_INIT;

	if (step(back, &e) == 0)
		return true;
	fprintf(stderr, "undo: %s\n", e.text);
	return false;
}

/*
 * The way back, of all steps: what one has done may be another's to undo. What goes wrong there is
 * told, and the rest done; but the record then stays, for teardown.
 */
static void undo(struct plan *p)
{
	struct plan back = {.from = p->to, .to = p->from, .undoing = true};
	bool good = true;
	size_t count;
	plan_step *const *steps = steps_of(p, &count);

	for (size_t i = count; i-- > RECORD + 1;)
		good = undo_step(&back, steps[i]) && good;
	if (!good) {
		fprintf(stderr, "undo: something is left; run: volt net teardown --bridge %s\n",
			p->to->bridge);
		return;
	}
	(void)undo_step(&back, steps[RECORD]);
	(void)undo_step(&back, take_rest);
}

static int go(struct plan *p, struct verr *e)
{
	size_t count;
	plan_step *const *steps = steps_of(p, &count);

	if (interrupt_check(e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (steps[i](p, e) == 0 && interrupt_check(e) == 0)
			continue;
		if (!p->dry)
			undo(p);
		return -1;
	}
	return 0;
}

static int go_to_nothing(struct plan *p, struct verr *e)
{
	size_t count;
	plan_step *const *steps = steps_of(p, &count);

	for (size_t i = count; i-- > 0;)
		if (steps[i](p, e) < 0)
			return -1;
	return take_rest(p, e);
}

int plan_run(struct plan *p, struct verr *e)
{
	int result = p->to != NULL ? go(p, e) : go_to_nothing(p, e);

	(void)fflush(stdout);
	return result;
}
