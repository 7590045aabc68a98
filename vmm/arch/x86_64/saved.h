/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processors' and the board's state, between KVM and a state file. Theory of operation:
 *
 * What this host's KVM does not have is not in the file; what is in the file and this host does not
 * take is a fault that names it. Order matters when it goes back (apply in the order of this
 * header): CPUID decides which registers there are; the guest's clock, then the TSC that is read
 * against it; the interrupt controllers; and in each vCPU the registers that say where its local
 * APIC is, the APIC, MSRs, of these the TSC deadline last, for it starts a timer of the APIC's that
 * compares with the TSC; whether it runs; and what is about to be injected.
 *
 * All calls while no vCPU is in the guest.
 */
#ifndef VOLT_VMM_ARCH_X86_64_SAVED_H
#define VOLT_VMM_ARCH_X86_64_SAVED_H

#include "vmm/kvm/kvm.h"
#include "vmm/mem/mem.h"
#include "vmm/state/file.h"
#include "vmm/state/lists.h"

/* What this host's KVM can tell and be told of a vCPU: the same for all of a VM. */
struct saved_host {
	size_t parts[KVM_PARTS]; /* sizes; 0: not there */
	bool tsc_offset;
	bool svm;                      /* AMD's way of running guests */
	uint32_t msrs[STATE_MSRS_MAX]; /* none, where that was not asked for */
	size_t nmsrs;
};

/* `cpuid` is any guest's of this host. `msrs`: which there are, too; for capturing. */
V_MUST_CHECK int saved_host_init(struct saved_host *host, struct kvm_vm *vm, struct kvm_vcpu *vcpu,
				 const struct kvm_cpuid_table *cpuid, bool msrs, struct verr *e);

/* --- CPUID --- */

void cpuid_capture(const struct kvm_cpuid_table *table, struct cpuid_state *out);

void cpuid_of_state(const struct cpuid_state *in, struct kvm_cpuid_table *out);

/* Bits of a register of CPUID that the one has and the other lacks; leaf 0: another vendor's. */
typedef void cpuid_lack_fn(void *arg, uint32_t leaf, uint32_t subleaf, const char *reg,
			   uint32_t bits);

/*
 * What is there for a guest with `saved` that a host, which would give a guest of as many vCPUs
 * `host`, does not have. Returns how often `lack` was called.
 */
int cpuid_compare(const struct kvm_cpuid_table *saved, const struct kvm_cpuid_table *host,
		  cpuid_lack_fn *lack, void *arg);

/* The table that the guest had, for cpuid_for_vcpu(); a fault names what this host lacks. */
V_MUST_CHECK int cpuid_apply(const struct cpuid_state *in, const struct kvm_cpuid_table *host,
			     struct kvm_cpuid_table *out, struct verr *e);

/* --- clocks --- */

/* A vCPU and its state. */
struct saved_cpu {
	struct kvm_vcpu *vcpu;
	struct vcpu_state state;
};

/* Also the TSC of each vCPU at that instant. */
V_MUST_CHECK int clock_capture(struct kvm_vm *vm, const struct saved_host *host,
			       struct saved_cpu *cpus, uint32_t count, struct clock_state *out,
			       struct verr *e);

/* `elapsed_ns`: how much time the guest is to find passed. Also sets the TSC of each vCPU. */
V_MUST_CHECK int clock_apply(struct kvm_vm *vm, const struct saved_host *host,
			     const struct saved_cpu *cpus, uint32_t count,
			     const struct clock_state *in, uint64_t elapsed_ns, struct verr *e);

/* Nanoseconds of the wall clock since then; 0 where it was set back. */
uint64_t clock_elapsed(const struct clock_state *in);

/* --- the board --- */

V_MUST_CHECK int irqchip_capture(struct kvm_vm *vm, struct irqchip_state *out, struct verr *e);
V_MUST_CHECK int irqchip_apply(struct kvm_vm *vm, const struct irqchip_state *in, struct verr *e);
V_MUST_CHECK int pit_capture(struct kvm_vm *vm, struct pit_state *out, struct verr *e);
V_MUST_CHECK int pit_apply(struct kvm_vm *vm, const struct pit_state *in, struct verr *e);

/* --- a vCPU, all but its TSC --- */

V_MUST_CHECK int vcpu_capture(struct saved_cpu *cpu, const struct saved_host *host, struct verr *e);
V_MUST_CHECK int vcpu_apply(const struct saved_cpu *cpu, const struct saved_host *host,
			    struct verr *e);

/* --- what does not fit --- */

typedef void saved_lack_fn(void *arg, const char *what);

/* Each thing of `in` that vcpu_apply() would fail for, of parts and MSRs. The vCPU is spoilt. */
void vcpu_check(struct kvm_vcpu *vcpu, const struct saved_host *host, const struct vcpu_state *in,
		saved_lack_fn *lack, void *arg);

/*
 * Is memory where the saved machine's was in the guest's view? A snapshot says it, a state by
 * itself does not.
 */
V_MUST_CHECK int saved_memory_fits(const struct mem *mem, const struct state_reader *in,
				   struct verr *e);

#endif
