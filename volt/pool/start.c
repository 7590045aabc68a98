/* SPDX-License-Identifier: Apache-2.0 */
/* volt pool start: become the daemon. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/beside.h"
#include "volt/pool/daemon.h"
#include "volt/pool/template.h"

enum { O_RESTORE, O_STORE, O_SIZE, O_SOCKET, O_NET, O_DRIVE, O_ID, O_MAX, O_DETACH, O_LOG };

static const struct verb_option options[] = {
	[O_RESTORE] = {.name = "restore",
		       .value = "SNAPSHOT",
		       .help = "that all go on from: its folder, or its name in the store"},
	[O_STORE] = {.name = "cas-store",
		     .value = "STORE",
		     .help = "content-addressed store that the snapshot is in"},
	[O_SIZE] = {.name = "size",
		    .value = "N",
		    .help = "machines that are kept ready (required)"},
	[O_SOCKET] = {.name = "socket",
		      .value = "SOCKET",
		      .help = "made here, mode 0600 (required)"},
	[O_NET] = {.name = "net",
		   .value = "KEYS",
		   .help = "as volt-vmm --net, as id=net0,tap=pool{n}; may be repeated"},
	[O_DRIVE] = {.name = "drive",
		     .value = "KEYS",
		     .help = "as volt-vmm --drive; may be repeated"},
	[O_ID] = {.name = "id", .value = "NAME", .help = "of the machines [pool-{n}]"},
	[O_MAX] = {.name = "max",
		   .value = "N",
		   .help = "most machines at once, claimed ones that run among them [4096]"},
	[O_DETACH] = {.name = "detach", .help = "return when the first machine is ready"},
	[O_LOG] = {.name = "log", .value = "FILE", .help = "what goes to stderr goes here"},
};

/* What only the pool can say to volt-vmm. */
static const char *const reserved[] = {"--restore", "--paused",  "--api-socket", "--hold-fd",
				       "--id",      "--dry-run", "--help",       "--version"};

static int parse_count(const struct verb_args *args, size_t row, unsigned most, unsigned *out,
		       struct verr *e)
{
	const char *text = args->options[row];
	char *end = NULL;
	unsigned long n =
		text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;

	if (n < 1 || n > most || end == NULL || *end != '\0')
		return verr_invalid(e, "--%s %s: expected a number, 1 to %u", options[row].name,
				    text != NULL ? text : "", most);
	*out = (unsigned)n;
	return 0;
}

/* Absolute, for machines are looked for from elsewhere. */
static int make_path(const char *path, char out[static SOCKET_PATH], struct verr *e)
{
	const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
	size_t len = slash != NULL ? (size_t)(slash - path) : 0;
	char given[PATH_MAX], folder[PATH_MAX];
	/* ".4095" is a machine's, behind it. */
	const size_t most = SOCKET_PATH - 1 - 5;

	(void)snprintf(given, sizeof(given), "%.*s", (int)MIN(len, sizeof(given) - 1), path);
	if (len == 0)
		(void)snprintf(given, sizeof(given), "%s", slash != NULL ? "/" : ".");
	if (realpath(given, folder) == NULL)
		return verr_invalid_os(e, "cannot make %s", path);
	if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return verr_invalid(e, "%s: expected a file's name", path);
	if ((size_t)snprintf(out, SOCKET_PATH, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder,
			     name) > most)
		return verr_invalid(e,
				    "%s/%s is longer than %zu characters, which a pool's socket "
				    "cannot be",
				    folder, name, most);
	return 0;
}

static int check_word(const char *word, struct verr *e)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		size_t len = strlen(reserved[i]);

		if (strncmp(word, reserved[i], len) == 0 && (word[len] == '\0' || word[len] == '='))
			return verr_invalid(e, "%s: that is for the pool to say", reserved[i]);
	}
	return 0;
}

/* A TAP device or a descriptor is one machine's: two with one fail at the second's start. */
static int check_net(const char *net, unsigned most, struct verr *e)
{
	if (most > 1 && !template_varies(net) &&
	    (strstr(net, "tap=") != NULL || strstr(net, "fd=") != NULL))
		return verr_invalid(e,
				    "--net %s: every machine needs a device of its own, as "
				    "tap=pool{n}",
				    net);
	return 0;
}

/* What goes to volt-vmm as it is, but for the number; there is room for all of it. */
static int collect_more(const struct verb_args *args, struct pool_options *o, struct verr *e)
{
	bool command = false;

	for (size_t i = 0; i < args->given_count; i++) {
		const struct verb_given *g = &args->given[i];

		if (g->row != O_NET && g->row != O_DRIVE && g->row != O_STORE)
			continue;
		if (g->row == O_NET && check_net(g->value, o->most, e) < 0)
			return -1;
		o->more[o->more_count++] = g->row == O_NET     ? "--net"
					   : g->row == O_DRIVE ? "--drive"
							       : "--cas-store";
		o->more[o->more_count++] = g->value;
	}
	for (size_t i = 0; i < args->count; i++) {
		command |= strcmp(args->operands[i], "--") == 0;
		if (!command && check_word(args->operands[i], e) < 0)
			return -1;
		o->more[o->more_count++] = args->operands[i];
	}
	return 0;
}

static int find_vmm(char out[static PATH_MAX], struct verr *e)
{
	char own[PATH_MAX];

	if (beside_folder(own, sizeof(own), e) < 0)
		return -1;
	if ((size_t)snprintf(out, PATH_MAX, "%s/volt-vmm", own) >= PATH_MAX ||
	    access(out, X_OK) < 0)
		return verr_not_found(e, "volt-vmm is not in %s: install Volt, or make build", own);
	return 0;
}

/* Two descriptors a machine; one a connection, and those that come with a claim. */
static void raise_limit(void)
{
	const rlim_t wanted = 2 * POOL_MACHINES_MAX + (1 + PASSED_MAX) * POOL_CONNECTIONS + 64;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = MIN(wanted, limit.rlim_max);
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Whoever waits hears of what became of the daemon: an empty text is that it serves. */
static int hear(int fd, struct verr *e)
{
	char text[VERR_TEXT];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	if (len == 0)
		return verr_host(e, "the daemon has ended");
	return text[0] == '\0' ? 0 : verr_host(e, "%s", text);
}

/* Whoever started us need not wait until nobody holds what he reads from. */
static int let_go_of_terminal(struct verr *e)
{
	auto_fd fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
	    dup2(fd, STDERR_FILENO) < 0)
		return verr_os(e, "open /dev/null");
	return 0;
}

/* In the child returns 0, and in the parent 1 or the child's fault. */
static int detach(int *ready_fd, struct verr *e)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return verr_os(e, "create a pipe");
	child = fork();
	if (child != 0) {
		(void)close(fds[1]);
		if (child < 0)
			(void)verr_os(e, "fork");
		else
			(void)hear(fds[0], e);
		(void)close(fds[0]);
		return e->kind == VERR_NONE ? 1 : -1;
	}
	(void)close(fds[0]);
	(void)setsid();
	*ready_fd = fds[1];
	return let_go_of_terminal(e);
}

static int run_daemon(const struct pool_options *o, int log_fd, int ready_fd, struct verr *e)
{
	struct pool *pool = malloc(sizeof(*pool));
	int r;

	if (pool == NULL)
		return verr_host(e, "out of memory");
	raise_limit();
	daemon_init(pool, o, ready_fd);
	pool->log_fd = log_fd;
	r = daemon_run(pool, e);
	if (r < 0 && pool->ready_fd >= 0)
		(void)!write(pool->ready_fd, e->text, strlen(e->text));
	daemon_deinit(pool);
	free(pool);
	return r;
}

/* In the background or not. */
static int run_pool(const struct verb_args *args, const struct pool_options *o, struct verr *e)
{
	const char *log = args->options[O_LOG];
	struct verr none = VERR_INIT;
	auto_fd log_fd = log != NULL ? sys_open_output(log, e) : -1;
	int ready_fd = -1, r = 0;

	if (log != NULL && log_fd < 0)
		return verr_note(e, "--log");
	if (args->options[O_DETACH] != NULL)
		r = detach(&ready_fd, e);
	if (r != 0)
		return r < 0 ? -1 : STATUS_OK;
	if (log == NULL)
		log_fd = sys_nonblocking(STDERR_FILENO, O_WRONLY, &none);
	r = run_daemon(o, log_fd, ready_fd, e);
	/* Whoever waits has heard of a fault. */
	return r == 0 ? STATUS_OK : ready_fd >= 0 ? STATUS_FAILED : -1;
}

static int check_and_run(const struct verb_args *args, struct pool_options *o, struct verr *e)
{
	if (args->options[O_SOCKET] == NULL)
		return verr_invalid(e, "--socket: missing; expected the path of the pool's socket");
	if (o->restore == NULL && args->count == 0)
		return verr_invalid(e, "--restore: missing; expected a snapshot");
	if (parse_count(args, O_SIZE, POOL_MACHINES_MAX, &o->size, e) < 0 ||
	    (args->options[O_MAX] != NULL &&
	     parse_count(args, O_MAX, POOL_MACHINES_MAX, &o->most, e) < 0))
		return -1;
	if (o->most < o->size)
		return verr_invalid(e, "--max %u: expected at least --size, %u", o->most, o->size);
	if (collect_more(args, o, e) < 0 || make_path(args->options[O_SOCKET], o->socket, e) < 0 ||
	    find_vmm(o->vmm, e) < 0)
		return -1;
	return run_pool(args, o, e);
}

static int run(const struct verb_args *args, struct verr *e)
{
	struct pool_options o = {.restore = args->options[O_RESTORE],
				 .id = args->options[O_ID] != NULL ? args->options[O_ID]
								   : "pool-{n}",
				 .most = POOL_MACHINES_MAX};
	int r;

	o.more = calloc(2 * args->given_count + args->count + 1, sizeof(*o.more));
	if (o.more == NULL)
		return verr_host(e, "out of memory");
	r = check_and_run(args, &o, e);
	free(o.more);
	return r;
}

const struct verb pool_start_verb = {
	.name = "start",
	.summary = "keep machines ready that go on from a snapshot",
	.about = "Each is a volt-vmm of its own that is restored, sandboxed and paused, until volt "
		 "pool\n"
		 "claim hands it out; another takes its place. Options after -- are volt-vmm's; "
		 "without\n"
		 "--restore they say what is booted, and paused. In all of them {n} is the "
		 "machine's\n"
		 "number, the lowest that no other has: name by it what each needs for itself.\n"
		 "\nExamples:\n"
		 "  volt pool start --restore web.snap --size 4 --socket /run/web.pool --detach\n"
		 "  volt pool start --restore web.snap --size 8 --socket web.pool --net "
		 "id=net0,tap=pool{n}\n"
		 "  volt pool start --restore web --cas-store store --size 4 --socket web.pool\n",
	.run = run,
	.options = options,
	.options_count = ARRAY_LEN(options),
	.operands = "[-- OPTION...]",
	.operands_max = SIZE_MAX,
};
