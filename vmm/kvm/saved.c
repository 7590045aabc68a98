/* SPDX-License-Identifier: Apache-2.0 */
/* The ioctls that read and write what a snapshot keeps. */
#include <string.h>

#include "vmm/kvm/kvm_priv.h"

int kvm_msr_indices(struct kvm *kvm, uint32_t *indices, size_t room, struct verr *e)
{
	struct { /* struct kvm_msr_list with its indices */
		uint32_t count;
		uint32_t indices[1024];
	} list = {.count = ARRAY_LEN(list.indices)};

	if (call_ptr(kvm, kvm->fd, KVM_GET_MSR_INDEX_LIST, &list) < 0)
		return verr_os(e, "KVM_GET_MSR_INDEX_LIST");
	if (list.count > MIN(room, ARRAY_LEN(list.indices)))
		return verr_host(e, "KVM_GET_MSR_INDEX_LIST: %u MSRs, at most %zu", list.count,
				 room);
	memcpy(indices, list.indices, list.count * sizeof(indices[0]));
	return (int)list.count;
}

/* --- the VM --- */

int kvm_vm_get_irqchip(struct kvm_vm *vm, struct kvm_irqchip *chip, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_GET_IRQCHIP, chip) < 0)
		return verr_os(e, "KVM_GET_IRQCHIP %u", chip->chip_id);
	return 0;
}

int kvm_vm_set_irqchip(struct kvm_vm *vm, const struct kvm_irqchip *chip, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_SET_IRQCHIP, chip) < 0)
		return verr_os(e, "KVM_SET_IRQCHIP %u", chip->chip_id);
	return 0;
}

int kvm_vm_get_pit(struct kvm_vm *vm, struct kvm_pit_state2 *pit, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_GET_PIT2, pit) < 0)
		return verr_os(e, "KVM_GET_PIT2");
	return 0;
}

int kvm_vm_set_pit(struct kvm_vm *vm, const struct kvm_pit_state2 *pit, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_SET_PIT2, pit) < 0)
		return verr_os(e, "KVM_SET_PIT2");
	return 0;
}

int kvm_vm_get_clock(struct kvm_vm *vm, struct kvm_clock_data *clock, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_GET_CLOCK, clock) < 0)
		return verr_os(e, "KVM_GET_CLOCK");
	return 0;
}

int kvm_vm_set_clock(struct kvm_vm *vm, const struct kvm_clock_data *clock, struct verr *e)
{
	if (call_ptr(vm->kvm, vm->fd, KVM_SET_CLOCK, clock) < 0)
		return verr_os(e, "KVM_SET_CLOCK");
	return 0;
}

/* --- parts of a vCPU --- */

/* `size` 0: what the capability's value says. A capability of 0: every KVM has it. */
static const struct part {
	const char *name;
	unsigned long get, set;
	int capability;
	size_t size;
} parts[KVM_PARTS] = {
	[KVM_PART_REGS] = {"REGS", KVM_GET_REGS, KVM_SET_REGS, 0, sizeof(struct kvm_regs)},
	[KVM_PART_SREGS] = {"SREGS", KVM_GET_SREGS, KVM_SET_SREGS, 0, sizeof(struct kvm_sregs)},
	[KVM_PART_SREGS2] = {"SREGS2", KVM_GET_SREGS2, KVM_SET_SREGS2, KVM_CAP_SREGS2,
			     sizeof(struct kvm_sregs2)},
	[KVM_PART_FPU] = {"FPU", KVM_GET_FPU, KVM_SET_FPU, 0, sizeof(struct kvm_fpu)},
	[KVM_PART_XSAVE] = {"XSAVE", KVM_GET_XSAVE, KVM_SET_XSAVE, KVM_CAP_XSAVE,
			    sizeof(struct kvm_xsave)},
	[KVM_PART_XCRS] = {"XCRS", KVM_GET_XCRS, KVM_SET_XCRS, KVM_CAP_XCRS,
			   sizeof(struct kvm_xcrs)},
	[KVM_PART_DEBUGREGS] = {"DEBUGREGS", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS,
				KVM_CAP_DEBUGREGS, sizeof(struct kvm_debugregs)},
	[KVM_PART_LAPIC] = {"LAPIC", KVM_GET_LAPIC, KVM_SET_LAPIC, 0,
			    sizeof(struct kvm_lapic_state)},
	[KVM_PART_EVENTS] = {"VCPU_EVENTS", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS,
			     KVM_CAP_VCPU_EVENTS, sizeof(struct kvm_vcpu_events)},
	[KVM_PART_MP_STATE] = {"MP_STATE", KVM_GET_MP_STATE, KVM_SET_MP_STATE, KVM_CAP_MP_STATE,
			       sizeof(struct kvm_mp_state)},
};

size_t kvm_part_size(struct kvm_vm *vm, enum kvm_part part)
{
	const struct part *p = &parts[part];

	if (p->capability != 0 && kvm_vm_check(vm, p->capability) == 0)
		return 0;
	/* Guests that may use AMX have more; KVM_GET_XSAVE would cut it off. */
	if (part == KVM_PART_XSAVE)
		return MAX(p->size, (size_t)kvm_vm_check(vm, KVM_CAP_XSAVE2));
	return p->size;
}

const char *kvm_part_name(enum kvm_part part)
{
	return parts[part].name;
}

int kvm_vcpu_get_part(struct kvm_vcpu *vcpu, enum kvm_part part, size_t size, void *state,
		      struct verr *e)
{
	const struct part *p = &parts[part];
	unsigned long get = size > p->size ? KVM_GET_XSAVE2 : p->get;

	if (call_ptr(vcpu->kvm, vcpu->fd, get, state) < 0)
		return verr_os(e, "KVM_GET_%s", p->name);
	return 0;
}

int kvm_vcpu_set_part(struct kvm_vcpu *vcpu, enum kvm_part part, const void *state, struct verr *e)
{
	const struct part *p = &parts[part];

	if (call_ptr(vcpu->kvm, vcpu->fd, p->set, state) < 0)
		return verr_os(e, "KVM_SET_%s", p->name);
	return 0;
}

/* --- MSRs, the TSC --- */

int kvm_vcpu_get_msrs(struct kvm_vcpu *vcpu, struct kvm_msr_entry *entries, size_t count,
		      struct verr *e)
{
	struct { /* struct kvm_msrs with its entries */
		uint32_t count, padding;
		struct kvm_msr_entry entries[KVM_MSRS_MAX];
	} msrs = {.count = (uint32_t)count};
	int n;

	if (count > KVM_MSRS_MAX)
		return verr_host(e, "KVM_GET_MSRS: %zu entries, at most %d", count, KVM_MSRS_MAX);
	memcpy(msrs.entries, entries, count * sizeof(entries[0]));
	n = call_ptr(vcpu->kvm, vcpu->fd, KVM_GET_MSRS, &msrs);
	if (n < 0)
		return verr_os(e, "KVM_GET_MSRS");
	memcpy(entries, msrs.entries, (size_t)n * sizeof(entries[0]));
	return n;
}

uint32_t kvm_vcpu_tsc_khz(struct kvm_vcpu *vcpu)
{
	int khz = kvm_ioctl(vcpu->kvm, vcpu->fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint32_t)khz : 0;
}

bool kvm_vcpu_set_tsc_khz(struct kvm_vcpu *vcpu, uint32_t khz)
{
	return kvm_ioctl(vcpu->kvm, vcpu->fd, KVM_SET_TSC_KHZ, khz) == 0;
}

static bool tsc_offset(struct kvm_vcpu *vcpu, unsigned long request, uint64_t *offset)
{
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

	return call_ptr(vcpu->kvm, vcpu->fd, request, &attr) == 0;
}

bool kvm_vcpu_tsc_offset(struct kvm_vcpu *vcpu, uint64_t *offset)
{
	return tsc_offset(vcpu, KVM_GET_DEVICE_ATTR, offset);
}

bool kvm_vcpu_set_tsc_offset(struct kvm_vcpu *vcpu, uint64_t offset)
{
	return tsc_offset(vcpu, KVM_SET_DEVICE_ATTR, &offset);
}
