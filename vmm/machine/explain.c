/* SPDX-License-Identifier: Apache-2.0 */
/* Why KVM could not go on, in words with an instruction pointer in them. */
#include <stdio.h>
#include <string.h>

#include "vmm/machine/internal.h"

#define INSN_MAX 15 /* bytes of the longest x86 instruction */

/* The bytes at RIP, through the guest's own page tables; returns how many could be read. */
static size_t read_insn(struct vcpu *v, uint64_t rip, uint8_t out[static INSN_MAX])
{
	struct verr e = VERR_INIT;
	uint64_t gpa;
	size_t n = 0;

	for (; n < INSN_MAX; n++)
		if (!kvm_vcpu_translate(&v->kvm, rip + n, &gpa) ||
		    mem_read(v->machine->mem, gpa, out + n, 1, &e) < 0)
			break;
	return n;
}

static void format_bytes(const uint8_t *bytes, size_t count, char *out, size_t len)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < count && used + 4 < len; i++)
		used += (size_t)snprintf(out + used, len - used, "%s%02x", i ? " " : "", bytes[i]);
}

int explain_internal_error(struct vcpu *v, struct verr *e)
{
	const struct kvm_run *run = v->kvm.run;
	uint8_t insn[INSN_MAX];
	char bytes[3 * INSN_MAX + 8];
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs = {0};
	uint32_t suberror = run->internal.suberror;

	if (kvm_vcpu_get_regs(&v->kvm, &regs, e) < 0 || kvm_vcpu_get_sregs(&v->kvm, &sregs, e) < 0)
		return verr_note(e, "KVM internal error %u", suberror);
	format_bytes(insn, read_insn(v, sregs.cs.base + regs.rip, insn), bytes, sizeof(bytes));
	if (suberror != KVM_INTERNAL_ERROR_EMULATION)
		return verr_host(e, "KVM internal error %u at RIP %#llx (bytes %s)", suberror,
				 (unsigned long long)regs.rip, bytes);
	return verr_host(e,
			 "KVM cannot emulate the guest's instruction at RIP %#llx (bytes %s); "
			 "\"volt doctor\" tells whether this host can run Linux guests",
			 (unsigned long long)regs.rip, bytes);
}

int explain_fail_entry(const struct vcpu *v, struct verr *e)
{
	return verr_host(e, "the processor refused to enter the guest (reason %#llx)",
			 (unsigned long long)v->kvm.run->fail_entry.hardware_entry_failure_reason);
}

int explain_run_error(int error, struct verr *e)
{
	errno = error;
	if (error == EFAULT)
		return verr_os(e, "KVM_RUN: guest memory could not be had from the host");
	return verr_os(e, "KVM_RUN");
}
