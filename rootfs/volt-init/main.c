/* SPDX-License-Identifier: Apache-2.0 */
/*
 * volt-init, PID 1 of a guest. Theory of operation:
 *
 * The kernel panics when PID 1 ends, so nothing here exits. A start that fails says one line,
 * reports status 125 and goes the same way out as every other: stop all processes, sync, unmount,
 * power off. What is merely missing (a file system that the kernel does not have) costs a line, not
 * the start.
 *
 * One thread, one child of its own (the workload), and a loop that takes one signal at a time;
 * there is no handler but for volt-init's own faults. Nothing is allocated: strings stay where they
 * were read. When all goes well it prints nothing; volt.debug on the kernel command line says each
 * step.
 *
 * As /init of an initramfs, with root= on the command line, it only leads on to the root disk
 * (initrd.h), on which the init is usually volt-init again.
 *
 * The order below is the order of need: each line uses only what those above it have set up.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contract/workload.h"
#include "rootfs/volt-init/config.h"
#include "rootfs/volt-init/console.h"
#include "rootfs/volt-init/crash.h"
#include "rootfs/volt-init/decode.h"
#include "rootfs/volt-init/file.h"
#include "rootfs/volt-init/fstab.h"
#include "rootfs/volt-init/hostname.h"
#include "rootfs/volt-init/initctl.h"
#include "rootfs/volt-init/initrd.h"
#include "rootfs/volt-init/loopback.h"
#include "rootfs/volt-init/mounts.h"
#include "rootfs/volt-init/network.h"
#include "rootfs/volt-init/options.h"
#include "rootfs/volt-init/port.h"
#include "rootfs/volt-init/power.h"
#include "rootfs/volt-init/rootdisk.h"
#include "rootfs/volt-init/say.h"
#include "rootfs/volt-init/signals.h"
#include "rootfs/volt-init/spawn.h"
#include "rootfs/volt-init/stop.h"
#include "rootfs/volt-init/supervise.h"
#include "rootfs/volt-init/swap.h"
#include "rootfs/volt-init/unmount.h"
#include "rootfs/volt-init/user.h"
#include "rootfs/volt-init/workload.h"

struct init {
	struct port port;
	struct options options;
	bool cmdline_known;
	struct workload workload;
	struct workload_defaults defaults;
	struct user user;
	struct run run;
	int initctl;
};

static void read_options(struct init *init)
{
	size_t size;
	char *line = file_read("/proc/cmdline", OPTIONS_LINE, &size);

	init->options = (struct options){0};
	init->cmdline_known = line != NULL;
	if (line)
		options_parse(&init->options, line);
	else
		say("cannot read /proc/cmdline: %s", strerror(errno));
}

/*
 * The words after "--". The kernel hands them to PID 1 as arguments, but after every word before
 * "--" that it did not know itself ("splash"), so its command line is asked first.
 */
static int take_command(struct init *init, char **argv, struct why *why)
{
	char *word;

	if (!init->cmdline_known) {
		for (argv++; *argv; argv++) {
			if (decode_word(*argv, &init->workload, why) < 0)
				return why_note(why, "arguments");
		}
		return 0;
	}
	while (init->options.workload && (word = options_word(&init->options.workload))) {
		if (decode_word(word, &init->workload, why) < 0)
			return why_note(why, "command line after \"--\"");
	}
	return 0;
}

/* What this start asks for goes over what the image says. */
static int take_options(struct workload *workload, const struct options *options, struct why *why)
{
	if (options->cwd && options->cwd[0] != '/')
		return why_set(why, "volt.cwd=%.128s: not an absolute path", options->cwd);
	if (options->cwd)
		workload->cwd = options->cwd;
	if (options->user)
		workload->user = options->user;
	return 0;
}

static int take_env(struct workload *workload, const struct options *options, struct why *why)
{
	for (size_t i = 0; i < options->envc; i++) {
		if (workload_put_env(workload, options->env[i], why) < 0)
			return why_note(why, "volt.env");
	}
	return 0;
}

/* What to run and as whom: this start's command, else the image's, else a shell. */
static int find_workload(struct init *init, char **argv, struct why *why)
{
	struct workload *workload = &init->workload;
	struct config config = {.workload = workload};

	workload_init(workload);
	if (take_command(init, argv, why) < 0 || config_load(&config, CONFIG_PATH, why) < 0)
		return -1;
	hostname_set(init->options.hostname, config.hostname);
	if (take_options(workload, &init->options, why) < 0)
		return -1;
	if (workload->argc == 0 && workload_add_shell(workload, why) < 0)
		return -1;
	if (user_find(&init->user, workload->user, why) < 0 ||
	    workload_put_environ(workload, environ, why) < 0 ||
	    take_env(workload, &init->options, why) < 0)
		return -1;
	return workload_add_defaults(workload, &init->defaults, init->user.home, why);
}

/* Enough to read what is wanted and to talk on the console. */
static void set_up_first(struct init *init)
{
	(void)umask(0); /* modes of the tables are meant as they stand */
	mounts_make_first();
	console_open();
	read_options(init);
	say_step(init->options.debug, "started");
}

static void set_up_rest(struct init *init)
{
	bool debug = init->options.debug;

	/* First: what can be written to decides what is mounted. */
	rootdisk_remount(&init->options);
	mounts_make_rest(debug);
	(void)umask(022);
	fstab_mount(debug);
	loopback_up(debug);
	network_up(&init->options);
	power_claim_keys(debug);
	console_claim();
	init->initctl = initctl_open();
	if (init->initctl < 0)
		say_step(debug, "no /run/initctl: %s", strerror(errno));
}

/* Runs the workload to its end, or until someone asks for the machine's. */
static enum ending run_workload(struct init *init, char **argv)
{
	struct why why;

	init->run = (struct run){.status = VOLT_STATUS_FAILED};
	if (find_workload(init, argv, &why) < 0 ||
	    spawn_workload(&init->run, &init->workload, &init->user, &init->port, &why) < 0) {
		say("%s", why.text);
		init->run.ended = true;
		return ENDING_POWER_OFF;
	}
	say_step(init->options.debug, "process %d runs %s", init->run.pid, init->workload.argv[0]);
	return supervise(&init->run, init->initctl);
}

static void report(const struct init *init)
{
	say_step(init->options.debug, "the workload's status is %d", init->run.status);
	port_status(&init->port, init->run.status);
}

/* Hands over to the init on the root disk; where that fails, it is as a workload that failed. */
static enum ending go_on(struct init *init, char **argv)
{
	struct why why;

	(void)initrd_go(&init->options, argv, &init->port, &why);
	say("%s", why.text);
	init->run = (struct run){.status = VOLT_STATUS_FAILED, .ended = true};
	return ENDING_POWER_OFF;
}

_Noreturn static void shut_down(struct init *init, enum ending ending)
{
	bool debug = init->options.debug;
	bool ended = init->run.ended;

	port_mark(&init->port, VOLT_MARK_DONE);
	/* At once where it is known: the monitor may lose patience with what comes after. */
	if (ended)
		report(init);
	stop_processes(&init->run, debug);
	if (!ended) {
		/* Not ended even by a kill: a device holds it. */
		if (!init->run.ended)
			init->run.status = VOLT_STATUS_SIGNAL + SIGKILL;
		report(init);
	}
	ending = power_possible(ending);
	if (!debug)
		power_hush();
	sync();
	swap_off_all(debug);
	unmount_all(debug);
	say_step(debug, ending == ENDING_RESTART ? "restart" : "power off");
	console_drain();
	power_end(ending);
}

int main(int argc, char **argv)
{
	struct init init;

	(void)argc;
	if (getpid() != 1) {
		say("runs only as PID 1, started by the kernel");
		return VOLT_STATUS_FAILED;
	}
	port_open(&init.port);
	port_mark(&init.port, VOLT_MARK_INIT);
	crash_guard();
	signals_block();
	set_up_first(&init);
	if (initrd_leads_on(&init.options, argv))
		shut_down(&init, go_on(&init, argv));
	set_up_rest(&init);
	shut_down(&init, run_workload(&init, argv));
}
