/* SPDX-License-Identifier: Apache-2.0 */
/* volt-vmm: one process, one virtual machine. */
#include <fcntl.h>
#include <libgen.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "contract/workload.h"
#include "version.h"
#include "vmm/api/api.h"
#include "vmm/api/personality.h"
#include "vmm/config/config.h"
#include "vmm/machine/machine.h"
#include "vmm/main/firecracker.h"
#include "vmm/main/signals.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/snapshot/restore.h"
#include "vmm/snapshot/snapshot.h"
#include "vmm/snapshot/stored.h"

#define STATUS_FAILED 1
#define STATUS_CONFIGURATION 2

/* Everything the process owns beside the machine. */
struct process {
	struct config config;
	struct sandbox *sandbox;
	struct loop *loop;
	struct machine *machine;
	struct restore *restore;     /* until the machine is built; NULL: it is booted */
	struct snapshots *snapshots; /* NULL: none can be made */
	struct signals *signals;
	struct fc_process *firecracker; /* NULL: this is Volt */
	struct api *api;
	int log_fd, metrics_fd;
	int lease_fd; /* of the snapshot's files, where a store has made them */
	bool quit;    /* before there was a machine */
};

static bool waits_for_configuration(const struct config *c)
{
	return c->kernel == NULL && c->restore == NULL && c->api_socket != NULL;
}

static int status_of_fault(const struct config *c, const struct verr *e)
{
	if (c->workload != NULL)
		return VOLT_STATUS_FAILED;
	return e->kind == VERR_INVALID || e->kind == VERR_NOT_FOUND ? STATUS_CONFIGURATION
								    : STATUS_FAILED;
}

/* The one line a user sees; the log's sink may be a file that nobody watches. */
static int report_fault(const struct process *p, const struct verr *e)
{
	char text[VERR_TEXT];

	if (p->firecracker != NULL)
		return fc_process_report(p->firecracker, e, FC_FAILED);
	fprintf(stderr, "volt-vmm: %s\n", verr_printable(e, text));
	log_debug(LOG_MAIN, "raised at %s:%d", e->file, e->line);
	return status_of_fault(&p->config, e);
}

/*
 * The first file that is opened would take the number of a standard descriptor that is closed, and
 * the guest's output would go there. What stands in its place can be neither read nor written.
 */
static void occupy_standard_descriptors(void)
{
	auto_fd fd = -1;

	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
}

static bool can_make(const char *path)
{
	char *copy = strdup(path);
	bool can = copy != NULL && access(dirname(copy), W_OK | X_OK) == 0;

	free(copy);
	return can;
}

/* Is there a file that can be written to, or could one be made? */
static bool can_write(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		if (!S_ISDIR(st.st_mode))
			return access(path, W_OK) == 0;
		errno = EISDIR;
		return false;
	}
	return errno == ENOENT && can_make(path);
}

/* All of them before the first is made, so that a mistake leaves nothing behind. */
static int check_outputs(const struct config *c, struct verr *e)
{
	const struct {
		const char *flag, *path;
	} outputs[] = {
		{"--log-path", c->log_path},
		{"--metrics-path", c->metrics_path},
		{"--console", strncmp(c->console, "file=", 5) == 0 ? c->console + 5 : NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
		if (outputs[i].path != NULL && !can_write(outputs[i].path)) {
			(void)verr_invalid_os(e, "cannot write to %s", outputs[i].path);
			return verr_note(e, "%s", outputs[i].flag);
		}
	return 0;
}

static int open_log(struct process *p, struct verr *e)
{
	const char *path = p->config.log_path;
	struct verr none = VERR_INIT;

	if (path != NULL)
		p->log_fd = sys_open_output(path, e);
	else /* a closed stderr is no reason not to run: such lines are counted as dropped */
		p->log_fd = sys_nonblocking(STDERR_FILENO, O_WRONLY, &none);
	return path != NULL && p->log_fd < 0 ? verr_note(e, "--log-path") : 0;
}

static int open_metrics(struct process *p, struct verr *e)
{
	if (p->config.metrics_path == NULL)
		return 0;
	p->metrics_fd = sys_open_output(p->config.metrics_path, e);
	return p->metrics_fd < 0 ? verr_note(e, "--metrics-path") : 0;
}

/* Both or none: after a fault another configuration may be tried. */
static int open_outputs(struct process *p, struct verr *e)
{
	const struct config *c = &p->config;
	struct log_options log = {.level = (enum log_level)c->log_level,
				  .format = (enum log_format)c->log_format,
				  .id = c->id};

	if (open_log(p, e) < 0)
		return -1;
	if (open_metrics(p, e) < 0) {
		fd_close(&p->log_fd);
		return -1;
	}
	log.fd = p->log_fd;
	if (!fc_process_logs(p->firecracker))
		log_setup(&log);
	return 0;
}

static int open_api(struct process *p, struct verr *e)
{
	const char *path = p->config.api_socket;
	const struct api_personality *personality =
		p->firecracker != NULL ? fc_process_api(p->firecracker) : &native_personality;
	const int hold = (int)p->config.hold_fd;

	if (path == NULL && hold != 0)
		return verr_invalid(e, "--hold-fd %d: expected --api-socket, too", hold);
	if (path == NULL)
		return 0;
	if (api_new(p->loop, path, personality, &p->api, e) < 0)
		return p->firecracker != NULL
			       ? verr_note(e, "Failed to open the API socket at: %s", path)
			       : verr_note(e, "--api-socket");
	if (hold != 0 && api_hold(p->api, hold, e) < 0)
		return verr_note(e, "--hold-fd");
	return 0;
}

static void write_metrics(const struct process *p)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *out;

	if (p->metrics_fd < 0)
		return;
	out = open_memstream(&text, &len);
	if (out == NULL)
		return;
	machine_write_metrics(p->machine, out);
	(void)fclose(out);
	if (write(p->metrics_fd, text, len) != (ssize_t)len)
		log_warn(LOG_MAIN,
			 "--metrics-path %s: nobody took the metrics, or the disk is full",
			 p->config.metrics_path);
}

static void on_report(void *arg)
{
	struct process *p = arg;

	write_metrics(p);
	if (p->firecracker != NULL)
		fc_process_report_metrics(p->firecracker);
}

/* The snapshot's part of what follows. */
static int open_restored(struct process *p, struct verr *e)
{
	if (p->restore == NULL)
		return machine_new(&p->config, p->loop, p->sandbox, &p->machine, e);
	if (restore_disks(p->restore, &p->config, e) < 0)
		return verr_note(e, "--restore");
	if (machine_new(&p->config, p->loop, p->sandbox, &p->machine, e) < 0)
		return -1;
	restore_opened(p->restore, &p->config);
	machine_restore_from(
		p->machine,
		restore_machine(p->restore, (enum machine_clock)p->config.clock, p->config.paused));
	return 0;
}

static int open_snapshots(struct process *p, struct verr *e)
{
	if (p->config.snapshot_dir == NULL)
		return 0;
	if (snapshots_new(p->machine, &p->config, p->loop, p->sandbox, &p->snapshots, e) < 0)
		return -1;
	return p->restore != NULL ? restore_follow(p->restore, p->config.restore, p->snapshots, e)
				  : 0;
}

/* What a fault of the user's can still come from, once the configuration is complete. */
static int open_machine(struct process *p, struct verr *e)
{
	if (sandbox_prepare(p->sandbox, e) < 0 || open_restored(p, e) < 0 ||
	    open_snapshots(p, e) < 0 || check_outputs(&p->config, e) < 0)
		return -1;
	return open_outputs(p, e);
}

/* With its threads, parked. */
static int build_machine(struct process *p, struct verr *e)
{
	int r = machine_build(p->machine, e);

	if (r == 0 && p->snapshots != NULL)
		r = snapshots_start(p->snapshots, e);
	if (p->restore != NULL && r < 0)
		(void)verr_note(e, "--restore");
	p->restore = restore_free(p->restore, r == 0);
	return r;
}

static int open_restore(struct process *p, struct verr *e)
{
	const struct config *c = &p->config;
	char stored[PATH_MAX];

	if (c->restore == NULL)
		return 0;
	if (c->cas_store != NULL &&
	    stored_get(c->cas_store, c->restore, stored, &p->lease_fd, e) < 0)
		return verr_note(e, "--restore %s", c->restore);
	if (restore_open(c->cas_store != NULL ? stored : c->restore,
			 fc_process_memory(p->firecracker), &p->restore, e) < 0)
		return verr_note(e, "--restore");
	if (restore_config(p->restore, &p->config, e) < 0)
		return -1;
	if (c->cas_store != NULL) /* texts that are there to the end now */
		restore_is_stored(p->restore, c->cas_store, c->restore);
	return 0;
}

/* What requests have put together, over `base`. */
static int configure(struct process *p, const struct config *base, struct verr *e)
{
	p->config.personality = base->personality; /* it is the process's, so not copied */
	if (config_copy(&p->config, base, e) < 0)
		return -1;
	if (p->firecracker == NULL)
		return config_check(&p->config, e);
	if (base->api_socket != NULL) { /* this, too; none: it is served by --hold-fd */
		p->config.api_socket = strdup(base->api_socket);
		if (p->config.api_socket == NULL)
			return verr_host(e, "out of memory");
	}
	return fc_process_configure(p->firecracker, &p->config, e) < 0 || open_restore(p, e) < 0 ||
			       fc_process_restored(p->firecracker, &p->config, e) < 0 ||
			       config_check(&p->config, e) < 0
		       ? -1
		       : 0;
}

/* With the configuration that requests have put together; a fault leaves that as it was. */
static int try_start(struct process *p, struct verr *e)
{
	struct config base = p->config;

	config_init(&p->config);
	if (configure(p, &base, e) == 0 && open_machine(p, e) == 0) {
		config_deinit(&base);
		return 0;
	}
	p->snapshots = snapshots_free(p->snapshots);
	p->machine = machine_free(p->machine);
	p->restore = restore_free(p->restore, false);
	config_deinit(&p->config);
	p->config = base;
	return -1;
}

static void on_quit(void *arg)
{
	struct process *p = arg;

	p->quit = true;
	loop_stop(p->loop);
}

/* Serve requests until one has started the machine. Returns 1 when the process is to end. */
static int be_configured(struct process *p, struct verr *e)
{
	api_configure(p->api, &p->config);
	signals_wait(p->signals, on_quit, p);
	while (p->machine == NULL) {
		struct verr fault = VERR_INIT;

		if (loop_run(p->loop, e) < 0)
			return -1;
		if (p->quit || api_wish(p->api) == API_WISH_QUIT)
			return 1;
		if (api_wish(p->api) != API_WISH_START || try_start(p, &fault) == 0)
			continue;
		if (fc_process_memory(p->firecracker) != NULL) {
			*e = fault;
			(void)verr_note(e, "Load snapshot error");
			api_refuse_start(p->api, e);
			return -1;
		}
		api_refuse_start(p->api, &fault);
	}
	return 0;
}

static int prepare_machine(struct process *p, struct verr *e)
{
	int r;

	if (loop_new(&p->loop, e) < 0 ||
	    signals_new(p->loop,
			p->firecracker != NULL ? SIGNALS_AS_FIRECRACKER : SIGNALS_ASK_GUEST,
			&p->signals, e) < 0)
		return -1;
	if (waits_for_configuration(&p->config))
		r = open_api(p, e) < 0 || sandbox_wait(p->sandbox, e) < 0 ? -1
									  : be_configured(p, e);
	else
		r = open_machine(p, e) < 0 ? -1 : open_api(p, e);
	if (r != 0)
		return r;
	if (p->api != NULL)
		api_confine(p->api, &p->config, p->sandbox);
	r = build_machine(p, e);
	/* Who asked for the start hears it, too, before the process ends. */
	if (r < 0 && p->api != NULL)
		api_refuse_start(p->api, e);
	return r;
}

static int run_machine(struct process *p, struct verr *e)
{
	enum machine_end end;
	int r, status;

	r = sandbox_begin(&p->config, &p->sandbox, &status, e);
	if (r != 0)
		return r < 0 ? -1 : status;
	r = prepare_machine(p, e);
	if (r != 0)
		return r;
	signals_watch(p->signals, p->machine,
		      p->config.workload != NULL ? VOLT_STATUS_FAILED : STATUS_FAILED, on_report,
		      p);
	if (p->firecracker != NULL && fc_process_run(p->firecracker, p->loop, p->machine, e) < 0)
		return -1;
	if (p->api != NULL)
		api_serve(p->api, &p->config, p->machine, p->snapshots);
	r = machine_run(p->machine, e);
	end = machine_end(p->machine);
	if (r == 0)
		log_line(end == MACHINE_POWEROFF || end == MACHINE_REBOOT ? LOG_INFO : LOG_WARN,
			 LOG_MACHINE, "%s", machine_end_text(end));
	write_metrics(p);
	if (p->firecracker != NULL)
		fc_process_stop(p->firecracker, signals_deadly(p->signals));
	if (r < 0)
		return -1;
	return p->firecracker != NULL ? fc_process_status(p->machine)
				      : machine_exit_status(p->machine);
}

/* Load everything but run nothing, and show what would have run. */
static int dry_run(struct process *p, struct verr *e)
{
	auto_free char *json = NULL;

	if (p->restore == NULL &&
	    (loop_new(&p->loop, e) < 0 || machine_dry_run(&p->config, p->loop, e) < 0))
		return -1;
	json = config_to_json(&p->config);
	if (json == NULL)
		return verr_host(e, "out of memory");
	fputs(json, stdout);
	return 0;
}

/* Returns the exit status, or -1 when a machine is to be run. */
static int prepare(struct process *p, int argc, char *argv[], struct verr *e)
{
	if (argc > 0 && fc_process_is_called(argv[0])) {
		p->config.personality = CONFIG_PERSONALITY_FIRECRACKER;
		return fc_process_start(argc, argv, &p->config, &p->firecracker);
	}
	if (config_parse_args(&p->config, argc, argv, e) < 0)
		return report_fault(p, e);
	if (p->config.help) {
		config_print_help();
		return 0;
	}
	if (p->config.version) {
		printf("volt-vmm %s\n", VOLT_VERSION);
		return 0;
	}
	if (open_restore(p, e) < 0)
		return report_fault(p, e);
	if (!waits_for_configuration(&p->config) && config_check(&p->config, e) < 0)
		return report_fault(p, e);
	if (p->config.personality == CONFIG_PERSONALITY_FIRECRACKER &&
	    fc_process_new(p->config.id, &p->firecracker, e) < 0)
		return report_fault(p, e);
	return -1;
}

int main(int argc, char *argv[])
{
	struct process p = {.log_fd = -1, .metrics_fd = -1, .lease_fd = -1};
	struct verr e = VERR_INIT;
	int status, deadly;

	/* One heap for all threads: none of them needs much, and each would map one of its own. */
	(void)mallopt(M_ARENA_MAX, 1);
	(void)mallopt(M_MMAP_THRESHOLD, MIB(4)); /* nor does it grow by other calls than brk() */
	occupy_standard_descriptors();
	config_init(&p.config);
	status = prepare(&p, argc, argv, &e);
	if (status < 0) {
		status = p.config.dry_run ? dry_run(&p, &e) : run_machine(&p, &e);
		/* The terminal is restored before anything is said. */
		signals_forget(p.signals);
		p.api = api_free(p.api);
		p.snapshots = snapshots_free(p.snapshots);
		p.machine = machine_free(p.machine);
		if (status < 0)
			status = report_fault(&p, &e);
	}
	deadly = signals_deadly(p.signals);
	p.restore = restore_free(p.restore, false);
	p.signals = signals_free(p.signals);
	p.loop = loop_free(p.loop);
	p.sandbox = sandbox_free(p.sandbox);
	p.firecracker = fc_process_free(p.firecracker);
	fd_close(&p.metrics_fd);
	fd_close(&p.lease_fd);
	config_deinit(&p.config);
	return deadly != 0 ? signals_die(deadly) : status;
}
