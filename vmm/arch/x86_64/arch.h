/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an x86-64 machine needs before its first instruction: the contract between the rooms above
 * and this one. Firmware tables are in platform.h, addresses in layout.h.
 */
#ifndef VOLT_VMM_ARCH_X86_64_ARCH_H
#define VOLT_VMM_ARCH_X86_64_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/verr.h"
#include "vmm/config/choices.h"
#include "vmm/kvm/kvm.h"
#include "vmm/mem/mem.h"

/* How the boot processor enters the kernel, and what it hands over. */
struct arch_boot {
	enum boot_entry entry; /* not BOOT_ENTRY_AUTO */
	uint64_t entry_gpa;
	struct bytes setup_header; /* of a bzImage, from offset 0x1F1; else empty */
	uint32_t cmdline_len;      /* at LAYOUT_CMDLINE, without its NUL */
	uint64_t initrd_gpa, initrd_len;
	bool acpi; /* an RSDP is at LAYOUT_ACPI */
};

/*
 * Write what the entry needs into low memory: GDT, page tables (Linux entry only) and the zero
 * page, or PVH's start info; and the reset vector.
 */
V_MUST_CHECK int arch_write_boot(struct mem *mem, const struct arch_boot *boot, struct verr *e);

/*
 * Write the code a guest reaches when it resets by jumping to the BIOS, as Linux with EFI support
 * does on a hardware-reduced ACPI machine: it pulls the reset line.
 */
V_MUST_CHECK int reset_vector_write(struct mem *mem, struct verr *e);

/* The drawers behind it. */
V_MUST_CHECK int gdt_write(struct mem *mem, struct verr *e);
V_MUST_CHECK int paging_write(struct mem *mem, struct verr *e);
V_MUST_CHECK int zero_page_write(struct mem *mem, const struct arch_boot *boot, struct verr *e);
V_MUST_CHECK int pvh_info_write(struct mem *mem, const struct arch_boot *boot, struct verr *e);

/* A range of the guest's physical memory map, with E820's types. */
struct memmap_entry {
	uint64_t start, len;
	uint32_t type;
};

#define MEMMAP_RAM 1
#define MEMMAP_RESERVED 2
#define MEMMAP_MAX 8

/* Fill `out`; returns how many entries. */
size_t memmap_of(const struct mem *mem, struct memmap_entry out[static MEMMAP_MAX]);

/* The registers of the boot processor; the others wait for INIT and SIPI as KVM made them. */
void regs_setup(struct kvm_vcpu *vcpu, const struct arch_boot *boot);

/*
 * Set the MSRs that firmware would leave behind. One that KVM refuses is logged and passed over:
 * not every host has each of them.
 */
V_MUST_CHECK int msr_setup(struct kvm_vcpu *vcpu, struct verr *e);

struct cpuid_facts {
	uint32_t cpus;                      /* in the VM */
	bool tsc_deadline;                  /* KVM_CAP_TSC_DEADLINE_TIMER */
	const struct cpuid_change *changes; /* what the user wants otherwise, borrowed */
	size_t nchanges;
};

/*
 * Turn what KVM supports into what this VM's guests see: cpuid.c has the rules. Call once a VM,
 * then cpuid_for_vcpu() on the same table before each vCPU's KVM_SET_CPUID2. A fault when the
 * topology leaves do not fit, or a change is of what KVM does not have.
 */
V_MUST_CHECK int cpuid_filter(struct kvm_cpuid_table *table, const struct cpuid_facts *facts,
			      struct verr *e);

/* Put the APIC id of vCPU `id` into every leaf that holds one. */
void cpuid_for_vcpu(struct kvm_cpuid_table *table, uint32_t id);

#endif
