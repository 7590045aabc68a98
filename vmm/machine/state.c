/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's state, to a state file and back: each part by the room that has it, here the order.
 * Processors and board come first, so that an interrupt that a device sends when it gets its state
 * finds who takes it.
 */
#include <stdlib.h>

#include "base/own.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/saved.h"
#include "vmm/machine/internal.h"
#include "vmm/state/file.h"

/* All vCPUs, without a state yet. */
static void find_cpus(struct machine *m, struct saved_cpu *cpus)
{
	for (uint32_t i = 0; i < m->ncpus; i++)
		cpus[i].vcpu = &m->vcpus[i].kvm;
}

/* --- capturing --- */

static int capture_all_cpus(struct machine *m, struct saved_cpu *cpus, struct state_writer *out,
			    struct verr *e)
{
	struct clock_state clock;
	struct saved_host host;

	if (saved_host_init(&host, &m->vm, cpus[0].vcpu, m->cpuid, true, e) < 0 ||
	    clock_capture(&m->vm, &host, cpus, m->ncpus, &clock, e) < 0)
		return -1;
	state_put(out, STATE_KIND_CLOCK, 0, &clock);
	for (uint32_t i = 0; i < m->ncpus; i++) {
		if (vcpu_capture(&cpus[i], &host, e) < 0)
			return verr_note(e, "vCPU %u", i);
		state_put(out, STATE_KIND_VCPU, i, &cpus[i].state);
	}
	return 0;
}

static int capture_cpus(struct machine *m, struct state_writer *out, struct verr *e)
{
	auto_free struct saved_cpu *cpus = calloc(m->ncpus, sizeof(*cpus));
	struct cpuid_state cpuid = {0};

	if (cpus == NULL)
		return verr_host(e, "out of memory");
	find_cpus(m, cpus);
	cpuid_capture(m->cpuid, &cpuid);
	state_put(out, STATE_KIND_CPUID, 0, &cpuid);
	return capture_all_cpus(m, cpus, out, e);
}

static int capture_board(struct machine *m, struct state_writer *out, struct verr *e)
{
	struct irqchip_state irqchip;
	struct pit_state pit;

	if (irqchip_capture(&m->vm, &irqchip, e) < 0)
		return -1;
	state_put(out, STATE_KIND_IRQCHIP, 0, &irqchip);
	if (!m->has_pit)
		return 0;
	if (pit_capture(&m->vm, &pit, e) < 0)
		return -1;
	state_put(out, STATE_KIND_PIT, 0, &pit);
	return 0;
}

static void capture_legacy(struct machine *m, struct state_writer *out)
{
	struct serial_state serial;
	struct i8042_state i8042;
	struct power_state power;
	struct report_state report;

	serial_capture(m->serial, &serial);
	i8042_capture(m->i8042, &i8042);
	power_capture(m->power, &power);
	report_capture(m->report, &report);
	state_put(out, STATE_KIND_SERIAL, 0, &serial);
	state_put(out, STATE_KIND_I8042, 0, &i8042);
	state_put(out, STATE_KIND_POWER, 0, &power);
	state_put(out, STATE_KIND_REPORT, 0, &report);
}

static void capture_virtio(struct machine *m, struct state_writer *out)
{
	struct virtio_state virtio;
	struct net_state net;

	virtio_take_acks(m);
	for (size_t i = 0; i < m->nvirtio; i++) {
		virtio_mmio_capture(&m->virtio[i], &virtio);
		state_put(out, STATE_KIND_VIRTIO, (uint32_t)i, &virtio);
	}
	for (size_t i = 0; i < m->nnics; i++) {
		net_capture(m->nics[i].net, &net);
		state_put(out, STATE_KIND_NET, (uint32_t)i, &net);
	}
}

int machine_capture(struct machine *m, struct state_writer *out, struct verr *e)
{
	struct vm_state vm;

	if (machine_state(m) != MACHINE_PAUSED)
		return verr_state(e, "the machine is %s; its state is taken while it is paused",
				  machine_state_name(machine_state(m)));
	vm = (struct vm_state){.cpus = m->ncpus,
			       .memory = mem_size(m->mem),
			       .virtio = (uint32_t)m->nvirtio,
			       .panicked = atomic_load(&m->panicked)};
	state_put(out, STATE_KIND_VM, 0, &vm);
	capture_virtio(m, out);
	capture_legacy(m, out);
	return capture_cpus(m, out, e) < 0 ? -1 : capture_board(m, out, e);
}

/* --- applying --- */

static int check_vm(struct machine *m, const struct state_reader *in, struct verr *e)
{
	struct vm_state vm;

	if (state_get(in, STATE_KIND_VM, 0, &vm, e) < 0 || saved_memory_fits(m->mem, in, e) < 0)
		return -1;
	if (vm.cpus != state_count(in, STATE_KIND_VCPU) ||
	    vm.virtio != state_count(in, STATE_KIND_VIRTIO))
		return verr_corrupt(e, "it has %u vCPUs and %u virtio devices of %u and %u",
				    state_count(in, STATE_KIND_VCPU),
				    state_count(in, STATE_KIND_VIRTIO), vm.cpus, vm.virtio);
	if (vm.cpus != m->ncpus)
		return verr_invalid(e, "this machine has %u vCPUs, and the saved one %u", m->ncpus,
				    vm.cpus);
	if (vm.memory != mem_size(m->mem))
		return verr_invalid(
			e, "this machine has %llu bytes of memory, and the saved one %llu",
			(unsigned long long)mem_size(m->mem), (unsigned long long)vm.memory);
	if (vm.virtio != m->nvirtio || state_count(in, STATE_KIND_NET) != m->nnics)
		return verr_invalid(e,
				    "this machine has %zu virtio devices (%zu NICs), and the saved "
				    "one %u (%u)",
				    m->nvirtio, m->nnics, vm.virtio,
				    state_count(in, STATE_KIND_NET));
	if ((state_count(in, STATE_KIND_PIT) > 0) != m->has_pit)
		return verr_invalid(e, "one of this machine and the saved one has a PIT");
	atomic_store(&m->panicked, vm.panicked);
	return 0;
}

static int apply_cpuid(struct machine *m, const struct state_reader *in, struct verr *e)
{
	struct cpuid_state saved;
	struct kvm_cpuid_table table;

	if (state_get(in, STATE_KIND_CPUID, 0, &saved, e) < 0 ||
	    cpuid_apply(&saved, m->cpuid, &table, e) < 0)
		return -1;
	*m->cpuid = table;
	for (uint32_t i = 0; i < m->ncpus; i++) {
		cpuid_for_vcpu(&table, i);
		if (kvm_vcpu_set_cpuid(&m->vcpus[i].kvm, &table, e) < 0)
			return verr_note(e, "vCPU %u", i);
	}
	return 0;
}

static int apply_board(struct machine *m, const struct state_reader *in, struct verr *e)
{
	struct irqchip_state irqchip;
	struct pit_state pit;

	if (state_get(in, STATE_KIND_IRQCHIP, 0, &irqchip, e) < 0 ||
	    irqchip_apply(&m->vm, &irqchip, e) < 0)
		return -1;
	if (!m->has_pit)
		return 0;
	return state_get(in, STATE_KIND_PIT, 0, &pit, e) < 0 ? -1 : pit_apply(&m->vm, &pit, e);
}

static int apply_all_cpus(struct machine *m, struct saved_cpu *cpus, const struct state_reader *in,
			  enum machine_clock how, struct verr *e)
{
	struct clock_state clock;
	struct saved_host host;

	for (uint32_t i = 0; i < m->ncpus; i++)
		if (state_get(in, STATE_KIND_VCPU, i, &cpus[i].state, e) < 0)
			return -1;
	if (saved_host_init(&host, &m->vm, cpus[0].vcpu, m->cpuid, false, e) < 0 ||
	    state_get(in, STATE_KIND_CLOCK, 0, &clock, e) < 0 ||
	    clock_apply(&m->vm, &host, cpus, m->ncpus, &clock,
			how == MACHINE_CLOCK_ADVANCE ? clock_elapsed(&clock) : 0, e) < 0 ||
	    apply_board(m, in, e) < 0)
		return -1;
	for (uint32_t i = 0; i < m->ncpus; i++)
		if (vcpu_apply(&cpus[i], &host, e) < 0)
			return verr_note(e, "vCPU %u", i);
	return 0;
}

static int apply_cpus(struct machine *m, const struct state_reader *in, enum machine_clock how,
		      struct verr *e)
{
	auto_free struct saved_cpu *cpus = calloc(m->ncpus, sizeof(*cpus));

	if (cpus == NULL)
		return verr_host(e, "out of memory");
	find_cpus(m, cpus);
	return apply_all_cpus(m, cpus, in, how, e);
}

static int apply_legacy(struct machine *m, const struct state_reader *in, struct verr *e)
{
	struct serial_state serial;
	struct i8042_state i8042;
	struct power_state power;
	struct report_state report;

	if (state_get(in, STATE_KIND_SERIAL, 0, &serial, e) < 0 ||
	    state_get(in, STATE_KIND_I8042, 0, &i8042, e) < 0 ||
	    state_get(in, STATE_KIND_POWER, 0, &power, e) < 0 ||
	    state_get(in, STATE_KIND_REPORT, 0, &report, e) < 0 ||
	    serial_apply(m->serial, &serial, e) < 0 || i8042_apply(m->i8042, &i8042, e) < 0 ||
	    power_apply(m->power, &power, e) < 0)
		return -1;
	report_apply(m->report, &report);
	return 0;
}

static int apply_virtio(struct machine *m, const struct state_reader *in, struct verr *e)
{
	struct virtio_state virtio;
	struct net_state net;

	for (size_t i = 0; i < m->nvirtio; i++)
		if (state_get(in, STATE_KIND_VIRTIO, (uint32_t)i, &virtio, e) < 0 ||
		    virtio_mmio_apply(&m->virtio[i], &virtio, e) < 0)
			return verr_note(e, "virtio device %zu", i);
	for (size_t i = 0; i < m->nnics; i++)
		if (state_get(in, STATE_KIND_NET, (uint32_t)i, &net, e) < 0 ||
		    net_apply(m->nics[i].net, &net, e) < 0)
			return verr_note(e, "NIC %zu", i);
	return 0;
}

/* There may be others that go on from the same state: the guest must know. */
static int tell_generation(struct machine *m, struct verr *e)
{
	if (!m->config->acpi)
		return 0;
	return vmgenid_write(m->mem, e) < 0 ? -1 : kvm_vm_pulse(&m->vm, LAYOUT_GSI_EVENT, e);
}

int machine_apply(struct machine *m, const struct state_reader *in, enum machine_clock clock,
		  bool paused, struct verr *e)
{
	if (check_vm(m, in, e) < 0 || apply_cpuid(m, in, e) < 0 ||
	    apply_cpus(m, in, clock, e) < 0 || apply_legacy(m, in, e) < 0 ||
	    apply_virtio(m, in, e) < 0 || tell_generation(m, e) < 0)
		return -1;
	/* No vCPU's thread is let go yet, and each looks before it enters the guest. */
	atomic_store(&m->paused, true);
	m->goes_on = !paused;
	return 0;
}
