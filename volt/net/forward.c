/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/net/forward.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "volt/net/plan.h"

#define SYSCTL "/proc/sys/net/"
#define REDIRECTS "ipv4/conf/all/accept_redirects"

bool forward_needed4(const struct net_setup *s)
{
	return s != NULL && s->masquerade;
}

bool forward_needed6(const struct net_setup *s)
{
	return forward_needed4(s) && s->ipv6.family != 0;
}

static char get(const char *setting)
{
	char path[PATH_MAX], value = '\0';
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), SYSCTL "%s", setting);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &value, 1) == 1 ? value : '\0';
}

static int set(const char *setting, char value, struct verr *e)
{
	char path[PATH_MAX];
	auto_fd fd = -1;

	(void)snprintf(path, sizeof(path), SYSCTL "%s", setting);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, &value, 1) != 1 ? verr_os(e, "write %c to %s", value, path) : 0;
}

bool forward_is_on(const char *setting)
{
	return get(setting) == '1';
}

int forward_set(const char *setting, bool on, struct verr *e)
{
	return set(setting, on ? '1' : '0', e);
}

static int keep(struct net_setup *s, const char *setting, struct verr *e)
{
	size_t len = strlen(s->former.kept), room = sizeof(s->former.kept) - len;

	if ((size_t)snprintf(s->former.kept + len, room, "%s%s=%c", len > 0 ? " " : "", setting,
			     get(setting)) >= room)
		return verr_host(e,
				 "too many interfaces forward, to remember which; set " SYSCTL
				 "%s to 1 first",
				 s->former.forward4 ? FORWARD6 : FORWARD4);
	return 0;
}

/* Interfaces that forward while "all" says that none do: turning that on and off resets them. */
static int keep_interfaces(struct net_setup *s, const char *family, struct verr *e)
{
	char setting[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;
	int result = 0;

	(void)snprintf(setting, sizeof(setting), SYSCTL "%s/conf", family);
	dir = opendir(setting);
	while (dir != NULL && result == 0 && (entry = readdir(dir)) != NULL) {
		(void)snprintf(setting, sizeof(setting), "%s/conf/%s/forwarding", family,
			       entry->d_name);
		if (strcmp(entry->d_name, "all") != 0 && get(setting) == '1')
			result = keep(s, setting, e);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return result;
}

/* Another bridge of ours by which the kernel forwards; false: there is none. */
static bool find_other(const struct net_setup *s, bool (*needed)(const struct net_setup *),
		       struct net_setup *other, struct verr *e)
{
	auto_free struct net_setup *all = NULL;
	size_t count;

	if (net_find_all(&all, &count, e) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(all[i].bridge, s->bridge) == 0 || !needed(&all[i]))
			continue;
		*other = all[i];
		return true;
	}
	return false;
}

int forward_remember(struct net_setup *s, struct verr *e)
{
	struct net_setup other;
	bool four;

	if (find_other(s, forward_needed6, &other, e)) {
		s->former = other.former;
		return 0;
	}
	four = find_other(s, forward_needed4, &other, e);
	if (e->kind != VERR_NONE)
		return -1;
	if (four)
		s->former = other.former;
	else
		s->former.forward4 = forward_is_on(FORWARD4);
	s->former.forward6 = forward_is_on(FORWARD6);
	if (!four && forward_needed4(s) && !s->former.forward4 &&
	    (keep(s, REDIRECTS, e) < 0 || keep_interfaces(s, "ipv4", e) < 0))
		return -1;
	return forward_needed6(s) && !s->former.forward6 ? keep_interfaces(s, "ipv6", e) : 0;
}

bool forward_others_need(const struct net_setup *s, bool (*needed)(const struct net_setup *))
{
	struct verr e = VERR_INIT;
	struct net_setup other;

	/* What cannot be read may need it. */
	return find_other(s, needed, &other, &e) || e.kind != VERR_NONE;
}

/* Those of this family; an interface that is gone needs nothing. */
static int restore_kept(const struct net_setup *s, const char *family, struct verr *e)
{
	char text[NET_KEPT_TEXT], *rest = text, *word;

	(void)snprintf(text, sizeof(text), "%s", s->former.kept);
	while ((word = strsep(&rest, " ")) != NULL) {
		char *equals = strrchr(word, '=');

		if (equals == NULL || strncmp(word, family, strlen(family)) != 0)
			continue;
		*equals = '\0';
		if (get(word) != '\0' && get(word) != equals[1] && set(word, equals[1], e) < 0)
			return -1;
	}
	return 0;
}

static int turn_on(struct plan *p, const char *setting, struct verr *e)
{
	if (forward_is_on(setting))
		return 0;
	plan_tell(p, "set " SYSCTL "%s to 1", setting);
	return p->dry ? 0 : forward_set(setting, true, e);
}

static int turn_off(struct plan *p, const char *setting, const char *family, struct verr *e)
{
	if (!forward_is_on(setting))
		return 0;
	plan_tell(p, "set " SYSCTL "%s to 0, as it was", setting);
	if (p->dry)
		return 0;
	return forward_set(setting, false, e) < 0 ? -1 : restore_kept(p->from, family, e);
}

int plan_forwarding(struct plan *p, struct verr *e)
{
	if ((forward_needed4(p->to) && turn_on(p, FORWARD4, e) < 0) ||
	    (forward_needed6(p->to) && turn_on(p, FORWARD6, e) < 0))
		return -1;
	if (forward_needed4(p->from) && !forward_needed4(p->to) && !p->from->former.forward4 &&
	    !forward_others_need(p->from, forward_needed4) && turn_off(p, FORWARD4, "ipv4", e) < 0)
		return -1;
	if (forward_needed6(p->from) && !forward_needed6(p->to) && !p->from->former.forward6 &&
	    !forward_others_need(p->from, forward_needed6))
		return turn_off(p, FORWARD6, "ipv6", e);
	return 0;
}
