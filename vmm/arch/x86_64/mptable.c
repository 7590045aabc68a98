/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of the MultiProcessor Specification 1.4, for a guest that runs without ACPI: a
 * floating pointer, and after it one configuration table whose entries are sorted by their type.
 * An interrupt of a virtio device has no bus in this model; as an ISA interrupt it has what it
 * needs, edge-triggered and active high. That is why the ISA bus here has more than 16 interrupts.
 */
#include "vmm/arch/x86_64/platform.h"

#include <string.h>

#include "base/bytes.h"
#include "vmm/arch/x86_64/checksum.h"
#include "vmm/arch/x86_64/layout.h"

#define MP_REVISION 4 /* of specification 1.x */

/* 4.1: the floating pointer. */
enum {
	POINTER_TABLE = 4,
	POINTER_LENGTH = 8, /* in 16 bytes */
	POINTER_REVISION = 9,
	POINTER_CHECKSUM = 10,
	POINTER_LEN = 16,
};

/* 4.2: the header of the configuration table. */
enum {
	TABLE_LENGTH = 4,
	TABLE_REVISION = 6,
	TABLE_CHECKSUM = 7,
	TABLE_OEM_ID = 8,
	TABLE_PRODUCT_ID = 16,
	TABLE_ENTRIES = 34,
	TABLE_LAPIC_ADDRESS = 36,
	TABLE_LEN = 44,
};

/* 4.3: its entries. */
enum {
	ENTRY_PROCESSOR = 0,
	ENTRY_BUS = 1,
	ENTRY_IOAPIC = 2,
	ENTRY_IO_INTERRUPT = 3,
	ENTRY_LOCAL_INTERRUPT = 4,

	ENTRY_PROCESSOR_LEN = 20,
	ENTRY_LEN = 8, /* of every other */
};

enum mp_interrupt { MP_INT = 0, MP_NMI = 1, MP_EXTINT = 3 };

enum {
	CPU_ENABLED = 1 << 0,
	CPU_BOOTSTRAP = 1 << 1,
	CPU_FAMILY_6 = 6 << 8,
	CPU_FPU_AND_APIC = 1 << 0 | 1 << 9,
	IOAPIC_ENABLED = 1 << 0,

	LAPIC_VERSION = 0x14,  /* as KVM's reports it */
	IOAPIC_VERSION = 0x11, /* likewise */
	ISA_BUS = 0,
	ALL_LAPICS = 0xFF,
	LOCAL_INTERRUPTS = 2,
	/* one bus, one I/O APIC, its pins, two local interrupts */
	SMALL_ENTRIES = 1 + 1 + LAYOUT_IOAPIC_PINS + LOCAL_INTERRUPTS,
};

#define MPTABLE_LEN(cpus)                                                       \
	((size_t)POINTER_LEN + TABLE_LEN + (size_t)(cpus)*ENTRY_PROCESSOR_LEN + \
	 (size_t)SMALL_ENTRIES * ENTRY_LEN)

_Static_assert(MPTABLE_LEN(PLATFORM_CPUS_MAX) <= LAYOUT_MPTABLE_END - LAYOUT_MPTABLE,
	       "the MP table of the largest machine fits");

/* Linux counts processors by these entries and takes the rest from CPUID. */
static uint8_t *entry_put_processor(uint8_t *entry, uint8_t id)
{
	memset(entry, 0, ENTRY_PROCESSOR_LEN);
	entry[0] = ENTRY_PROCESSOR;
	entry[1] = id;
	entry[2] = LAPIC_VERSION;
	entry[3] = CPU_ENABLED | (id == 0 ? CPU_BOOTSTRAP : 0);
	put_le32(entry + 4, CPU_FAMILY_6);
	put_le32(entry + 8, CPU_FPU_AND_APIC);
	return entry + ENTRY_PROCESSOR_LEN;
}

static uint8_t *entry_put_bus(uint8_t *entry)
{
	entry[0] = ENTRY_BUS;
	entry[1] = ISA_BUS;
	memcpy(entry + 2, "ISA   ", 6);
	return entry + ENTRY_LEN;
}

static uint8_t *entry_put_ioapic(uint8_t *entry, uint8_t id)
{
	entry[0] = ENTRY_IOAPIC;
	entry[1] = id;
	entry[2] = IOAPIC_VERSION;
	entry[3] = IOAPIC_ENABLED;
	put_le32(entry + 4, LAYOUT_IOAPIC);
	return entry + ENTRY_LEN;
}

/* 4.3.4 and 4.3.5 have one form: an interrupt of a bus goes to an input of an APIC. */
static uint8_t *entry_put_interrupt(uint8_t *entry, uint8_t type, enum mp_interrupt interrupt,
				    uint8_t irq, uint8_t apic, uint8_t input)
{
	entry[0] = type;
	entry[1] = (uint8_t)interrupt;
	put_le16(entry + 2, 0); /* polarity and trigger as the bus has them */
	entry[4] = ISA_BUS;
	entry[5] = irq;
	entry[6] = apic;
	entry[7] = input;
	return entry + ENTRY_LEN;
}

/* 3.6.2.2: in virtual wire mode the 8259s interrupt the bootstrap processor, by its LINT0. */
static void entries_put(uint8_t *entry, uint32_t cpus)
{
	uint8_t ioapic = platform_ioapic_id(cpus);

	for (uint32_t i = 0; i < cpus; i++)
		entry = entry_put_processor(entry, (uint8_t)i);
	entry = entry_put_bus(entry);
	entry = entry_put_ioapic(entry, ioapic);
	for (uint8_t pin = 0; pin < LAYOUT_IOAPIC_PINS; pin++)
		entry = entry_put_interrupt(entry, ENTRY_IO_INTERRUPT, MP_INT, pin, ioapic, pin);
	entry = entry_put_interrupt(entry, ENTRY_LOCAL_INTERRUPT, MP_EXTINT, 0, 0, 0);
	(void)entry_put_interrupt(entry, ENTRY_LOCAL_INTERRUPT, MP_NMI, 0, ALL_LAPICS, 1);
}

static void table_put(uint8_t *table, uint32_t cpus, size_t len)
{
	memset(table, 0, TABLE_LEN);
	memcpy(table, "PCMP", 4);
	put_le16(table + TABLE_LENGTH, (uint16_t)len);
	table[TABLE_REVISION] = MP_REVISION;
	memcpy(table + TABLE_OEM_ID, "VOLT    ", 8);
	memcpy(table + TABLE_PRODUCT_ID, "MICROVM     ", 12);
	put_le16(table + TABLE_ENTRIES, (uint16_t)(cpus + SMALL_ENTRIES));
	put_le32(table + TABLE_LAPIC_ADDRESS, LAYOUT_LAPIC);
	entries_put(table + TABLE_LEN, cpus);
	table[TABLE_CHECKSUM] = checksum_of(table, len);
}

/* Its five feature bytes stay 0: a configuration table is there, and virtual wire mode. */
static void pointer_put(uint8_t *pointer, uint64_t table)
{
	memset(pointer, 0, POINTER_LEN);
	memcpy(pointer, "_MP_", 4);
	put_le32(pointer + POINTER_TABLE, (uint32_t)table);
	pointer[POINTER_LENGTH] = POINTER_LEN / 16;
	pointer[POINTER_REVISION] = MP_REVISION;
	pointer[POINTER_CHECKSUM] = checksum_of(pointer, POINTER_LEN);
}

int mptable_write(struct mem *mem, const struct platform *platform, struct verr *e)
{
	uint8_t *pointer;
	size_t len;

	if (platform->cpus < 1 || platform->cpus > PLATFORM_CPUS_MAX)
		return verr_invalid(e, "MP table: %u CPUs", platform->cpus);
	len = MPTABLE_LEN(platform->cpus);
	pointer = mem_ptr(mem, LAYOUT_MPTABLE, len);
	if (pointer == NULL)
		return verr_invalid(e, "MP table: no guest memory at 0x%llx", LAYOUT_MPTABLE);
	table_put(pointer + POINTER_LEN, platform->cpus, len - POINTER_LEN);
	pointer_put(pointer, LAYOUT_MPTABLE + POINTER_LEN);
	return 0;
}
