/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces: made and taken away by ourselves, or what systemd-networkd leaves behind. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "volt/net/links.h"
#include "volt/net/plan.h"

static int delete_link(struct plan *p, const struct link *l, struct verr *e)
{
	plan_tell(p, "remove the interface %s", l->name);
	return p->dry ? 0 : links_delete(l->index, e);
}

/* One that somebody has made since, with a name of ours, stays. */
static int delete_bridge(struct plan *p, const struct links *l, struct verr *e)
{
	const struct link *bridge = links_find(l, p->from->bridge);

	return bridge == NULL || !link_is_bridge(bridge, p->from) ? 0 : delete_link(p, bridge, e);
}

/* Nor one that has been put elsewhere. */
static int delete_taps(struct plan *p, const struct links *l, struct verr *e)
{
	for (size_t i = p->from->taps_count; i-- > 0;) {
		const struct net_tap *t = &p->from->taps[i];
		const struct link *tap = links_find(l, t->name);

		if (tap == NULL || net_find_tap(p->to, t->name) != NULL || !link_is_tap(tap, t) ||
		    !link_is_at_home(tap, l, p->from))
			continue;
		if (delete_link(p, tap, e) < 0)
			return -1;
	}
	return 0;
}

typedef int link_step(struct plan *p, const struct links *l, struct verr *e);

static int with_links(struct plan *p, link_step *step, struct verr *e)
{
	struct links l = LINKS_INIT;
	int result = links_read(&l, e) < 0 ? -1 : step(p, &l, e);

	links_deinit(&l);
	return result;
}

static int delete_all(struct plan *p, const struct links *l, struct verr *e)
{
	if (delete_taps(p, l, e) < 0)
		return -1;
	return p->to != NULL ? 0 : delete_bridge(p, l, e);
}

int plan_links(struct plan *p, struct verr *e)
{
	return p->from != NULL ? with_links(p, delete_all, e) : 0;
}

/* --- by netlink --- */

static int add_address(struct plan *p, unsigned index, const struct prefix *address, struct verr *e)
{
	char text[PREFIX_TEXT];
	bool has = false;

	if (address->family == 0 || (index != 0 && links_has_address(index, address, &has, e) < 0))
		return e->kind == VERR_NONE ? 0 : -1;
	if (has)
		return 0;
	plan_tell(p, "give %s the address %s", p->to->bridge, prefix_text(address, text));
	return p->dry ? 0 : links_add_address(index, address, e);
}

static int add_bridge(struct plan *p, const struct links *l, struct verr *e)
{
	const struct net_setup *s = p->to;
	const struct link *bridge = links_find(l, s->bridge);
	unsigned index = bridge != NULL ? bridge->index : 0;

	if (bridge == NULL) {
		plan_tell(p, "create the bridge %s", s->bridge);
		if (!p->dry && links_add_bridge(s->bridge, s->mac, e) < 0)
			return -1;
		index = if_nametoindex(s->bridge);
	}
	if (add_address(p, index, &s->ipv4, e) < 0 || add_address(p, index, &s->ipv6, e) < 0)
		return -1;
	if (bridge != NULL && bridge->up)
		return 0;
	plan_tell(p, "bring up %s", s->bridge);
	return p->dry ? 0 : links_bring_up(index, 0, e);
}

int plan_bridge(struct plan *p, struct verr *e)
{
	return with_links(p, p->to != NULL ? add_bridge : delete_bridge, e);
}

static int add_taps(struct plan *p, const struct links *l, struct verr *e)
{
	const struct link *bridge = links_find(l, p->to->bridge);
	unsigned master = bridge != NULL ? bridge->index : 0;

	for (size_t i = 0; i < p->to->taps_count; i++) {
		const struct net_tap *t = &p->to->taps[i];
		const struct link *tap = links_find(l, t->name);

		if (tap == NULL) {
			plan_tell(p, "create the TAP %s, owned by %s", t->name, t->user);
			if (!p->dry && links_add_tap(t, e) < 0)
				return -1;
		}
		if (tap != NULL && tap->master == master && tap->up)
			continue;
		plan_tell(p, "put %s on %s, and bring it up", t->name, p->to->bridge);
		if (!p->dry && links_bring_up(if_nametoindex(t->name), master, e) < 0)
			return -1;
	}
	return 0;
}

int plan_taps(struct plan *p, struct verr *e)
{
	if (p->from != NULL && with_links(p, delete_taps, e) < 0)
		return -1;
	return p->to != NULL ? with_links(p, add_taps, e) : 0;
}

/* --- the record --- */

static int write_record(struct plan *p, const char *path, struct verr *e)
{
	auto_free char *text = net_encode(p->to);
	struct net_setup has;
	bool found;

	if (text == NULL)
		return verr_host(e, "out of memory");
	if (net_find(p->to->bridge, &has, &found, e) < 0)
		return -1;
	if (found) {
		auto_free char *same = net_encode(&has);

		if (same != NULL && strcmp(same, text) == 0)
			return 0;
	}
	plan_tell(p, "write %s", path);
	return p->dry ? 0 : plan_write(path, text, e);
}

int plan_record(struct plan *p, struct verr *e)
{
	char path[PATH_MAX];

	net_record_path(p->to != NULL ? p->to : p->from, path, sizeof(path));
	if (p->to != NULL)
		return write_record(p, path, e);
	if (access(path, F_OK) < 0)
		return 0;
	plan_tell(p, "remove %s", path);
	return p->dry || unlink(path) == 0 ? 0 : verr_os(e, "remove %s", path);
}
