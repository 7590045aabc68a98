/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU's thread: enter the guest, answer its exit, again. */
#include <stdio.h>
#include <string.h>

#include "base/sys.h"
#include "base/thread.h"
#include "vmm/machine/internal.h"

#define APIC_EXTINT 7 /* delivery mode: the vector comes from an 8259 */

void timeline_mark(struct machine *m, enum timeline_point point)
{
	m->timeline.ns[point] = sys_now_ns();
}

static void fail(struct vcpu *v, const struct verr *fault)
{
	struct machine *m = v->machine;
	int none = MACHINE_RUNS;

	if (!atomic_compare_exchange_strong(&m->end, &none, MACHINE_FAILED))
		return;
	m->end_fault = *fault;
	(void)verr_note(&m->end_fault, "vCPU %u", v->id);
	loop_wake(&m->ended);
}

bool machine_set_end(struct machine *m, enum machine_end end)
{
	int none = MACHINE_RUNS;

	if (!atomic_compare_exchange_strong(&m->end, &none, (int)end))
		return false;
	loop_wake(&m->ended);
	return true;
}

/*
 * A kernel that reboots in order masks every interrupt of the I/O APIC first, but for the 8259s'
 * that it hands back to a BIOS; one that panics or is reset by force leaves them as they were.
 */
static enum machine_end kind_of_reset(struct machine *m)
{
	struct kvm_ioapic_state ioapic;
	struct verr e = VERR_INIT;

	if (atomic_load(&m->panicked))
		return MACHINE_PANIC;
	if (kvm_vm_get_ioapic(&m->vm, &ioapic, &e) < 0)
		return MACHINE_REBOOT;
	for (size_t pin = 0; pin < ARRAY_LEN(ioapic.redirtbl); pin++)
		if (!ioapic.redirtbl[pin].fields.mask &&
		    ioapic.redirtbl[pin].fields.delivery_mode != APIC_EXTINT)
			return MACHINE_PANIC;
	return MACHINE_REBOOT;
}

/* KVM_EXIT_IO: `count` accesses of `size` bytes, their data in the shared page. */
static void handle_io(struct vcpu *v)
{
	struct kvm_run *run = v->kvm.run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	uint8_t size = run->io.size;

	if (run->io.direction == KVM_EXIT_IO_IN)
		counter_add(&v->port_reads, 1);
	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		if (run->io.direction == KVM_EXIT_IO_OUT)
			bus_out(&v->machine->ports, run->io.port, data, size);
		else
			bus_in(&v->machine->ports, run->io.port, data, size);
	}
	if (atomic_load_explicit(&v->machine->reset, memory_order_relaxed))
		(void)machine_set_end(v->machine, kind_of_reset(v->machine));
}

/* Where nothing answers on the memory bus reads see all ones, as on a PC. */
static void handle_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->kvm.run;
	uint32_t len = MIN(run->mmio.len, sizeof(run->mmio.data));

	if (!run->mmio.is_write)
		counter_add(&v->memory_reads, 1);
	if (virtio_access(v->machine, run->mmio.phys_addr, run->mmio.data, len, run->mmio.is_write))
		return;
	if (!run->mmio.is_write)
		for (size_t i = 0; i < sizeof(run->mmio.data); i++)
			run->mmio.data[i] = 0xFF;
}

/* KVM stopped for good on this vCPU: say why and end the machine. */
static void handle_unexpected(struct vcpu *v)
{
	struct verr e = VERR_INIT;

	switch (v->kvm.run->exit_reason) {
	case KVM_EXIT_INTERNAL_ERROR:
		(void)explain_internal_error(v, &e);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		(void)explain_fail_entry(v, &e);
		break;
	default:
		(void)verr_host(&e, "KVM gave exit %u (%s), which this program does not know",
				v->kvm.run->exit_reason, kvm_exit_name(v->kvm.run->exit_reason));
		break;
	}
	fail(v, &e);
}

static void handle_exit(struct vcpu *v)
{
	uint32_t reason = v->kvm.run->exit_reason;

	counter_add(&v->exits[MIN(reason, KVM_EXIT_REASONS - 1U)], 1);
	switch (reason) {
	case KVM_EXIT_IO:
		handle_io(v);
		break;
	case KVM_EXIT_MMIO:
		handle_mmio(v);
		break;
	case KVM_EXIT_SHUTDOWN:
		(void)machine_set_end(v->machine, MACHINE_TRIPLE_FAULT);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	default:
		handle_unexpected(v);
		break;
	}
}

static void wait_for_release(struct machine *m)
{
	(void)pthread_mutex_lock(&m->park_lock);
	while (!m->released)
		(void)pthread_cond_wait(&m->park_cond, &m->park_lock);
	(void)pthread_mutex_unlock(&m->park_lock);
}

/*
 * KVM ends the access that the guest has left for only when it is entered again (api.rst,
 * KVM_EXIT_IO): until then registers are those of before. With immediate_exit set that is all it
 * does.
 */
static void finish_access(struct vcpu *v)
{
	__atomic_store_n(&v->kvm.run->immediate_exit, 1, __ATOMIC_RELEASE);
	while (kvm_vcpu_run(&v->kvm) == KVM_RUN_EXIT)
		handle_exit(v);
}

/* Stand still for as long as the machine is paused, and be able to enter the guest again. */
static void stand_still(struct vcpu *v)
{
	struct machine *m = v->machine;

	finish_access(v);
	(void)pthread_mutex_lock(&m->park_lock);
	m->stopped++;
	(void)pthread_cond_signal(&m->stopped_cond);
	while (atomic_load(&m->paused) && !atomic_load(&m->quit))
		(void)pthread_cond_wait(&m->park_cond, &m->park_lock);
	m->stopped--;
	if (!atomic_load(&m->quit))
		__atomic_store_n(&v->kvm.run->immediate_exit, 0, __ATOMIC_RELEASE);
	(void)pthread_mutex_unlock(&m->park_lock);
}

/* A pause need not wait for a thread that has left. */
static void *leave(struct machine *m)
{
	(void)pthread_mutex_lock(&m->park_lock);
	m->stopped++;
	(void)pthread_cond_signal(&m->stopped_cond);
	(void)pthread_mutex_unlock(&m->park_lock);
	return NULL;
}

void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	struct machine *m = v->machine;
	struct verr e = VERR_INIT;
	char name[16];

	(void)snprintf(name, sizeof(name),
		       m->config->personality == CONFIG_PERSONALITY_FIRECRACKER ? "fc_vcpu %u"
										: "vcpu %u",
		       v->id);
	thread_set_name(name);
	sandbox_filter_thread(m->sandbox, SANDBOX_VCPU);
	wait_for_release(m);
	if (v->id == 0)
		timeline_mark(m, TIMELINE_RUN);
	while (!atomic_load_explicit(&m->quit, memory_order_relaxed)) {
		if (atomic_load_explicit(&m->paused, memory_order_relaxed)) {
			stand_still(v);
			continue;
		}
		switch (kvm_vcpu_run(&v->kvm)) {
		case KVM_RUN_EXIT:
			handle_exit(v);
			break;
		case KVM_RUN_INTERRUPTED:
			break;
		case KVM_RUN_FAILED:
			(void)explain_run_error(errno, &e);
			fail(v, &e);
			return leave(m);
		}
		if (atomic_load_explicit(&m->end, memory_order_relaxed) != MACHINE_RUNS)
			break;
	}
	return leave(m);
}
