/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's ioctls, one function each, and nothing else: no policy, no order. Numbers, structures and
 * meanings are those of the kernel's Documentation/virt/kvm/api.rst. This room alone includes
 * <linux/kvm.h>. KVM's descriptors work only in the process that opened them.
 *
 * VM calls may come from any thread; a vCPU's from one thread at a time.
 */
#ifndef VOLT_VMM_KVM_KVM_H
#define VOLT_VMM_KVM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/verr.h"

/* /dev/kvm. `ioctls` counts every KVM ioctl made through it, its VMs' and vCPUs' included. */
struct kvm {
	int fd;
	size_t run_size; /* bytes to map for struct kvm_run */
	counter ioctls;
};

struct kvm_vm {
	int fd;
	struct kvm *kvm;
};

struct kvm_vcpu {
	int fd;
	struct kvm *kvm;
	struct kvm_run *run; /* shared with the kernel; NULL until created */
};

#define KVM_INIT         \
	{                \
		.fd = -1 \
	}

/* --- system --- */

/* Open /dev/kvm and check its API version; the fault names the remedy. */
V_MUST_CHECK int kvm_open(struct kvm *kvm, struct verr *e);
void kvm_close(struct kvm *kvm);

/* CPUID entries that a CPUID table here has room for. */
#define KVM_CPUID_MAX 256

/* struct kvm_cpuid2 with its entries. */
struct kvm_cpuid_table {
	uint32_t count, padding;
	struct kvm_cpuid_entry2 entries[KVM_CPUID_MAX];
};
_Static_assert(offsetof(struct kvm_cpuid_table, entries) == sizeof(struct kvm_cpuid2), "layout");

/* KVM_GET_SUPPORTED_CPUID */
V_MUST_CHECK int kvm_supported_cpuid(struct kvm *kvm, struct kvm_cpuid_table *table,
				     struct verr *e);

/*
 * KVM_GET_MSR_INDEX_LIST: the MSRs that hold a guest's state on this host, at most `room`; returns
 * how many, or -1.
 */
V_MUST_CHECK int kvm_msr_indices(struct kvm *kvm, uint32_t *indices, size_t room, struct verr *e);

/* --- VM --- */

V_MUST_CHECK int kvm_vm_create(struct kvm *kvm, struct kvm_vm *vm, struct verr *e);
void kvm_vm_close(struct kvm_vm *vm);

/* KVM_CHECK_EXTENSION on the VM: 0 when absent, else the capability's value. */
int kvm_vm_check(struct kvm_vm *vm, int capability);

/*
 * KVM_SET_USER_MEMORY_REGION: `host` stays mapped for as long as the slot exists. Once more with
 * another `log`: whether KVM notes the pages that the guest writes.
 */
V_MUST_CHECK int kvm_vm_set_memory(struct kvm_vm *vm, uint32_t slot, uint64_t gpa, uint64_t size,
				   void *host, bool log, struct verr *e);

/* KVM_GET_DIRTY_LOG: the pages written since the last call, a bit each, of a slot that is logged.
 */
V_MUST_CHECK int kvm_vm_dirty_log(struct kvm_vm *vm, uint32_t slot, uint64_t *bits, struct verr *e);

/* Three pages below 4 GiB that KVM on Intel needs for itself (KVM_SET_TSS_ADDR). */
V_MUST_CHECK int kvm_vm_set_tss(struct kvm_vm *vm, uint64_t gpa, struct verr *e);

V_MUST_CHECK int kvm_vm_create_irqchip(struct kvm_vm *vm, struct verr *e);

/* KVM_GET_IRQCHIP of the I/O APIC. */
V_MUST_CHECK int kvm_vm_get_ioapic(struct kvm_vm *vm, struct kvm_ioapic_state *ioapic,
				   struct verr *e);

/* KVM_CREATE_PIT2, with the speaker port answered by KVM. */
V_MUST_CHECK int kvm_vm_create_pit(struct kvm_vm *vm, struct verr *e);

/* What a machine consists of besides its vCPUs, as the kernel writes it down; for saving. */
V_MUST_CHECK int kvm_vm_get_irqchip(struct kvm_vm *vm, struct kvm_irqchip *chip, struct verr *e);
V_MUST_CHECK int kvm_vm_set_irqchip(struct kvm_vm *vm, const struct kvm_irqchip *chip,
				    struct verr *e);
V_MUST_CHECK int kvm_vm_get_pit(struct kvm_vm *vm, struct kvm_pit_state2 *pit, struct verr *e);
V_MUST_CHECK int kvm_vm_set_pit(struct kvm_vm *vm, const struct kvm_pit_state2 *pit,
				struct verr *e);
V_MUST_CHECK int kvm_vm_get_clock(struct kvm_vm *vm, struct kvm_clock_data *clock, struct verr *e);
V_MUST_CHECK int kvm_vm_set_clock(struct kvm_vm *vm, const struct kvm_clock_data *clock,
				  struct verr *e);

/* KVM_IRQ_LINE: an edge on `gsi`, now, and without an eventfd. */
V_MUST_CHECK int kvm_vm_pulse(struct kvm_vm *vm, uint32_t gsi, struct verr *e);

/* KVM_IRQFD: writing `eventfd` raises `gsi`. */
V_MUST_CHECK int kvm_vm_irqfd(struct kvm_vm *vm, int eventfd, uint32_t gsi, struct verr *e);

/*
 * KVM_IOEVENTFD: a 32-bit write of `value` to `gpa` writes `eventfd`, and the guest goes on without
 * an exit to the monitor.
 */
V_MUST_CHECK int kvm_vm_ioeventfd(struct kvm_vm *vm, int eventfd, uint64_t gpa, uint32_t value,
				  struct verr *e);

/*
 * KVM_REGISTER_COALESCED_MMIO: KVM puts writes to `len` bytes at `gpa` into the VM's ring, and the
 * guest goes on; only what the ring has no room for exits. For what can wait until the next exit.
 */
V_MUST_CHECK int kvm_vm_coalesce(struct kvm_vm *vm, uint64_t gpa, uint32_t len, struct verr *e);

/* --- vCPU --- */

V_MUST_CHECK int kvm_vcpu_create(struct kvm_vm *vm, uint32_t id, struct kvm_vcpu *vcpu,
				 struct verr *e);
void kvm_vcpu_close(struct kvm_vcpu *vcpu);

V_MUST_CHECK int kvm_vcpu_set_cpuid(struct kvm_vcpu *vcpu, const struct kvm_cpuid_table *table,
				    struct verr *e);
V_MUST_CHECK int kvm_vcpu_get_regs(struct kvm_vcpu *vcpu, struct kvm_regs *regs, struct verr *e);
V_MUST_CHECK int kvm_vcpu_set_regs(struct kvm_vcpu *vcpu, const struct kvm_regs *regs,
				   struct verr *e);
V_MUST_CHECK int kvm_vcpu_get_sregs(struct kvm_vcpu *vcpu, struct kvm_sregs *sregs, struct verr *e);
V_MUST_CHECK int kvm_vcpu_set_sregs(struct kvm_vcpu *vcpu, const struct kvm_sregs *sregs,
				    struct verr *e);

/*
 * The next KVM_RUN begins with these, in place of KVM_SET_REGS and KVM_SET_SREGS, and refuses what
 * they would have refused. Needs KVM_CAP_SYNC_REGS (Linux 4.17), which `volt doctor` looks for.
 */
void kvm_vcpu_enter_with(struct kvm_vcpu *vcpu, const struct kvm_regs *regs,
			 const struct kvm_sregs *sregs);

/* The ring of the VM's coalesced writes, there for as long as this vCPU; NULL: this KVM has none.
 */
struct kvm_coalesced_mmio_ring *kvm_coalesced_ring(struct kvm_vcpu *vcpu);

/* Any thread: is there nothing to take? */
bool kvm_coalesced_empty(const struct kvm_coalesced_mmio_ring *ring);

/* Take the oldest write; false when there is none. One thread at a time. */
bool kvm_coalesced_next(struct kvm_coalesced_mmio_ring *ring, struct kvm_coalesced_mmio *out);

/* KVM_TRANSLATE: the guest physical address of a linear one; false when it is not mapped. */
bool kvm_vcpu_translate(struct kvm_vcpu *vcpu, uint64_t linear, uint64_t *gpa);

/* The most that one call reads or sets. */
#define KVM_MSRS_MAX 64

/*
 * KVM_SET_MSRS: how many of `count` were set, in order; the one after them is the one KVM refused.
 * That is data for the caller's policy, not a fault; -1 is.
 */
V_MUST_CHECK int kvm_vcpu_set_msrs(struct kvm_vcpu *vcpu, const struct kvm_msr_entry *entries,
				   size_t count, struct verr *e);

/*
 * KVM_GET_MSRS: how many of `count` were read into their `data`, in order; the one after them is
 * the one KVM refused. -1 is a fault.
 */
V_MUST_CHECK int kvm_vcpu_get_msrs(struct kvm_vcpu *vcpu, struct kvm_msr_entry *entries,
				   size_t count, struct verr *e);

/*
 * A part of a vCPU's state, as the kernel lays it out: KVM's structure, kvm_part_size() bytes. The
 * vCPU is not in the guest.
 */
enum kvm_part {
	KVM_PART_REGS,
	KVM_PART_SREGS,
	KVM_PART_SREGS2,
	KVM_PART_FPU,
	KVM_PART_XSAVE,
	KVM_PART_XCRS,
	KVM_PART_DEBUGREGS,
	KVM_PART_LAPIC,
	KVM_PART_EVENTS,
	KVM_PART_MP_STATE,
	KVM_PARTS,
};

/* Bytes of a part on this host; 0: it has none. Of XSAVE more than 4096 where guests may have more.
 */
size_t kvm_part_size(struct kvm_vm *vm, enum kvm_part part);

/* "XSAVE": for messages. */
const char *kvm_part_name(enum kvm_part part);

V_MUST_CHECK int kvm_vcpu_get_part(struct kvm_vcpu *vcpu, enum kvm_part part, size_t size,
				   void *state, struct verr *e);
V_MUST_CHECK int kvm_vcpu_set_part(struct kvm_vcpu *vcpu, enum kvm_part part, const void *state,
				   struct verr *e);

/* KVM_GET_TSC_KHZ: 0 where KVM does not tell. */
uint32_t kvm_vcpu_tsc_khz(struct kvm_vcpu *vcpu);

/* KVM_SET_TSC_KHZ: false where this host's processor cannot. */
V_MUST_CHECK bool kvm_vcpu_set_tsc_khz(struct kvm_vcpu *vcpu, uint32_t khz);

/*
 * How far the guest's TSC is ahead of the host's (KVM_VCPU_TSC_OFFSET). False: this KVM (before
 * Linux 5.16) does not have that.
 */
V_MUST_CHECK bool kvm_vcpu_tsc_offset(struct kvm_vcpu *vcpu, uint64_t *offset);
V_MUST_CHECK bool kvm_vcpu_set_tsc_offset(struct kvm_vcpu *vcpu, uint64_t offset);

/*
 * KVM_KVMCLOCK_CTRL: tell a guest that uses kvmclock that it was stopped, so that its watchdogs do
 * not mind. False when it does not, or the vCPU never ran.
 */
bool kvm_vcpu_was_stopped(struct kvm_vcpu *vcpu);

enum kvm_run_result {
	KVM_RUN_EXIT,        /* vcpu->run says why */
	KVM_RUN_INTERRUPTED, /* a signal or immediate_exit */
	KVM_RUN_FAILED,      /* errno says why */
};

/* Enter the guest. */
enum kvm_run_result kvm_vcpu_run(struct kvm_vcpu *vcpu);

/* "KVM_EXIT_IO" and so on; never NULL. */
const char *kvm_exit_name(uint32_t reason);

#define KVM_EXIT_REASONS 40 /* all that are known, and room for a few */

#endif
