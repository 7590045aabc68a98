/* SPDX-License-Identifier: Apache-2.0 */
/* The step that systemd-networkd takes: its files, and what it makes of them. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "base/sys.h"
#include "cli/interrupt.h"
#include "volt/net/links.h"
#include "volt/net/networkd.h"
#include "volt/net/plan.h"
#include "volt/net/units.h"

/* How long it may take until all is there, looked for every so often. */
#define WAIT_NS 60000000000ULL
#define LOOK_NS 20000000L
/* An interface that another file decides on never gets there: that is looked at now and then. */
#define LOOKS_A_CHECK 25
/* What it has given up on is set up again then, and once more every so often. */
#define FIRST_REPAIR 25
#define LOOKS_A_REPAIR 250

enum unit { UNIT_FAULT, UNIT_NONE, UNIT_OURS, UNIT_FOREIGN };

/* What is at this path; the text of what is there goes to `text`, of NET_RECORD_MAX bytes. */
static enum unit read_unit(const char *path, char *text, struct verr *e)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return UNIT_NONE;
	n = fd < 0 ? -1 : read(fd, text, NET_RECORD_MAX - 1);
	if (n < 0) {
		(void)verr_os(e, "read %s", path);
		return UNIT_FAULT;
	}
	text[n] = '\0';
	return strncmp(text, UNIT_MARK, strlen(UNIT_MARK)) == 0 ? UNIT_OURS : UNIT_FOREIGN;
}

static void show(const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\n");

		printf("    %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static int write_unit(struct plan *p, size_t i, struct verr *e)
{
	auto_free char *text = unit_text(p->to, i);
	char path[PATH_MAX], has[NET_RECORD_MAX];
	enum unit unit;

	if (text == NULL)
		return verr_host(e, "out of memory");
	unit_path(p->to, i, path, sizeof(path));
	unit = read_unit(path, has, e);
	if (unit == UNIT_FAULT)
		return -1;
	if (unit != UNIT_NONE && strcmp(has, text) == 0)
		return 0;
	plan_tell(p, "write %s", path);
	if (!p->dry)
		return plan_write(path, text, e);
	show(text);
	return 0;
}

static bool has_unit(const struct net_setup *s, const char *path)
{
	char other[PATH_MAX];

	for (size_t i = 0; s != NULL && i < units_count(s); i++) {
		unit_path(s, i, other, sizeof(other));
		if (strcmp(path, other) == 0)
			return true;
	}
	return false;
}

static int remove_unit(struct plan *p, size_t i, struct verr *e)
{
	char path[PATH_MAX], has[NET_RECORD_MAX];

	unit_path(p->from, i, path, sizeof(path));
	if (has_unit(p->to, path))
		return 0;
	switch (read_unit(path, has, e)) {
	case UNIT_FAULT:
		return -1;
	case UNIT_NONE:
		return 0;
	case UNIT_FOREIGN:
		plan_tell(p, "leave %s, which volt net setup did not make", path);
		return 0;
	case UNIT_OURS:
		break;
	}
	plan_tell(p, "remove %s", path);
	return p->dry || unlink(path) == 0 ? 0 : verr_os(e, "remove %s", path);
}

/* The last first: the record is in the first. */
static int remove_units(struct plan *p, struct verr *e)
{
	for (size_t i = p->from != NULL ? units_count(p->from) : 0; i-- > 0;)
		if (remove_unit(p, i, e) < 0)
			return -1;
	return 0;
}

/* Before the first is written. */
static int check_foreign(const struct net_setup *s, struct verr *e)
{
	char path[PATH_MAX], has[NET_RECORD_MAX];

	for (size_t i = 0; i < units_count(s); i++) {
		unit_path(s, i, path, sizeof(path));
		if (read_unit(path, has, e) == UNIT_FOREIGN)
			return verr_invalid(e,
					    "%s is there, and was not made by volt net setup; move "
					    "it away, or give another name",
					    path);
		if (e->kind != VERR_NONE)
			return -1;
	}
	return 0;
}

static int write_units(struct plan *p, struct verr *e)
{
	for (size_t i = 0; p->to != NULL && i < units_count(p->to); i++)
		if (write_unit(p, i, e) < 0)
			return -1;
	return 0;
}

static bool has_addresses(const struct link *bridge, const struct net_setup *s, struct verr *e)
{
	bool four = false, six = s->ipv6.family == 0;

	return links_has_address(bridge->index, &s->ipv4, &four, e) == 0 && four &&
	       (six || (links_has_address(bridge->index, &s->ipv6, &six, e) == 0 && six));
}

/* Interfaces that are there, but not as the units say. */
struct wrong {
	const char *names[1 + NET_TAPS_MAX];
	size_t count;
};

/* Returns how many are not there at all. */
static size_t compare(const struct links *l, const struct net_setup *s, struct wrong *w,
		      struct verr *e)
{
	const struct link *bridge = links_find(l, s->bridge);
	size_t missing = bridge == NULL;

	*w = (struct wrong){0};
	if (bridge != NULL && (!bridge->up || !has_addresses(bridge, s, e)))
		w->names[w->count++] = s->bridge;
	for (size_t i = 0; i < s->taps_count; i++) {
		const struct link *tap = links_find(l, s->taps[i].name);

		if (tap == NULL || tap->owner != s->taps[i].owner)
			missing++;
		else if (!tap->up || bridge == NULL || tap->master != bridge->index)
			w->names[w->count++] = s->taps[i].name;
	}
	return missing;
}

/* Is all of it as the units say? */
static int look(const struct net_setup *s, struct wrong *w, bool *there, struct verr *e)
{
	struct links l;

	if (links_read(&l, e) < 0)
		return -1;
	*there = compare(&l, s, w, e) == 0 && w->count == 0;
	links_deinit(&l);
	return e->kind == VERR_NONE ? 0 : -1;
}

/* Those that it gave up on, as it does on the ports of a bridge that goes. */
static int repair(struct plan *p, const struct wrong *w, struct verr *e)
{
	for (size_t i = 0; i < w->count; i++) {
		plan_tell(p, "run networkctl reconfigure %s", w->names[i]);
		if (networkd_reconfigure(w->names[i], e) < 0)
			return -1;
	}
	return 0;
}

/* A file that comes before ours decides instead of it. */
static int check_files(const struct net_setup *s, struct verr *e)
{
	for (size_t i = 0; i < units_count(s); i++) {
		const char *interface = i < 2 ? s->bridge : s->taps[(i - 2) / 2].name;
		char path[PATH_MAX], used[PATH_MAX];

		unit_path(s, i, path, sizeof(path));
		if (strstr(path, ".network") != NULL &&
		    networkd_file(interface, used, sizeof(used)) && strcmp(path, used) != 0)
			return verr_invalid(e,
					    "systemd-networkd takes %s for %s, not %s; make it "
					    "match other interfaces, or come later by its name",
					    used, interface, path);
	}
	return 0;
}

/* `given_up`: this may be needed. */
static int wait_for_all(struct plan *p, bool given_up, struct verr *e)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	uint64_t end = sys_now_ns() + WAIT_NS;
	bool there = false;
	struct wrong w;

	for (unsigned i = 1;; i++) {
		if (look(p->to, &w, &there, e) < 0 || interrupt_check(e) < 0)
			return -1;
		if (there)
			return 0;
		if ((i % LOOKS_A_CHECK == 0 && check_files(p->to, e) < 0) ||
		    (given_up && i % LOOKS_A_REPAIR == FIRST_REPAIR && repair(p, &w, e) < 0))
			return -1;
		if (sys_now_ns() > end)
			return verr_host(e,
					 "systemd-networkd has not set up %s; see: journalctl -u "
					 "systemd-networkd",
					 p->to->bridge);
		(void)nanosleep(&pause, NULL);
	}
}

static int reload(struct plan *p, struct verr *e)
{
	if (p->to == NULL && !networkd_runs())
		return 0; /* stopped since: it has nothing to forget */
	plan_tell(p, "run networkctl reload");
	if (!p->dry && networkd_reload(e) < 0)
		return verr_note(e, "systemd-networkd did not read its files again");
	return 0;
}

/* systemd-networkd forgets what an unchanged file says of an interface that somebody has removed.
 */
static int touch_units(struct plan *p, struct verr *e)
{
	for (size_t i = 0; i < units_count(p->to); i++) {
		char path[PATH_MAX];

		unit_path(p->to, i, path, sizeof(path));
		plan_tell(p, "touch %s", path);
		if (!p->dry && utimensat(AT_FDCWD, path, NULL, 0) < 0)
			return verr_os(e, "touch %s", path);
	}
	return 0;
}

/* Has somebody removed or changed what was set up before? */
static int check_lost(struct plan *p, bool *lost, struct verr *e)
{
	bool there = true;
	struct wrong w;

	if (p->from != NULL && p->to != NULL && !p->undoing && look(p->from, &w, &there, e) < 0)
		return -1;
	*lost = !there;
	return 0;
}

int plan_units(struct plan *p, struct verr *e)
{
	size_t before = p->changes;
	bool lost;

	if ((p->to != NULL && check_foreign(p->to, e) < 0) || check_lost(p, &lost, e) < 0)
		return -1;
	if (remove_units(p, e) < 0 || write_units(p, e) < 0 || (lost && touch_units(p, e) < 0))
		return -1;
	if (p->changes == before)
		return 0;
	if (reload(p, e) < 0)
		return -1;
	return p->dry || p->to == NULL || p->undoing ? 0 : wait_for_all(p, lost, e);
}
