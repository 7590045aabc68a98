/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine: built, run and ended once. Everything here belongs to the thread that runs
 * the loop.
 *
 *	machine_new()   opens what the guest is made of; creates nothing
 *	machine_build() the boot story, all but the first instruction (build.c)
 *	machine_run()   the guest runs; the loop serves its devices until the machine ends
 *	machine_free()  stop, join, close
 */
#ifndef VOLT_VMM_MACHINE_MACHINE_H
#define VOLT_VMM_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/loop.h"
#include "base/metrics.h"
#include "vmm/config/config.h"

struct machine;
struct sandbox;
struct console;
struct state_reader;
struct state_writer;

/* Why a machine ended; the first cause counts. */
enum machine_end {
	MACHINE_RUNS,
	MACHINE_POWEROFF, /* the guest powered off */
	MACHINE_REBOOT,   /* the guest reset the machine after shutting down */
	MACHINE_PANIC,    /* the guest's kernel reported a panic, or reset without shutting down */
	MACHINE_TRIPLE_FAULT, /* the processor gave up */
	MACHINE_STOPPED,      /* ended by us, at the user's word */
	MACHINE_FAILED,       /* KVM or the host failed */
	MACHINE_ENDS,
};

/* What happens to a machine, in the order in which it does. */
enum machine_event {
	MACHINE_EVENT_STARTED,
	MACHINE_EVENT_PAUSED,
	MACHINE_EVENT_RESUMED,
	MACHINE_EVENT_STOPPING,     /* the guest has been asked to shut down */
	MACHINE_EVENT_PANIC,        /* the guest's kernel said so */
	MACHINE_EVENT_NEEDS_RESET,  /* a driver broke a rule; `device` stopped */
	MACHINE_EVENT_DEVICE_ERROR, /* the host failed `device`; once, until it is told */
	MACHINE_EVENT_ENDED,        /* machine_end() says how */
	MACHINE_EVENTS,
};

/* "needs-reset" */
const char *machine_event_name(enum machine_event event);

/* `device`, "disk rootfs", only where the event is one of a device; else NULL. Borrowed. */
struct machine_listener {
	void (*fn)(void *arg, enum machine_event event, const char *device);
	void *arg;
};

enum machine_state { MACHINE_NOT_STARTED, MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDED };

/* `config` (checked), `loop` and `sandbox` (begun; NULL: none) are borrowed and outlive the
 * machine. */
V_MUST_CHECK int machine_new(const struct config *config, struct loop *loop,
			     struct sandbox *sandbox, struct machine **out, struct verr *e);

/* Once; after a fault the machine can only be freed. */
V_MUST_CHECK int machine_build(struct machine *machine, struct verr *e);

/* All of it that needs no KVM: open and load every input, then let go of it. */
V_MUST_CHECK int machine_dry_run(const struct config *config, struct loop *loop, struct verr *e);

/* Run until the end. A fault only for MACHINE_FAILED. */
V_MUST_CHECK int machine_run(struct machine *machine, struct verr *e);

/* Accepts NULL and half-built machines; returns NULL. */
struct machine *machine_free(struct machine *machine);

/*
 * Ask the guest to shut down (Ctrl-Alt-Del) and end it when it has not after --stop-timeout; asked
 * again, or with nobody in the guest to hear it, end it at once. A paused machine goes on first.
 */
void machine_stop(struct machine *machine);

/* Press Ctrl-Alt-Del, whether somebody in the guest hears it or not. */
void machine_ctrl_alt_del(struct machine *machine);

/*
 * Stop the vCPUs and the devices, with what is in flight done, and let them go on. Resuming tells
 * the guest that it stood still, and its clocks have gone on. A fault: not in that state. NULL is a
 * machine that is not started.
 */
V_MUST_CHECK int machine_pause(struct machine *machine, struct verr *e);
V_MUST_CHECK int machine_resume(struct machine *machine, struct verr *e);

/*
 * Write the state of a paused machine, all but guest memory and what is on its disks: the sections
 * from VM on of vmm/state/lists.h. The machine's loop; nothing changes. A fault: not paused,
 * or the host would not tell.
 */
V_MUST_CHECK int machine_capture(struct machine *machine, struct state_writer *out, struct verr *e);

/* What the guest's clocks say when it goes on. */
enum machine_clock {
	MACHINE_CLOCK_ADVANCE, /* the time has passed since the state was taken */
	MACHINE_CLOCK_FREEZE,  /* no time has passed */
};

/*
 * In place of a kernel: give a machine that is built, with devices connected and guest memory as it
 * was, the state that another had. It is checked as if the guest had written it. The machine is
 * paused then: machine_run() lets it go on, unless `paused`, when machine_resume() does. Before
 * machine_run(). After a fault, which names what does not fit or what this host lacks, the machine
 * can only be freed.
 */
V_MUST_CHECK int machine_apply(struct machine *machine, const struct state_reader *in,
			       enum machine_clock clock, bool paused, struct verr *e);

/*
 * Build it as the state and memory of another instead of with a kernel (its configuration has
 * none). Between machine_new() and machine_build(), which uses what this borrows.
 */
struct mem_layer;
struct machine_restore {
	const struct state_reader *state;
	const struct mem_layer *layers; /* memory's files */
	size_t nlayers;
	enum machine_clock clock;
	bool paused;
};
void machine_restore_from(struct machine *machine, const struct machine_restore *restore);

/*
 * Change what is live of the disk or NIC that `old`, an object of the machine's configuration,
 * describes; `file`: its path was named. After a fault nothing has changed.
 */
V_MUST_CHECK int machine_change_drive(struct machine *machine, const struct drive_config *old,
				      const struct drive_config *changed, bool file,
				      struct verr *e);

/*
 * `fds` (borrowed), unless there are none: of changed->tap, which takes the place of the NIC's host
 * side; what `changed` says of the old one is taken out.
 */
V_MUST_CHECK int machine_change_net(struct machine *machine, const struct net_config *old,
				    struct net_config *changed, const int *fds, size_t nfds,
				    struct verr *e);

enum machine_state machine_state(const struct machine *machine); /* NULL: not started */

/* "not-started", "running", "paused", "ended" */
const char *machine_state_name(enum machine_state state);

/* Hear of events from now on, on the loop's thread; one listener. */
void machine_listen(struct machine *machine, const struct machine_listener *listener);

/* End it now. */
void machine_kill(struct machine *machine);

enum machine_end machine_end(const struct machine *machine);

/* A short sentence: "the guest powered off". */
const char *machine_end_text(enum machine_end end);

/*
 * The process's exit status for how the machine ended, by the table in README: without a workload
 * 0 or 1; with one its reported status, or VOLT_STATUS_FAILED.
 */
int machine_exit_status(const struct machine *machine);

/* One line of JSON with every counter and the time line; the end's reason included. */
void machine_write_metrics(const struct machine *machine, FILE *out);

/* The same as Prometheus's text format, version 0.0.4; of NULL only its state. */
void machine_write_prometheus(const struct machine *machine, FILE *out);

/* Counters of one object. A virtio device has two such groups: its own, then kind "virtio". */
struct machine_counter_group {
	const char *kind;  /* "disk", "net", "rng", "virtio", "serial", "i8042", "console" */
	const char *label; /* what `id` is called: "id", "device"; NULL: there is only one */
	const char *id;    /* NULL likewise; borrowed */
	struct metric_group group;
};

#define MACHINE_COUNTER_GROUPS_MAX 64

struct machine_counters {
	struct machine_counter_group all[MACHINE_COUNTER_GROUPS_MAX];
	size_t count;
};

/* Of all objects: the same ones in the same order each time. After machine_build(). */
void machine_gather_counters(const struct machine *machine, struct machine_counters *out);

/* Exits of all vCPUs that a port or a device in memory was read or written with. */
struct machine_exits {
	uint64_t port_reads, port_writes, memory_reads, memory_writes;
};

struct machine_exits machine_exits(const struct machine *machine);

/* For whoever must restore the terminal when the process dies. Borrowed; may be NULL. */
struct console *machine_console(struct machine *machine);

#endif
