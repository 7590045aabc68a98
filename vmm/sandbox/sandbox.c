/* SPDX-License-Identifier: Apache-2.0 */
/* The order of the layers (sandbox.h), and what is said of them. */
#include "vmm/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "vmm/sandbox/aids.h"
#include "vmm/sandbox/layers.h"

/* What each layer consists of, and the word for each part in log and metrics. */
static const unsigned parts_of[] = {
	[SANDBOX_SECCOMP] = PART(SECCOMP),
	[SANDBOX_LANDLOCK] = PART(LANDLOCK),
	[SANDBOX_CAPABILITIES] = PART(CAPABILITIES) | PART(BOUNDING) | PART(SECUREBITS),
	[SANDBOX_NAMESPACES] = PART(USER) | PART(MOUNT) | PART(NET) | PART(IPC) | PART(UTS) |
			       PART(CGROUP) | PART(ROOT),
	[SANDBOX_LIMITS] = PART(LIMITS) | PART(UNDUMPABLE) | PART(ENVIRONMENT),
};
_Static_assert(ARRAY_LEN(parts_of) == SANDBOX_LAYERS, "every layer has parts");

static const char *const part_names[] = {
	[PART_SECCOMP] = "seccomp",
	[PART_LANDLOCK] = "landlock",
	[PART_NO_NEW_PRIVS] = "no_new_privs",
	[PART_CAPABILITIES] = "capabilities",
	[PART_BOUNDING] = "bounding",
	[PART_SECUREBITS] = "securebits",
	[PART_USER] = "user",
	[PART_MOUNT] = "mount",
	[PART_NET] = "net",
	[PART_IPC] = "ipc",
	[PART_UTS] = "uts",
	[PART_CGROUP] = "cgroup",
	[PART_PID] = "pid",
	[PART_ROOT] = "root",
	[PART_LIMITS] = "limits",
	[PART_UNDUMPABLE] = "undumpable",
	[PART_ENVIRONMENT] = "environment",
};
_Static_assert(ARRAY_LEN(part_names) == PARTS, "every part has a name");

static _Thread_local enum sandbox_thread this_thread = SANDBOX_THREADS;

void sandbox_refused(struct sandbox *s, enum sandbox_part part)
{
	if (s->refused[part] == 0)
		s->refused[part] = errno != 0 ? errno : ENOTSUP;
}

int sandbox_begin(const struct config *c, struct sandbox **out, int *status, struct verr *e)
{
	struct sandbox *s = calloc(1, sizeof(*s));
	int r = 0;

	if (s == NULL)
		return verr_host(e, "out of memory");
	s->config = c;
	s->status_fd = s->namespaces_fd = s->remove_fd = -1;
	*out = s;
	if (c->new_pid_ns) {
		namespaces_remember(s);
		fd_close(&s->namespaces_fd); /* the child has its own */
		r = pidns_enter(status, e);
		s->forked = true;
	}
	s->pid = getpid();
	sandbox_aids.begin();
	return r;
}

struct sandbox *sandbox_free(struct sandbox *s)
{
	if (s != NULL) {
		folders_close(s);
		fd_close(&s->status_fd);
		fd_close(&s->namespaces_fd);
		free(s->own_cgroup);
		free(s);
	}
	return NULL;
}

static void choose_layers(struct sandbox *s)
{
	const struct config *c = s->config;
	const char *bad;
	unsigned skip;
	int len;

	s->layers = s->required = 0;
	if (c->sandbox && config_layers(c->sandbox_skip, &skip, &bad, &len) &&
	    config_layers(c->sandbox_require, &s->required, &bad, &len))
		s->layers = ~skip & ((1U << SANDBOX_LAYERS) - 1);
}

int sandbox_wait(struct sandbox *s, struct verr *e)
{
	choose_layers(s);
	if (s->layers == 0)
		return 0;
	if (privileges_renounce(s, e) < 0)
		return -1;
	/* A host without filters is told when the sandbox is entered. */
	if (sandbox_wants(s, SANDBOX_SECCOMP) && seccomp_probe(s) == 0 &&
	    seccomp_install(s, SANDBOX_WAITING) < 0)
		return verr_os(e, "install a seccomp filter");
	this_thread = SANDBOX_WAITING;
	sandbox_aids.entered(SANDBOX_WAITING);
	return 0;
}

int sandbox_prepare(struct sandbox *s, struct verr *e)
{
	const struct config *c = s->config;

	if (c->new_pid_ns && !s->forked)
		return verr_invalid(e,
				    "new_pid_ns: expected on the command line, for it comes before "
				    "the API");
	choose_layers(s);
	folders_close(s);
	if ((c->cgroup != NULL && cgroup_join(s, e) < 0) || netns_enter(c->netns, e) < 0)
		return -1;
	return folders_open(s, e);
}

/* One line of what of the wanted layers the host refuses: "landlock (Function not implemented)". */
static size_t list_missing(const struct sandbox *s, unsigned layers, char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	for (size_t layer = 0; layer < SANDBOX_LAYERS; layer++) {
		unsigned missing = parts_of[layer] & ~s->parts;

		for (size_t part = 0; (layers >> layer & 1) != 0 && part < PARTS; part++) {
			int n;

			if ((missing >> part & 1) == 0 || used >= size)
				continue;
			n = snprintf(out + used, size - used, "%s%s (%s)", used > 0 ? ", " : "",
				     part_names[part],
				     s->refused[part] != 0 ? strerror(s->refused[part])
							   : "not in force");
			used += n > 0 ? (size_t)n : 0;
		}
	}
	return used;
}

static int check_required(const struct sandbox *s, unsigned layers, struct verr *e)
{
	char missing[256];

	if (list_missing(s, s->required & layers, missing, sizeof(missing)) == 0)
		return 0;
	return verr_host(e, "--sandbox-require %s: this host refuses %s",
			 s->config->sandbox_require, missing);
}

/* What is read back through descriptors must be opened while there are paths. */
static void open_mirrors(struct sandbox *s)
{
	s->status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	namespaces_remember(s);
}

/* Another user's process is no longer told of its parent's end. */
static int become(struct sandbox *s, struct verr *e)
{
	if (privileges_become(s->config, e) < 0)
		return -1;
	if (s->forked)
		pidns_end_with_parent();
	return 0;
}

/* --uid and --gid hold without any layer, too. */
static int enter_as_user(struct sandbox *s, struct verr *e)
{
	return become(s, e) < 0 ? -1 : privileges_forget(s->config, e);
}

int sandbox_enter(struct sandbox *s, struct verr *e)
{
	bool limits = sandbox_wants(s, SANDBOX_LIMITS);

	if (s->layers == 0)
		return enter_as_user(s, e);
	s->entered = true;
	open_mirrors(s);
	limits_measure(s);
	if (sandbox_wants(s, SANDBOX_NAMESPACES))
		folders_detach(s);
	if (become(s, e) < 0 || privileges_renounce(s, e) < 0)
		return -1;
	if (sandbox_wants(s, SANDBOX_NAMESPACES))
		namespaces_enter(s);
	if (sandbox_wants(s, SANDBOX_LANDLOCK))
		landlock_enter(s);
	if (sandbox_wants(s, SANDBOX_CAPABILITIES))
		privileges_drop(s);
	else if (privileges_forget(s->config, e) < 0)
		return -1;
	namespaces_read_back(s);
	privileges_read_back(s);
	fd_close(&s->namespaces_fd);
	if (limits)
		limits_enter(s);
	s->no_seccomp = sandbox_wants(s, SANDBOX_SECCOMP) && seccomp_probe(s) < 0;
	return check_required(s, s->required & ~(1U << SANDBOX_SECCOMP), e);
}

/* --- filters --- */

static const char *const thread_names[] = {
	[SANDBOX_MAIN] = "main",       [SANDBOX_VCPU] = "vcpu",
	[SANDBOX_WORKER] = "worker",   [SANDBOX_SNAPSHOT] = "snapshot",
	[SANDBOX_WAITING] = "waiting", [SANDBOX_THREADS] = "unfiltered",
};
_Static_assert(ARRAY_LEN(thread_names) == SANDBOX_THREADS + 1, "every profile has a name");

const char *sandbox_thread_name(void)
{
	return thread_names[this_thread];
}

/* Wanted, and to be had. */
static bool filters(const struct sandbox *s)
{
	return sandbox_wants(s, SANDBOX_SECCOMP) && !s->no_seccomp;
}

void sandbox_filter_thread(struct sandbox *s, enum sandbox_thread thread)
{
	if (s == NULL)
		return;
	this_thread = thread;
	if (filters(s)) {
		if (seccomp_install(s, thread) < 0) {
			log_error(LOG_SANDBOX, "a thread has no filter: %s", strerror(errno));
			_exit(1);
		}
		atomic_fetch_add(&s->filtered, 1);
	}
	sandbox_aids.entered(thread);
}

/* "Seccomp: 2" of proc(5): a filter. */
static bool has_filter(const struct sandbox *s)
{
	char text[4096];
	ssize_t n = s->status_fd < 0 ? 0 : read(s->status_fd, text, sizeof(text) - 1);

	if (n <= 0)
		return true; /* without /proc the call's own word counts */
	text[n] = '\0';
	return strstr(text, "\nSeccomp:\t2\n") != NULL;
}

int sandbox_filter_main(struct sandbox *s, struct verr *e)
{
	if (s == NULL)
		return 0;
	this_thread = SANDBOX_MAIN;
	if (filters(s)) {
		if (seccomp_install(s, SANDBOX_MAIN) < 0)
			return verr_os(e, "install a seccomp filter");
		atomic_fetch_add(&s->filtered, 1);
		if (has_filter(s))
			s->parts |= PART(SECCOMP);
	}
	sandbox_aids.entered(SANDBOX_MAIN);
	return check_required(s, s->required, e);
}

/* --- what is said --- */

/* "seccomp; landlock; namespaces: user mount" */
static void list_layers(const struct sandbox *s, char *out, size_t size)
{
	size_t used = 0;

	*out = '\0';
	for (size_t layer = 0; layer < SANDBOX_LAYERS; layer++) {
		unsigned parts = s->parts &
				 (parts_of[layer] | (layer == SANDBOX_NAMESPACES ? PART(PID) : 0));
		const char *between = ": ";

		if (parts == 0 || used >= size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "; " : "",
					 config_layer_name((enum sandbox_layer)layer));
		for (size_t part = 0; part < PARTS && used < size; part++)
			if ((parts >> part & 1) != 0 &&
			    strcmp(part_names[part],
				   config_layer_name((enum sandbox_layer)layer)) != 0) {
				used += (size_t)snprintf(out + used, size - used, "%s%s", between,
							 part_names[part]);
				between = " ";
			}
	}
}

void sandbox_describe(const struct sandbox *s, char in_force[static SANDBOX_TEXT],
		      char refused[static SANDBOX_TEXT])
{
	list_layers(s, in_force, SANDBOX_TEXT);
	(void)list_missing(s, s->layers, refused, SANDBOX_TEXT);
}

void sandbox_log(const struct sandbox *s)
{
	char in_force[SANDBOX_TEXT], refused[SANDBOX_TEXT];

	sandbox_describe(s, in_force, refused);
	log_info(LOG_SANDBOX, "in force: %s", *in_force != '\0' ? in_force : "nothing");
	if (*refused != '\0')
		log_warn(LOG_SANDBOX,
			 "this host refuses %s; --sandbox-skip names layers to do without",
			 refused);
}

const char *sandbox_part(const struct sandbox *s, size_t index, bool *in_force)
{
	if (index >= PARTS)
		return NULL;
	*in_force = (s->parts >> index & 1) != 0;
	return part_names[index];
}

void sandbox_write_metrics(const struct sandbox *s, FILE *out)
{
	const char *comma = "";

	fprintf(out, "{\"landlock_abi\":%d,\"filtered_threads\":%u,\"in_force\":[", s->landlock_abi,
		atomic_load(&s->filtered));
	for (size_t part = 0; part < PARTS; part++)
		if ((s->parts >> part & 1) != 0) {
			fprintf(out, "%s\"%s\"", comma, part_names[part]);
			comma = ",";
		}
	fputs("]}", out);
}
