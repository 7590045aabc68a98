/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register state of the boot processor at the kernel's entry: Linux's 64-bit boot protocol
 * (Documentation/x86/boot.rst) or PVH's 32-bit one (Xen's docs/misc/pvh.pandoc).
 */
#include "vmm/arch/x86_64/arch.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/segments.h"

#define CR0_PE 0x1ULL
#define CR0_ET 0x10ULL
#define CR0_PG 0x80000000ULL
#define CR4_PAE 0x20ULL
#define EFER_LME 0x100ULL
#define EFER_LMA 0x400ULL
#define RFLAGS_FIXED 0x2ULL

/* Local APIC enabled, of the boot processor, where it always is (SDM vol. 3, "IA32_APIC_BASE"). */
#define APIC_BASE_BSP 0xFEE00900ULL

static struct kvm_segment flat(uint16_t selector, uint8_t type, bool long_mode)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = 0xFFFFFFFF,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = long_mode,
		.db = !long_mode,
	};
}

static void set_segments(struct kvm_sregs *s, bool long_mode)
{
	struct kvm_segment data = flat(SEGMENT_DATA, SEGMENT_TYPE_DATA, false);

	s->cs = flat(SEGMENT_CODE, SEGMENT_TYPE_CODE, long_mode);
	s->ds = s->es = s->fs = s->gs = s->ss = data;
	/* VMX refuses to enter a guest whose task register is not a busy TSS. */
	s->tr = (struct kvm_segment){.limit = 0x67, .type = SEGMENT_TYPE_TSS_BUSY, .present = 1};
	s->gdt.base = LAYOUT_GDT;
	s->gdt.limit = SEGMENT_GDT_ENTRIES * 8 - 1;
}

static struct kvm_sregs sregs_for(bool long_mode)
{
	struct kvm_sregs s = {
		.apic_base = APIC_BASE_BSP,
		.cr0 = CR0_PE | CR0_ET | (long_mode ? CR0_PG : 0),
		.cr3 = long_mode ? LAYOUT_PML4 : 0,
		.cr4 = long_mode ? CR4_PAE : 0,
		.efer = long_mode ? EFER_LME | EFER_LMA : 0,
	};

	set_segments(&s, long_mode);
	return s;
}

/* KVM makes an FPU as FNINIT leaves it, which is what both protocols ask for. */
void regs_setup(struct kvm_vcpu *vcpu, const struct arch_boot *boot)
{
	struct kvm_sregs s = sregs_for(boot->entry == BOOT_ENTRY_LINUX64);
	struct kvm_regs r = {
		.rflags = RFLAGS_FIXED,
		.rip = boot->entry_gpa,
		.rsp = LAYOUT_BOOT_STACK,
		.rbp = LAYOUT_BOOT_STACK,
	};

	if (boot->entry == BOOT_ENTRY_PVH)
		r.rbx = LAYOUT_PVH_INFO;
	else
		r.rsi = LAYOUT_ZERO_PAGE;
	kvm_vcpu_enter_with(vcpu, &r, &s);
}
