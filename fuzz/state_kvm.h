/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state's processors and board, given to a VM that is the same for all runs: to make one takes
 * KVM longer than all else. What it refuses is a fault; what it takes, it can be asked for again.
 */
#ifndef VOLT_FUZZ_STATE_KVM_H
#define VOLT_FUZZ_STATE_KVM_H

#include <stdatomic.h>
#include <unistd.h>

#include "fuzz/virtio_fuzz.h"
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/saved.h"
#include "vmm/state/file.h"

#define BOARD_CPUS 2

struct board {
	struct kvm kvm;
	struct kvm_vm vm;
	struct kvm_vcpu vcpus[BOARD_CPUS];
	struct kvm_cpuid_table cpuid;
};

/* NULL: this host has no KVM. */
static inline struct board *board_new(void)
{
	struct board *b = calloc(1, sizeof(*b));
	const struct cpuid_facts facts = {.cpus = BOARD_CPUS};
	struct verr e = VERR_INIT;

	CHECK(b != NULL);
	b->kvm.fd = b->vm.fd = -1;
	if (access("/dev/kvm", R_OK | W_OK) < 0 || kvm_open(&b->kvm, &e) < 0) {
		free(b);
		return NULL;
	}
	CHECK(kvm_vm_create(&b->kvm, &b->vm, &e) == 0 &&
	      kvm_vm_set_tss(&b->vm, LAYOUT_KVM_TSS, &e) == 0 &&
	      kvm_vm_create_irqchip(&b->vm, &e) == 0 && kvm_vm_create_pit(&b->vm, &e) == 0 &&
	      kvm_supported_cpuid(&b->kvm, &b->cpuid, &e) == 0 &&
	      cpuid_filter(&b->cpuid, &facts, &e) == 0);
	for (uint32_t i = 0; i < BOARD_CPUS; i++) {
		CHECK(kvm_vcpu_create(&b->vm, i, &b->vcpus[i], &e) == 0);
		cpuid_for_vcpu(&b->cpuid, i);
		CHECK(kvm_vcpu_set_cpuid(&b->vcpus[i], &b->cpuid, &e) == 0);
	}
	cpuid_for_vcpu(&b->cpuid, 0);
	return b;
}

static inline struct board *board(void)
{
	static struct board *b;
	static bool tried;

	if (!tried)
		b = board_new();
	tried = true;
	return b;
}

static inline void ignore_lack(void *arg, const char *what)
{
	(void)arg;
	CHECK(what[0] != '\0');
}

static inline void board_devices(struct board *b, const struct state_reader *r)
{
	static struct irqchip_state irqchip;
	static struct pit_state pit;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_IRQCHIP, 0, &irqchip, &e) == 0 &&
	    irqchip_apply(&b->vm, &irqchip, &e) == 0)
		CHECK(irqchip_capture(&b->vm, &irqchip, &e) == 0);
	if (state_get(r, STATE_KIND_PIT, 0, &pit, &e) == 0 && pit_apply(&b->vm, &pit, &e) == 0)
		CHECK(pit_capture(&b->vm, &pit, &e) == 0);
}

/* As machine_apply() does. */
static inline void board_apply(const struct state_reader *r)
{
	static struct saved_cpu cpus[BOARD_CPUS];
	static struct saved_host host;
	struct board *b = board();
	struct clock_state clock;
	struct verr e = VERR_INIT;
	uint32_t count = MIN(state_count(r, STATE_KIND_VCPU), (uint32_t)BOARD_CPUS);

	if (b == NULL)
		return;
	board_devices(b, r);
	for (uint32_t i = 0; i < count; i++) {
		cpus[i].vcpu = &b->vcpus[i];
		if (state_get(r, STATE_KIND_VCPU, i, &cpus[i].state, &e) < 0)
			return;
	}
	if (count == 0)
		return;
	CHECK(saved_host_init(&host, &b->vm, cpus[0].vcpu, &b->cpuid, true, &e) == 0);
	for (uint32_t i = 0; i < count; i++)
		if (vcpu_apply(&cpus[i], &host, &e) == 0)
			CHECK(vcpu_capture(&cpus[i], &host, &e) == 0);
	vcpu_check(cpus[0].vcpu, &host, &cpus[0].state, ignore_lack, NULL);
	if (state_get(r, STATE_KIND_CLOCK, 0, &clock, &e) == 0 &&
	    clock_apply(&b->vm, &host, cpus, count, &clock, clock_elapsed(&clock), &e) == 0)
		CHECK(clock_capture(&b->vm, &host, cpus, count, &clock, &e) == 0);
}

#endif
