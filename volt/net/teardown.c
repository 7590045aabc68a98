/* SPDX-License-Identifier: Apache-2.0 */
/* volt net teardown: back to what was before setup. */
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "volt/net/links.h"
#include "volt/net/lock.h"
#include "volt/net/net.h"
#include "volt/net/plan.h"

enum { BRIDGE, FORCE, DRY_RUN };

static const struct verb_option options[] = {
	[BRIDGE] = {.name = "bridge", .value = "NAME", .help = "which one; default: " NET_BRIDGE},
	[FORCE] = {.name = "force", .help = "though machines use it"},
	[DRY_RUN] = {.name = "dry-run", .help = "tell what would be done, and do nothing"},
};

/* A machine on it would lose its network. */
static int check_unused(const struct net_setup *s, struct verr *e)
{
	struct links l = LINKS_INIT;
	const struct link *bridge;

	if (links_read(&l, e) < 0)
		return -1;
	bridge = links_find(&l, s->bridge);
	for (size_t i = 0; i < l.count; i++) {
		const struct link *port = &l.all[i];

		if (bridge != NULL && port->master == bridge->index &&
		    (net_find_tap(s, port->name) == NULL || port->carrier)) {
			(void)verr_state(e,
					 "%s uses %s; end the machine that has it first, or give "
					 "--force",
					 port->name, s->bridge);
			break;
		}
	}
	links_deinit(&l);
	return e->kind == VERR_NONE ? 0 : -1;
}

static int teardown(void *context, struct verr *e)
{
	const struct verb_args *args = context;
	const char *bridge = args->options[BRIDGE] != NULL ? args->options[BRIDGE] : NET_BRIDGE;
	struct plan p = {.dry = args->options[DRY_RUN] != NULL};
	struct net_setup s;
	bool found;

	if (net_find(bridge, &s, &found, e) < 0)
		return -1;
	if (!found)
		return verr_not_found(e,
				      "%s is not set up by volt net setup, so there is nothing to "
				      "undo; see: volt net status",
				      bridge);
	if (args->options[FORCE] == NULL && check_unused(&s, e) < 0)
		return -1;
	p.from = &s;
	return plan_run(&p, e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct verb_args copy = *args;

	if (args->options[BRIDGE] != NULL && net_check_name(args->options[BRIDGE], e) < 0)
		return verr_note(e, "--bridge");
	return net_change("teardown", args->options[DRY_RUN] != NULL, teardown, &copy, e);
}

const struct verb net_teardown_verb = {
	.name = "teardown",
	.summary = "undo what setup did for a bridge",
	.about = "Removes what volt net setup made for the bridge, and nothing else, and sets the "
		 "kernel's\n"
		 "forwarding as it was before. Each change is one line.\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
};
