/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything is: guest physical addresses, I/O ports and interrupt lines of an x86-64 guest.
 * Memory below 4 GiB ends at MEM_HOLE_START (vmm/mem/mem.h); device registers live in the hole.
 */
#ifndef VOLT_VMM_ARCH_X86_64_LAYOUT_H
#define VOLT_VMM_ARCH_X86_64_LAYOUT_H

/* --- low memory, written before the first instruction --- */
#define LAYOUT_GDT 0x500ULL
#define LAYOUT_PML4 0x1000ULL
#define LAYOUT_PDPT_LOW 0x2000ULL   /* identity: 0-4 GiB */
#define LAYOUT_PDPT_HIGH 0x3000ULL  /* 0xFFFFFFFF80000000: 0-2 GiB */
#define LAYOUT_PD 0x4000ULL         /* four page directories of 2 MiB pages, shared by both */
#define LAYOUT_ZERO_PAGE 0x8000ULL  /* struct boot_params of the Linux boot protocol */
#define LAYOUT_PVH_INFO 0x9000ULL   /* struct hvm_start_info and what it points to */
#define LAYOUT_BOOT_STACK 0xFFF0ULL /* grows down */
#define LAYOUT_CMDLINE 0x20000ULL
#define LAYOUT_LOW_RAM_END 0x9FC00ULL /* above: where PCs keep the EBDA and video memory */
#define LAYOUT_ACPI 0xE0000ULL        /* RSDP first; Linux scans from here, too */
#define LAYOUT_ACPI_END 0xEF000ULL
#define LAYOUT_VMGENID 0xEF000ULL /* VMGENID_LEN bytes, which change at every restore */
#define LAYOUT_MPTABLE 0xF0000ULL /* 255 entries fit nowhere else that is scanned */
#define LAYOUT_MPTABLE_END 0xFFFF0ULL
#define LAYOUT_RESET_VECTOR 0xFFFF0ULL /* F000:FFF0, where a PC's BIOS would start */
#define LAYOUT_HIGH_RAM 0x100000ULL

/* --- the hole below 4 GiB --- */
#define LAYOUT_VIRTIO_MMIO 0xC0000000ULL
#define LAYOUT_VIRTIO_MMIO_STRIDE 0x1000ULL
#define LAYOUT_IOAPIC 0xFEC00000ULL
#define LAYOUT_LAPIC 0xFEE00000ULL
#define LAYOUT_KVM_TSS 0xFFFBD000ULL /* three pages that KVM on Intel keeps to itself */

/* --- I/O ports; Volt's own are in contract/ports.h --- */
#define LAYOUT_PORT_I8042_DATA 0x60
#define LAYOUT_PORT_I8042_COMMAND 0x64
#define LAYOUT_PORT_COM1 0x3F8
#define LAYOUT_PORT_PVPANIC 0x505
#define LAYOUT_PORT_SLEEP_CONTROL 0x600
#define LAYOUT_PORT_SLEEP_STATUS 0x601
#define LAYOUT_PORT_RESET 0x602

/* Written to LAYOUT_PORT_RESET to reset the machine (FADT RESET_VALUE). */
#define LAYOUT_RESET_VALUE 0x01
/* SLP_TYP of _S5 (soft off). */
#define LAYOUT_SLEEP_TYPE_S5 5

/* --- interrupts: global system interrupts, identity-mapped to the one I/O APIC --- */
#define LAYOUT_GSI_I8042 1
#define LAYOUT_GSI_EVENT 3 /* ACPI's generic event device: there is another VMGENID */
#define LAYOUT_GSI_COM1 4
#define LAYOUT_GSI_VIRTIO_FIRST 5
#define LAYOUT_IOAPIC_PINS 24

/* Each virtio device has an interrupt line to itself. */
#define LAYOUT_VIRTIO_MAX (LAYOUT_IOAPIC_PINS - LAYOUT_GSI_VIRTIO_FIRST)

#endif
