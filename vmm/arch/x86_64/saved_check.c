/* SPDX-License-Identifier: Apache-2.0 */
/* What of a saved vCPU this host would refuse, all of it, found by asking a vCPU that nobody uses.
 */
#include <stdio.h>

#include "vmm/arch/x86_64/saved.h"

static void check_part(const struct saved_host *h, enum kvm_part part, uint32_t count,
		       saved_lack_fn *lack, void *arg)
{
	char text[80];

	if (count == 0 || h->parts[part] != 0)
		return;
	(void)snprintf(text, sizeof(text), "KVM_SET_%s", kvm_part_name(part));
	lack(arg, text);
}

static void check_msr(struct kvm_vcpu *vcpu, uint32_t index, uint64_t value, saved_lack_fn *lack,
		      void *arg)
{
	struct kvm_msr_entry entry = {.index = index, .data = value}, now = {.index = index};
	struct verr none = VERR_INIT;
	char text[80];

	if (kvm_vcpu_set_msrs(vcpu, &entry, 1, &none) == 1)
		return;
	if (kvm_vcpu_get_msrs(vcpu, &now, 1, &none) == 1 ? now.data == value : value == 0)
		return;
	(void)snprintf(text, sizeof(text), "MSR %#x with %#llx", index, (unsigned long long)value);
	lack(arg, text);
}

void vcpu_check(struct kvm_vcpu *vcpu, const struct saved_host *h, const struct vcpu_state *in,
		saved_lack_fn *lack, void *arg)
{
	uint32_t msrs = MIN(in->msr_indices_count, in->msr_values_count);

	check_part(h, KVM_PART_XSAVE, in->xsave_count, lack, arg);
	check_part(h, KVM_PART_XCRS, in->xcrs_count, lack, arg);
	check_part(h, KVM_PART_DEBUGREGS, in->debugregs_count, lack, arg);
	check_part(h, KVM_PART_EVENTS, in->events_count, lack, arg);
	for (uint32_t i = 0; i < msrs; i++)
		check_msr(vcpu, in->msr_indices[i], in->msr_values[i], lack, arg);
}
