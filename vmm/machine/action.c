/* SPDX-License-Identifier: Apache-2.0 */
/* What can be done to a running machine, each verb once; and how it ended. */
#include "contract/workload.h"
#include "vmm/machine/internal.h"

void tell(struct machine *m, enum machine_event event, const char *device)
{
	if (m->listener.fn != NULL)
		m->listener.fn(m->listener.arg, event, device);
}

void machine_listen(struct machine *m, const struct machine_listener *listener)
{
	m->listener = *listener;
}

static void on_ended(void *arg)
{
	struct machine *m = arg;

	loop_stop(m->loop);
}

/* How long a kernel that has panicked may go on printing before it must reset. */
#define PANIC_GRACE_US 1000000

static void on_panic(void *arg)
{
	struct machine *m = arg;

	tell(m, MACHINE_EVENT_PANIC, NULL);
	loop_timer_arm(&m->panic_timer, PANIC_GRACE_US);
}

static void on_panic_timeout(void *arg)
{
	(void)machine_set_end(arg, MACHINE_PANIC);
}

/* How often listeners hear of trouble, which a guest can make as much of as it likes. */
#define TROUBLE_PACE_US 100000

static void on_trouble(void *arg)
{
	virtio_tell_trouble(arg);
}

static void on_alarm(void *arg)
{
	struct machine *m = arg;

	loop_timer_arm(&m->trouble_timer, TROUBLE_PACE_US);
}

static void on_stop_timeout(void *arg)
{
	struct machine *m = arg;

	log_warn(LOG_MACHINE, "the guest has not shut down within %u s: ended by force",
		 m->config->stop_timeout);
	machine_kill(m);
}

int machine_arm(struct machine *m, struct verr *e)
{
	if (loop_wake_init(&m->ended, m->loop, on_ended, m, e) < 0 ||
	    loop_wake_init(&m->panic, m->loop, on_panic, m, e) < 0 ||
	    loop_wake_init(&m->alarm, m->loop, on_alarm, m, e) < 0 ||
	    loop_timer_init(&m->stop_timer, m->loop, on_stop_timeout, m, e) < 0 ||
	    loop_timer_init(&m->trouble_timer, m->loop, on_trouble, m, e) < 0 ||
	    loop_timer_init(&m->panic_timer, m->loop, on_panic_timeout, m, e) < 0 ||
	    console_start(m->console, m->serial, e) < 0)
		return -1;
	return 0;
}

static void go_on(struct machine *m)
{
	for (size_t i = 0; i < m->nvirtio; i++)
		vdev_resume(m->virtio[i].dev);
	vcpus_resume(m);
}

int machine_run(struct machine *m, struct verr *e)
{
	if (console_pty_name(m->console) != NULL)
		log_warn(LOG_CONSOLE, "the guest's console is %s", console_pty_name(m->console));
	if (sandbox_filter_main(m->sandbox, e) < 0)
		return -1;
	if (m->sandbox != NULL)
		sandbox_log(m->sandbox);
	m->started = true;
	if (m->goes_on)
		go_on(m);
	vcpus_release(m);
	tell(m, MACHINE_EVENT_STARTED, NULL);
	if (loop_run(m->loop, e) < 0)
		return -1;
	vcpus_stop(m);
	console_finish(m->console);
	tell(m, MACHINE_EVENT_ENDED, NULL);
	if (machine_end(m) == MACHINE_FAILED) {
		*e = m->end_fault;
		return -1;
	}
	return 0;
}

int machine_pause(struct machine *m, struct verr *e)
{
	if (m != NULL && m->held)
		return verr_state(e, "a snapshot of the machine is being made");
	if (machine_state(m) != MACHINE_RUNNING)
		return verr_state(e, "the machine is %s, so it cannot be paused",
				  machine_state_name(machine_state(m)));
	vcpus_pause(m);
	for (size_t i = 0; i < m->nvirtio; i++)
		vdev_pause(m->virtio[i].dev);
	log_info(LOG_MACHINE, "paused");
	tell(m, MACHINE_EVENT_PAUSED, NULL);
	return 0;
}

static void resume(struct machine *m)
{
	go_on(m);
	log_info(LOG_MACHINE, "resumed");
	tell(m, MACHINE_EVENT_RESUMED, NULL);
}

int machine_resume(struct machine *m, struct verr *e)
{
	if (m != NULL && m->held)
		return verr_state(e, "a snapshot of the machine is being made");
	if (machine_state(m) != MACHINE_PAUSED)
		return verr_state(e, "the machine is %s, so it cannot be resumed",
				  machine_state_name(machine_state(m)));
	resume(m);
	return 0;
}

enum machine_state machine_state(const struct machine *m)
{
	if (m == NULL)
		return MACHINE_NOT_STARTED;
	if (machine_end(m) != MACHINE_RUNS)
		return MACHINE_ENDED;
	if (!m->started)
		return MACHINE_NOT_STARTED;
	return atomic_load(&m->paused) ? MACHINE_PAUSED : MACHINE_RUNNING;
}

const char *machine_state_name(enum machine_state state)
{
	static const char *const names[] = {
		[MACHINE_NOT_STARTED] = "not-started",
		[MACHINE_RUNNING] = "running",
		[MACHINE_PAUSED] = "paused",
		[MACHINE_ENDED] = "ended",
	};

	return names[state];
}

const char *machine_event_name(enum machine_event event)
{
	static const char *const names[] = {
		[MACHINE_EVENT_STARTED] = "started",
		[MACHINE_EVENT_PAUSED] = "paused",
		[MACHINE_EVENT_RESUMED] = "resumed",
		[MACHINE_EVENT_STOPPING] = "stopping",
		[MACHINE_EVENT_PANIC] = "panic",
		[MACHINE_EVENT_NEEDS_RESET] = "needs-reset",
		[MACHINE_EVENT_DEVICE_ERROR] = "device-error",
		[MACHINE_EVENT_ENDED] = "ended",
	};
	_Static_assert(ARRAY_LEN(names) == MACHINE_EVENTS, "every event has a name");

	return names[event];
}

void machine_stop(struct machine *m)
{
	if (m->held) {
		log_info(LOG_MACHINE, "a snapshot is being made: ended by force");
		machine_kill(m);
		return;
	}
	if (machine_state(m) == MACHINE_PAUSED)
		resume(m);
	if (m->stopping) {
		log_info(LOG_MACHINE, "asked twice: ended by force");
		machine_kill(m);
	} else if (m->config->stop_timeout == 0 || !i8042_ctrl_alt_del(m->i8042)) {
		log_info(LOG_MACHINE,
			 "nobody in the guest listens for Ctrl-Alt-Del: ended by force");
		machine_kill(m);
	} else {
		log_info(LOG_MACHINE, "asked the guest to shut down by Ctrl-Alt-Del");
		m->stopping = true;
		tell(m, MACHINE_EVENT_STOPPING, NULL);
		loop_timer_arm(&m->stop_timer, m->config->stop_timeout * 1000000ULL);
	}
}

void machine_ctrl_alt_del(struct machine *m)
{
	if (!i8042_ctrl_alt_del(m->i8042))
		log_info(LOG_MACHINE, "nobody in the guest listens for Ctrl-Alt-Del");
}

void machine_kill(struct machine *m)
{
	(void)machine_set_end(m, MACHINE_STOPPED);
}

enum machine_end machine_end(const struct machine *m)
{
	return (enum machine_end)atomic_load(&m->end);
}

const char *machine_end_text(enum machine_end end)
{
	static const char *const texts[] = {
		[MACHINE_RUNS] = "the machine runs",
		[MACHINE_POWEROFF] = "the guest powered off",
		[MACHINE_REBOOT] = "the guest rebooted",
		[MACHINE_PANIC] = "the guest's kernel panicked",
		[MACHINE_TRIPLE_FAULT] = "the guest's processor took a triple fault",
		[MACHINE_STOPPED] = "the machine was ended by force",
		[MACHINE_FAILED] = "the host failed",
	};
	_Static_assert(ARRAY_LEN(texts) == MACHINE_ENDS, "every end has a text");

	return (size_t)end < ARRAY_LEN(texts) ? texts[end] : "unknown";
}

int machine_exit_status(const struct machine *m)
{
	enum machine_end end = machine_end(m);
	bool orderly = end == MACHINE_POWEROFF || end == MACHINE_REBOOT;
	uint8_t status;

	if (m->config->workload == NULL)
		return orderly ? 0 : 1;
	return orderly && report_status(m->report, &status) ? status : VOLT_STATUS_FAILED;
}

struct console *machine_console(struct machine *m)
{
	return m != NULL ? m->console : NULL;
}
