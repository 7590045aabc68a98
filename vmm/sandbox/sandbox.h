/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox: what is left of volt-vmm's rights by the time a guest runs. Theory of operation.
 *
 * Whoever breaks out of the guest runs code in one of our threads, with all of its memory and
 * descriptors. Everything that the machine needs is open by then, so nearly every right can go. The
 * layers, each of which stops by itself what docs/threat-model.md says it does:
 *
 *	namespaces    an empty, read-only root; no network, no System V IPC, no host name; nobody's ids
 *	landlock      no path, no TCP port, no abstract socket, no signal to another process
 *	capabilities  none, and no way to any: bounding set, ambient set, securebits, no_new_privs
 *	limits        no more descriptors, no core, no file beyond the largest disk; no environment
 *	seccomp       per thread, the calls that its code makes (profile.def); any other one kills
 *
 * The order: sandbox_begin() while nothing is open (a PID namespace needs a fork, which KVM's
 * descriptors do not survive); sandbox_enter() once everything is and while there is one thread;
 * then the other threads, each of which begins with sandbox_filter(), and the main thread last.
 * Mounts come before Landlock, which forbids them, capabilities after all that needs one.
 *
 * A layer that the host refuses is left out with one line in the log, unless --sandbox-require
 * names it. What is reported is read back from the kernel, not what was asked for.
 */
#ifndef VOLT_VMM_SANDBOX_SANDBOX_H
#define VOLT_VMM_SANDBOX_SANDBOX_H

#include <signal.h>
#include <ucontext.h>
#include <stdio.h>

#include "base/verr.h"
#include "vmm/config/config.h"

struct sandbox;

/* Which profile a thread has. */
enum sandbox_thread {
	SANDBOX_MAIN,
	SANDBOX_VCPU,
	SANDBOX_WORKER,
	SANDBOX_SNAPSHOT, /* makes snapshots: only with --snapshot-dir */
	SANDBOX_WAITING,  /* the main one, while it waits to be configured: preboot.def */
	SANDBOX_THREADS,
};

/*
 * Before anything is opened: the cgroup, the network namespace and the PID namespace are entered.
 * `config` is borrowed. Returns 1 in the parent that --new-pid-ns leaves behind, once its child has
 * ended: `*status` is then the process's.
 */
V_MUST_CHECK int sandbox_begin(const struct config *config, struct sandbox **out, int *status,
			       struct verr *e);
struct sandbox *sandbox_free(struct sandbox *sandbox); /* accepts NULL, returns NULL */

/* While the API waits for a configuration: no_new_privs, and a filter of what is never done. */
V_MUST_CHECK int sandbox_wait(struct sandbox *sandbox, struct verr *e);

/*
 * With the configuration complete, before anything of the machine is opened: the cgroup and the
 * network namespace are entered, the folders of --live-dir and --snapshot-dir opened. May be tried
 * again after a fault.
 */
V_MUST_CHECK int sandbox_prepare(struct sandbox *sandbox, struct verr *e);

/* In the sandbox files may be removed from this folder (O_PATH, borrowed); one can be named. */
void sandbox_keep_folder(struct sandbox *sandbox, int fd);

/* In the sandbox there is room for so many more descriptors. */
void sandbox_reserve(struct sandbox *sandbox, unsigned descriptors);

/*
 * Open an existing file: by its path before the sandbox is entered (and without one), later only
 * beneath a folder of --live-dir, through no link. Returns the descriptor (close-on-exec) or -1.
 */
V_MUST_CHECK int sandbox_open(const struct sandbox *sandbox, const char *path, int flags,
			      struct verr *e);
bool sandbox_can_open(const struct sandbox *sandbox, const char *path);

/*
 * Open the folder in which `path`, a snapshot's, is or will be: by its path without a sandbox, in
 * one only beneath a folder of --snapshot-dir, through no link. `*name` is what it is called there,
 * a part of `path`. Returns the descriptor (close-on-exec) or -1.
 */
V_MUST_CHECK int sandbox_open_snapshots(const struct sandbox *sandbox, const char *path,
					const char **name, struct verr *e);

/* All layers but seccomp. In the only thread, with everything open. */
V_MUST_CHECK int sandbox_enter(struct sandbox *sandbox, struct verr *e);

/*
 * The calling thread's filter: its first act; of the main thread, after all others exist. A thread
 * other than the main one cannot be without: the process ends then. NULL: no sandbox.
 */
V_MUST_CHECK int sandbox_filter_main(struct sandbox *sandbox, struct verr *e);
void sandbox_filter_thread(struct sandbox *sandbox, enum sandbox_thread thread);

#define SANDBOX_TEXT 512

/*
 * Which layers are in force ("seccomp; namespaces: user mount"), and what of the wanted ones the
 * host refuses, and why. Either may be empty. After sandbox_filter_main().
 */
void sandbox_describe(const struct sandbox *sandbox, char in_force[static SANDBOX_TEXT],
		      char refused[static SANDBOX_TEXT]);

/* Log it. */
void sandbox_log(const struct sandbox *sandbox);

/* The name of part `index` of the layers, and whether it is in force; NULL behind the last. */
const char *sandbox_part(const struct sandbox *sandbox, size_t index, bool *in_force);

/* The same as a JSON object. */
void sandbox_write_metrics(const struct sandbox *sandbox, FILE *out);

/*
 * In a handler of SIGSYS: log which thread made which call, if a filter was the reason. Safe in a
 * signal handler.
 */
void sandbox_explain(const siginfo_t *info, const ucontext_t *context);

/* Die of SIGSYS; returns in a thread that has no filter. */
void sandbox_die(void);

#endif
