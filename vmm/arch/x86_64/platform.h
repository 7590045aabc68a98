/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the firmware tables tell a guest about its machine: the one device map that ACPI, the MP
 * table and the command line are made from.
 */
#ifndef VOLT_VMM_ARCH_X86_64_PLATFORM_H
#define VOLT_VMM_ARCH_X86_64_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/mem/mem.h"

struct platform_ports {
	uint16_t base;
	uint8_t len; /* 0: unused */
};

#define PLATFORM_NO_GSI UINT32_MAX

struct platform_device {
	const char *name; /* 1 to 4 of A-Z 0-9 _, first no digit, each device its own: "COM1" */
	const char *hid;  /* "PNP0501": three letters and four hexadecimal digits become an EISA
			     id; anything else ("LNRO0005", "QEMU0001") a string */
	uint32_t uid;
	struct platform_ports ports[2];
	uint64_t mmio;     /* base; below 4 GiB */
	uint32_t mmio_len; /* 0: none */
	uint32_t gsi;      /* edge-triggered, active high, not shared; or PLATFORM_NO_GSI */
};

#define PLATFORM_DEVICES_MAX 64
#define PLATFORM_CPUS_MAX 255 /* APIC id 255 means all of them */

struct platform {
	uint32_t cpus; /* 1-PLATFORM_CPUS_MAX; APIC ids count from 0 */
	const struct platform_device *devices;
	size_t ndevices;
	bool generation; /* there is a generation id at LAYOUT_VMGENID */
};

/*
 * The id of the I/O APIC in both sets of tables: the first that no CPU has, since MP tables want
 * it unique. With 255 CPUs that is 255, which names every I/O APIC: here the same one.
 */
static inline uint8_t platform_ioapic_id(uint32_t cpus)
{
	return (uint8_t)cpus;
}

/*
 * Write the ACPI tables (ACPI 6.4) to LAYOUT_ACPI..LAYOUT_ACPI_END: RSDP (revision 2) at
 * LAYOUT_ACPI, XSDT, FADT (hardware-reduced, with sleep control, sleep status and reset registers
 * in I/O space, boot flags that announce ISA devices and the i8042 and deny VGA and the CMOS RTC),
 * MADT, DSDT with _S5, one Device for each platform device and where there is one the generation
 * id. A fault when they do not fit or a device cannot be described. Before the guest runs.
 */
V_MUST_CHECK int acpi_write(struct mem *mem, const struct platform *platform, struct verr *e);

/*
 * A new generation id (Microsoft, "Virtual Machine Generation ID"): 16 random bytes that the guest
 * finds by ACPI. A guest that goes on in another machine than before hears by the interrupt
 * LAYOUT_GSI_EVENT that there is a new one, and then knows that it may be one of several: Linux
 * makes new random numbers. While no vCPU runs.
 */
#define VMGENID_LEN 16
V_MUST_CHECK int vmgenid_write(struct mem *mem, struct verr *e);

/*
 * Write the MP floating pointer and configuration table (Intel MultiProcessor Specification 1.4)
 * to LAYOUT_MPTABLE..LAYOUT_MPTABLE_END: processors, one ISA bus, the I/O APIC, every pin of it as
 * the ISA interrupt of the same number, LINT0 as ExtINT and LINT1 as NMI. Before the guest runs.
 */
V_MUST_CHECK int mptable_write(struct mem *mem, const struct platform *platform, struct verr *e);

#endif
