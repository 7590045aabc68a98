/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of a hardware-reduced machine (ACPI 6.4, section 4.1): no power management
 * registers, no SCI, no FACS; what is left is a register to sleep with, one to reset with, the
 * interrupt controllers and a list of devices. The tables are built in place, before the guest
 * runs. The RSDP has the first place, where it is looked for; the others follow, each after those
 * that it points to.
 */
#include "vmm/arch/x86_64/platform.h"

#include <string.h>

#include "base/bytes.h"
#include "vmm/arch/x86_64/aml.h"
#include "vmm/arch/x86_64/checksum.h"
#include "vmm/arch/x86_64/layout.h"

#define AREA_SIZE (LAYOUT_ACPI_END - LAYOUT_ACPI)
#define TABLE_ALIGN 16

#define OEM_ID "VOLT  "
#define OEM_TABLE_ID "MICROVM "
#define CREATOR_ID "VOLT"

/* 5.2.5.3: the root pointer. */
enum {
	RSDP_CHECKSUM = 8, /* of what revision 0 had */
	RSDP_OEM_ID = 9,
	RSDP_REVISION = 15,
	RSDP_LEN_V0 = 20,
	RSDP_LENGTH = 20,
	RSDP_XSDT = 24,
	RSDP_CHECKSUM_ALL = 32,
	RSDP_LEN = 36,
};

/* 5.2.6: the header of every other table. */
enum {
	HEADER_LENGTH = 4,
	HEADER_REVISION = 8,
	HEADER_CHECKSUM = 9,
	HEADER_OEM_ID = 10,
	HEADER_OEM_TABLE_ID = 16,
	HEADER_OEM_REVISION = 24,
	HEADER_CREATOR_ID = 28,
	HEADER_CREATOR_REVISION = 32,
	HEADER_LEN = 36,
};

/* 5.2.9: the fixed table. */
enum {
	FADT_BOOT_ARCH = 109,
	FADT_FLAGS = 112,
	FADT_RESET_REG = 116,
	FADT_RESET_VALUE = 128,
	FADT_MINOR = 131,
	FADT_X_DSDT = 140,
	FADT_SLEEP_CONTROL = 244,
	FADT_SLEEP_STATUS = 256,
	FADT_LEN = 276,

	FADT_REVISION = 6,
	FADT_REVISION_MINOR = 4,
};

enum fadt_flag {
	FLAG_WBINVD = 1 << 0,
	FLAG_PROC_C1 = 1 << 2,
	FLAG_PWR_BUTTON = 1 << 4, /* no fixed-hardware button */
	FLAG_SLP_BUTTON = 1 << 5, /* nor this one */
	FLAG_RESET_REG_SUP = 1 << 10,
	FLAG_HW_REDUCED = 1 << 20,
};

enum fadt_boot_arch {
	BOOT_LEGACY_DEVICES = 1 << 0, /* a serial port on the ISA bus */
	BOOT_8042 = 1 << 1,
	BOOT_NO_VGA = 1 << 2,
	BOOT_NO_CMOS_RTC = 1 << 5,
};

/* 5.2.12: the interrupt controllers. */
enum {
	MADT_LAPIC_ADDRESS = 36,
	MADT_FLAGS = 40,
	MADT_ENTRIES = 44,

	MADT_REVISION = 5,
	MADT_PCAT_COMPAT = 1 << 0, /* KVM has a pair of 8259s, too */

	MADT_LAPIC = 0,
	MADT_LAPIC_LEN = 8,
	MADT_LAPIC_ENABLED = 1 << 0,
	MADT_IOAPIC = 1,
	MADT_IOAPIC_LEN = 12,
	MADT_LAPIC_NMI = 4,
	MADT_LAPIC_NMI_LEN = 6,
	MADT_ALL_CPUS = 0xFF,
};

struct area {
	uint8_t *host; /* borrowed: guest memory at LAYOUT_ACPI */
	size_t used;
};

/* Returns NULL after a fault. */
static uint8_t *area_take(struct area *area, size_t len, struct verr *e)
{
	size_t start = (area->used + TABLE_ALIGN - 1) & ~(size_t)(TABLE_ALIGN - 1);

	if (!range_within(start, len, AREA_SIZE)) {
		(void)verr_invalid(e, "they need more than %llu bytes", AREA_SIZE);
		return NULL;
	}
	area->used = start + len;
	return area->host + start;
}

static uint64_t area_gpa(const struct area *area, const uint8_t *table)
{
	return LAYOUT_ACPI + (uint64_t)(table - area->host);
}

/* Without its NUL. */
static void put_text(uint8_t *to, const char *text, size_t len)
{
	memcpy(to, text, len);
}

/* Fill in the header of a table whose other bytes are final. */
static void table_seal(uint8_t *table, const char *signature, uint8_t revision, size_t len)
{
	memset(table, 0, HEADER_LEN);
	put_text(table, signature, 4);
	put_le32(table + HEADER_LENGTH, (uint32_t)len);
	table[HEADER_REVISION] = revision;
	put_text(table + HEADER_OEM_ID, OEM_ID, 6);
	put_text(table + HEADER_OEM_TABLE_ID, OEM_TABLE_ID, 8);
	put_le32(table + HEADER_OEM_REVISION, 1);
	put_text(table + HEADER_CREATOR_ID, CREATOR_ID, 4);
	put_le32(table + HEADER_CREATOR_REVISION, 1);
	table[HEADER_CHECKSUM] = checksum_of(table, len);
}

/* --- DSDT --- */

/* 7.4.2: the sleep type comes first; the second is for a register that there is not. */
static void dsdt_add_s5(struct aml *a)
{
	size_t package;

	aml_name(a, "_S5");
	package = aml_package(a, 4);
	aml_integer(a, LAYOUT_SLEEP_TYPE_S5);
	for (int i = 1; i < 4; i++)
		aml_integer(a, 0);
	aml_end(a, package);
}

static void dsdt_add_resources(struct aml *a, const struct platform_device *d)
{
	size_t resources = aml_resources(a);

	for (size_t i = 0; i < ARRAY_LEN(d->ports); i++)
		if (d->ports[i].len != 0)
			aml_io_ports(a, d->ports[i].base, d->ports[i].len);
	if (d->mmio_len != 0)
		aml_memory32(a, (uint32_t)d->mmio, d->mmio_len);
	if (d->gsi != PLATFORM_NO_GSI)
		aml_interrupt(a, d->gsi);
	aml_resources_end(a, resources);
}

static void dsdt_add_device(struct aml *a, const struct platform_device *d)
{
	enum { PRESENT_ENABLED_SHOWN_WORKING = 0xF }; /* 6.3.7 */
	size_t device = aml_device(a, d->name);

	aml_name(a, "_HID");
	aml_hardware_id(a, d->hid);
	aml_name(a, "_UID");
	aml_integer(a, d->uid);
	aml_name(a, "_STA");
	aml_integer(a, PRESENT_ENABLED_SHOWN_WORKING);
	aml_name(a, "_CRS");
	dsdt_add_resources(a, d);
	aml_end(a, device);
}

/*
 * The generation id, by its specification: ADDR is where it is, in two halves. Behind it the
 * generic event device (5.6.9) with its one interrupt, which tells the id's driver that there is
 * another. Linux gives an argument to methods of single interrupts, too, and complains that they
 * take none.
 */
static void dsdt_add_generation(struct aml *a)
{
	enum { CHANGED = 0x80 };
	size_t device, body;

	device = aml_device(a, "VGEN");
	aml_name(a, "_HID");
	aml_string(a, "VOLT0001");
	aml_name(a, "_CID");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "ADDR");
	body = aml_package(a, 2);
	aml_integer(a, LAYOUT_VMGENID);
	aml_integer(a, 0);
	aml_end(a, body);
	aml_end(a, device);

	device = aml_device(a, "GED");
	aml_name(a, "_HID");
	aml_string(a, "ACPI0013");
	aml_name(a, "_UID");
	aml_integer(a, 0);
	aml_name(a, "_CRS");
	body = aml_resources(a);
	aml_interrupt(a, LAYOUT_GSI_EVENT);
	aml_resources_end(a, body);
	body = aml_method(a, "_EVT", 1);
	aml_notify(a, "VGEN", CHANGED);
	aml_end(a, body);
	aml_end(a, device);
}

static uint8_t *dsdt_write(struct area *area, const struct platform *platform, struct verr *e)
{
	uint8_t *dsdt = area_take(area, HEADER_LEN, e);
	struct aml aml;
	size_t scope;

	if (dsdt == NULL)
		return NULL;
	aml = aml_over(dsdt + HEADER_LEN, AREA_SIZE - area->used);
	dsdt_add_s5(&aml);
	scope = aml_scope(&aml, "\\_SB");
	for (size_t i = 0; i < platform->ndevices; i++) {
		const struct platform_device *d = &platform->devices[i];

		if (!range_within(d->mmio, d->mmio_len, GIB(4))) {
			(void)verr_invalid(e, "device %s: registers at 0x%llx are not below 4 GiB",
					   d->name, (unsigned long long)d->mmio);
			return NULL;
		}
		dsdt_add_device(&aml, d);
		if (aml.problem != NULL) {
			(void)verr_invalid(e, "device %s: %s", d->name, aml.problem);
			return NULL;
		}
	}
	if (platform->generation)
		dsdt_add_generation(&aml);
	aml_end(&aml, scope);
	if (aml.problem != NULL) {
		(void)verr_invalid(e, "%zu devices: %s", platform->ndevices, aml.problem);
		return NULL;
	}
	area->used += aml.len;
	table_seal(dsdt, "DSDT", 2, HEADER_LEN + aml.len); /* 2: integers have 64 bits */
	return dsdt;
}

/* --- the tables of fixed form --- */

/* 5.2.3.2: a generic address: one byte-wide I/O port. */
static void gas_put_port(uint8_t *gas, uint16_t port)
{
	gas[0] = 1; /* I/O space */
	gas[1] = 8; /* bits */
	gas[3] = 1; /* access by bytes */
	put_le64(gas + 4, port);
}

static uint8_t *fadt_write(struct area *area, uint64_t dsdt, struct verr *e)
{
	uint8_t *fadt = area_take(area, FADT_LEN, e);

	if (fadt == NULL)
		return NULL;
	memset(fadt, 0, FADT_LEN);
	put_le16(fadt + FADT_BOOT_ARCH,
		 BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA | BOOT_NO_CMOS_RTC);
	put_le32(fadt + FADT_FLAGS, FLAG_WBINVD | FLAG_PROC_C1 | FLAG_PWR_BUTTON | FLAG_SLP_BUTTON |
					    FLAG_RESET_REG_SUP | FLAG_HW_REDUCED);
	gas_put_port(fadt + FADT_RESET_REG, LAYOUT_PORT_RESET);
	fadt[FADT_RESET_VALUE] = LAYOUT_RESET_VALUE;
	fadt[FADT_MINOR] = FADT_REVISION_MINOR;
	put_le64(fadt + FADT_X_DSDT, dsdt);
	gas_put_port(fadt + FADT_SLEEP_CONTROL, LAYOUT_PORT_SLEEP_CONTROL);
	gas_put_port(fadt + FADT_SLEEP_STATUS, LAYOUT_PORT_SLEEP_STATUS);
	table_seal(fadt, "FACP", FADT_REVISION, FADT_LEN);
	return fadt;
}

/* 5.2.12.2; the processor's uid counts as its APIC id does. */
static uint8_t *madt_put_lapic(uint8_t *entry, uint8_t id)
{
	entry[0] = MADT_LAPIC;
	entry[1] = MADT_LAPIC_LEN;
	entry[2] = id;
	entry[3] = id;
	put_le32(entry + 4, MADT_LAPIC_ENABLED);
	return entry + MADT_LAPIC_LEN;
}

/* 5.2.12.3 */
static uint8_t *madt_put_ioapic(uint8_t *entry, uint8_t id)
{
	entry[0] = MADT_IOAPIC;
	entry[1] = MADT_IOAPIC_LEN;
	entry[2] = id;
	entry[3] = 0;
	put_le32(entry + 4, LAYOUT_IOAPIC);
	put_le32(entry + 8, 0); /* its first global system interrupt */
	return entry + MADT_IOAPIC_LEN;
}

/* 5.2.12.7 */
static void madt_put_nmi(uint8_t *entry)
{
	entry[0] = MADT_LAPIC_NMI;
	entry[1] = MADT_LAPIC_NMI_LEN;
	entry[2] = MADT_ALL_CPUS;
	put_le16(entry + 3, 0); /* polarity and trigger as the bus has them */
	entry[5] = 1;           /* LINT1 */
}

/*
 * No interrupt source overrides (5.2.12.5): in KVM's routing ISA interrupt n is pin n, the timer's
 * included.
 */
static uint8_t *madt_write(struct area *area, uint32_t cpus, struct verr *e)
{
	size_t len =
		MADT_ENTRIES + (size_t)cpus * MADT_LAPIC_LEN + MADT_IOAPIC_LEN + MADT_LAPIC_NMI_LEN;
	uint8_t *madt = area_take(area, len, e);
	uint8_t *entry;

	if (madt == NULL)
		return NULL;
	put_le32(madt + MADT_LAPIC_ADDRESS, LAYOUT_LAPIC);
	put_le32(madt + MADT_FLAGS, MADT_PCAT_COMPAT);
	entry = madt + MADT_ENTRIES;
	for (uint32_t i = 0; i < cpus; i++)
		entry = madt_put_lapic(entry, (uint8_t)i);
	entry = madt_put_ioapic(entry, platform_ioapic_id(cpus));
	madt_put_nmi(entry);
	table_seal(madt, "APIC", MADT_REVISION, len);
	return madt;
}

static uint8_t *xsdt_write(struct area *area, uint64_t fadt, uint64_t madt, struct verr *e)
{
	const uint64_t tables[] = {fadt, madt};
	size_t len = HEADER_LEN + sizeof(tables);
	uint8_t *xsdt = area_take(area, len, e);

	if (xsdt == NULL)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		put_le64(xsdt + HEADER_LEN + i * sizeof(tables[0]), tables[i]);
	table_seal(xsdt, "XSDT", 1, len);
	return xsdt;
}

/* The RSDT is for 32-bit systems and is left out: its address is 0. */
static void rsdp_put(uint8_t *rsdp, uint64_t xsdt)
{
	memset(rsdp, 0, RSDP_LEN);
	put_text(rsdp, "RSD PTR ", 8);
	put_text(rsdp + RSDP_OEM_ID, OEM_ID, 6);
	rsdp[RSDP_REVISION] = 2;
	put_le32(rsdp + RSDP_LENGTH, RSDP_LEN);
	put_le64(rsdp + RSDP_XSDT, xsdt);
	rsdp[RSDP_CHECKSUM] = checksum_of(rsdp, RSDP_LEN_V0);
	rsdp[RSDP_CHECKSUM_ALL] = checksum_of(rsdp, RSDP_LEN);
}

static int tables_write(struct area *area, const struct platform *platform, struct verr *e)
{
	uint8_t *rsdp, *dsdt, *fadt, *madt, *xsdt;

	rsdp = area_take(area, RSDP_LEN, e);
	if (rsdp == NULL)
		return -1;
	dsdt = dsdt_write(area, platform, e);
	if (dsdt == NULL)
		return -1;
	fadt = fadt_write(area, area_gpa(area, dsdt), e);
	if (fadt == NULL)
		return -1;
	madt = madt_write(area, platform->cpus, e);
	if (madt == NULL)
		return -1;
	xsdt = xsdt_write(area, area_gpa(area, fadt), area_gpa(area, madt), e);
	if (xsdt == NULL)
		return -1;
	rsdp_put(rsdp, area_gpa(area, xsdt));
	return 0;
}

int acpi_write(struct mem *mem, const struct platform *platform, struct verr *e)
{
	struct area area = {.host = mem_ptr(mem, LAYOUT_ACPI, AREA_SIZE)};

	if (area.host == NULL)
		return verr_invalid(e, "ACPI tables: no guest memory at 0x%llx", LAYOUT_ACPI);
	if (platform->cpus < 1 || platform->cpus > PLATFORM_CPUS_MAX)
		return verr_invalid(e, "ACPI tables: %u CPUs", platform->cpus);
	if (tables_write(&area, platform, e) < 0)
		return verr_note(e, "ACPI tables");
	return 0;
}
