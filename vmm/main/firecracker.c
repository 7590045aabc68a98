/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/main/firecracker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/sys.h"
#include "version.h"
#include "vmm/firecracker/arguments.h"
#include "vmm/firecracker/config_file.h"
#include "vmm/firecracker/firecracker.h"
#include "vmm/firecracker/logger.h"
#include "vmm/firecracker/metrics.h"

struct fc_process {
	const char *id;
	struct firecracker *api;
	struct fc_logger *logger; /* NULL: the log is our own */
	struct fc_metrics *metrics;
	const struct machine *machine; /* NULL until it runs */
};

/* --- what requests ask for --- */

static int set_logger(void *arg, const struct firecracker_logger *want, struct verr *e)
{
	struct fc_process *p = arg;
	struct fc_logger *first = NULL;

	if (p->logger != NULL)
		return fc_logger_set(p->logger, want, e);
	if (fc_logger_new(p->id, &first, e) < 0)
		return -1;
	if (fc_logger_set(first, want, e) < 0) {
		(void)fc_logger_free(first);
		return -1;
	}
	p->logger = first;
	return 0;
}

static int set_metrics(void *arg, const struct firecracker_metrics *want, struct verr *e)
{
	struct fc_process *p = arg;

	return fc_metrics_open(p->metrics, want, e);
}

static int flush_metrics(void *arg, struct verr *e)
{
	struct fc_process *p = arg;

	(void)e;
	fc_process_report_metrics(p);
	return 0;
}

static void on_request(void *arg, const struct firecracker_done *done)
{
	struct fc_process *p = arg;

	fc_metrics_count_request(p->metrics, done->method, done->path, done->failed);
	if (done->deprecated)
		fc_metrics_count_deprecated(p->metrics);
	if (!done->failed && strcmp(done->path, "/vm") == 0)
		fc_metrics_store(p->metrics,
				 machine_state(p->machine) == MACHINE_PAUSED ? FC_PAUSE_US
									     : FC_RESUME_US,
				 done->ns / 1000);
}

/* --- made --- */

static int make(const char *id, size_t body_max, struct fc_process **out, struct verr *e)
{
	struct fc_process *p = calloc(1, sizeof(*p));
	struct firecracker_options options = {.body_max = body_max,
					      .process = {.set_logger = set_logger,
							  .set_metrics = set_metrics,
							  .flush_metrics = flush_metrics,
							  .done = on_request,
							  .arg = p}};

	if (p == NULL)
		return verr_host(e, "out of memory");
	/* The configuration is replaced at the start, and the log has this until the process ends.
	 */
	p->id = strdup(id != NULL ? id : FIRECRACKER_DEFAULT_ID);
	if (p->id == NULL) {
		free(p);
		return verr_host(e, "out of memory");
	}
	options.id = p->id;
	if (fc_metrics_new(p->id, &p->metrics, e) < 0 ||
	    firecracker_new(&options, &p->api, e) < 0) {
		(void)fc_process_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

int fc_process_new(const char *id, struct fc_process **out, struct verr *e)
{
	return make(id, 0, out, e);
}

struct fc_process *fc_process_free(struct fc_process *p)
{
	if (p != NULL) {
		p->api = firecracker_free(p->api);
		p->metrics = fc_metrics_free(p->metrics);
		free(p);
	}
	return NULL;
}

/* --- the command line --- */

bool fc_process_is_called(const char *argv0)
{
	return fc_args_is_ours(argv0);
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* How long it took to get here, by what the jailer or another parent says of the time before. */
static void store_startup(struct fc_process *p, const struct fc_args *c)
{
	if (c->start_time_us.given)
		fc_metrics_store(p->metrics, FC_STARTUP_TIME_US,
				 clock_us(CLOCK_MONOTONIC) - c->start_time_us.value);
	if (c->start_time_cpu_us.given)
		fc_metrics_store(p->metrics, FC_STARTUP_CPU_TIME_US,
				 clock_us(CLOCK_PROCESS_CPUTIME_ID) - c->start_time_cpu_us.value +
					 c->parent_cpu_time_us.value);
}

static int open_outputs(struct fc_process *p, const struct fc_args *c, struct verr *e)
{
	const struct firecracker_logger logger = {.path = c->log_path,
						  .level = c->level,
						  .module = c->module,
						  .show_level = c->show_level,
						  .show_origin = c->show_log_origin};
	const struct firecracker_metrics metrics = {.path = c->metrics_path};

	if (fc_logger_new(c->id, &p->logger, e) < 0)
		return -1;
	fc_logger_begin(p->logger);
	if (fc_logger_set(p->logger, &logger, e) < 0)
		return verr_note(e, "Could not initialize logger");
	log_info(LOG_MAIN, "Running Firecracker v%s (Volt %s)", FIRECRACKER_VERSION, VOLT_VERSION);
	if (c->boot_timer)
		log_warn(LOG_MAIN, "--boot-timer: there is no such device");
	if (c->metrics_path != NULL && fc_metrics_open(p->metrics, &metrics, e) < 0)
		return verr_note(e, "Could not initialize metrics");
	store_startup(p, c);
	return 0;
}

static int configure_from_file(struct fc_process *p, const char *path, struct config *config,
			       struct verr *e)
{
	if (fc_config_file_load(p->api, path, e) < 0)
		return -1;
	return firecracker_configure(p->api, config, e) < 0 || config_check(config, e) < 0
		       ? verr_note(e, "--config-file %s", path)
		       : 0;
}

int fc_process_start(int argc, char *argv[], struct config *config, struct fc_process **out)
{
	struct verr e = VERR_INIT;
	struct fc_args c;

	if (fc_args_parse(&c, argc, argv, &e) < 0) {
		(void)verr_note(&e, "Arguments parsing error");
		return fc_process_report(*out, &e, FC_BAD_ARGUMENTS);
	}
	if (c.help || c.version) {
		if (c.help)
			fc_args_print_help();
		else
			fc_args_print_version();
		return FC_OK;
	}
	if (fc_args_apply(&c, config, &e) < 0)
		return fc_process_report(*out, &e, FC_BAD_ARGUMENTS);
	if (c.level != NULL && fc_logger_check_level(c.level, &e) < 0)
		return fc_process_report(*out, &e, FC_BAD_CONFIGURATION);
	if (make(c.id, c.payload_max.value, out, &e) < 0 || open_outputs(*out, &c, &e) < 0)
		return fc_process_report(*out, &e, FC_FAILED);
	if (c.config_file != NULL && configure_from_file(*out, c.config_file, config, &e) < 0)
		return fc_process_report(*out, &e, FC_BAD_CONFIGURATION);
	return -1;
}

/* --- the rest of its life --- */

bool fc_process_logs(const struct fc_process *p)
{
	return p != NULL && p->logger != NULL;
}

const struct api_personality *fc_process_api(const struct fc_process *p)
{
	return firecracker_personality(p->api);
}

int fc_process_configure(const struct fc_process *p, struct config *config, struct verr *e)
{
	return firecracker_configure(p->api, config, e);
}

const char *fc_process_memory(const struct fc_process *p)
{
	return p != NULL ? firecracker_memory(p->api) : NULL;
}

int fc_process_restored(const struct fc_process *p, struct config *config, struct verr *e)
{
	return firecracker_restored(p->api, config, e);
}

int fc_process_run(struct fc_process *p, struct loop *loop, const struct machine *machine,
		   struct verr *e)
{
	p->machine = machine;
	return fc_metrics_start(p->metrics, loop, machine, e);
}

void fc_process_stop(struct fc_process *p, int deadly_signal)
{
	fc_metrics_store(p->metrics, FC_SIGHUP, deadly_signal == SIGHUP);
	fc_metrics_write(p->metrics);
	fc_metrics_stop(p->metrics);
	p->machine = NULL;
}

void fc_process_report_metrics(const struct fc_process *p)
{
	fc_metrics_write(p->metrics);
}

/* Firecracker cannot tell a panic or a triple fault from a reboot: all of them are resets. */
int fc_process_status(const struct machine *machine)
{
	switch (machine_end(machine)) {
	case MACHINE_POWEROFF:
	case MACHINE_REBOOT:
	case MACHINE_PANIC:
	case MACHINE_TRIPLE_FAULT:
		return FC_OK;
	case MACHINE_RUNS:
	case MACHINE_STOPPED:
	case MACHINE_FAILED:
	case MACHINE_ENDS:
	default:
		return FC_FAILED;
	}
}

int fc_process_report(const struct fc_process *p, const struct verr *fault, enum fc_status status)
{
	char text[VERR_TEXT];

	fprintf(stderr, "Error: %s\n", verr_printable(fault, text));
	if (fc_process_logs(p)) {
		log_error(LOG_MAIN, "%s", text);
		log_error(LOG_MAIN, "exiting with status %d", status);
	}
	return (int)status;
}
