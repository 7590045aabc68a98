/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "vmm/arch/x86_64/arch.h"

/* Intel SDM volume 4; AMD APM volume 2, appendix A. */
#define MSR_TSC 0x10
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MISC_ENABLE 0x1A0
#define MSR_MTRR_DEF_TYPE 0x2FF
#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_CSTAR 0xC0000083
#define MSR_SYSCALL_MASK 0xC0000084
#define MSR_KERNEL_GS_BASE 0xC0000102

#define MISC_ENABLE_FAST_STRING 0x1ULL
#define MTRR_ENABLE 0x800ULL
#define MTRR_WRITE_BACK 0x6ULL

static const struct kvm_msr_entry boot_msrs[] = {
	{.index = MSR_SYSENTER_CS},
	{.index = MSR_SYSENTER_ESP},
	{.index = MSR_SYSENTER_EIP},
	{.index = MSR_STAR},
	{.index = MSR_CSTAR},
	{.index = MSR_KERNEL_GS_BASE},
	{.index = MSR_SYSCALL_MASK},
	{.index = MSR_LSTAR},
	{.index = MSR_TSC},
	{.index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
	{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE | MTRR_WRITE_BACK},
};

int msr_setup(struct kvm_vcpu *vcpu, struct verr *e)
{
	size_t done = 0;

	while (done < ARRAY_LEN(boot_msrs)) {
		int n = kvm_vcpu_set_msrs(vcpu, boot_msrs + done, ARRAY_LEN(boot_msrs) - done, e);

		if (n < 0)
			return -1;
		done += (size_t)n;
		if (done < ARRAY_LEN(boot_msrs))
			log_info(LOG_ARCH, "KVM refused MSR %#x; the guest starts without it",
				 boot_msrs[done++].index);
	}
	return 0;
}
