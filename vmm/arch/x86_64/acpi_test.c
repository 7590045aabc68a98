/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/arch/x86_64/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "vmm/arch/x86_64/layout.h"

#define HEADER_LEN 36
#define FADT_LEN 276

static const struct platform_device devices[] = {
	{.name = "COM1",
	 .hid = "PNP0501",
	 .uid = 1,
	 .ports = {{LAYOUT_PORT_COM1, 8}},
	 .gsi = LAYOUT_GSI_COM1},
	{.name = "KBD",
	 .hid = "PNP0303",
	 .ports = {{LAYOUT_PORT_I8042_DATA, 1}, {LAYOUT_PORT_I8042_COMMAND, 1}},
	 .gsi = LAYOUT_GSI_I8042},
	{.name = "PEVT",
	 .hid = "QEMU0001",
	 .ports = {{LAYOUT_PORT_PVPANIC, 1}},
	 .gsi = PLATFORM_NO_GSI},
	{.name = "V003",
	 .hid = "LNRO0005",
	 .uid = 3,
	 .mmio = LAYOUT_VIRTIO_MMIO + 3 * LAYOUT_VIRTIO_MMIO_STRIDE,
	 .mmio_len = LAYOUT_VIRTIO_MMIO_STRIDE,
	 .gsi = LAYOUT_GSI_VIRTIO_FIRST + 3},
};

/*
 * `devices` as iasl 20200925 compiles them (iasl -oa):
 *
 *	DefinitionBlock ("", "DSDT", 2, "VOLT  ", "MICROVM ", 1) {
 *	  Name (_S5, Package (4) { 5, Zero, Zero, Zero })
 *	  Scope (\_SB) {
 *	    Device (COM1) {
 *	      Name (_HID, EisaId ("PNP0501"))
 *	      Name (_UID, One)
 *	      Name (_STA, 0x0F)
 *	      Name (_CRS, ResourceTemplate () {
 *	        IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
 *	        Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
 *	      })
 *	    }
 *	    Device (KBD) {
 *	      Name (_HID, EisaId ("PNP0303"))
 *	      Name (_UID, Zero)
 *	      Name (_STA, 0x0F)
 *	      Name (_CRS, ResourceTemplate () {
 *	        IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
 *	        IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
 *	        Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 1 }
 *	      })
 *	    }
 *	    Device (PEVT) {
 *	      Name (_HID, "QEMU0001")
 *	      Name (_UID, Zero)
 *	      Name (_STA, 0x0F)
 *	      Name (_CRS, ResourceTemplate () { IO (Decode16, 0x0505, 0x0505, 0x01, 0x01) })
 *	    }
 *	    Device (V003) {
 *	      Name (_HID, "LNRO0005")
 *	      Name (_UID, 3)
 *	      Name (_STA, 0x0F)
 *	      Name (_CRS, ResourceTemplate () {
 *	        Memory32Fixed (ReadWrite, 0xC0003000, 0x00001000)
 *	        Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 8 }
 *	      })
 *	    }
 *	  }
 *	}
 */
static const uint8_t compiled[] = {
	0x08, 0x5F, 0x53, 0x35, 0x5F, 0x12, 0x07, 0x04, 0x0A, 0x05, 0x00, 0x00, 0x00, 0x10, 0x4F,
	0x0F, 0x5C, 0x5F, 0x53, 0x42, 0x5F, 0x5B, 0x82, 0x38, 0x43, 0x4F, 0x4D, 0x31, 0x08, 0x5F,
	0x48, 0x49, 0x44, 0x0C, 0x41, 0xD0, 0x05, 0x01, 0x08, 0x5F, 0x55, 0x49, 0x44, 0x01, 0x08,
	0x5F, 0x53, 0x54, 0x41, 0x0A, 0x0F, 0x08, 0x5F, 0x43, 0x52, 0x53, 0x11, 0x16, 0x0A, 0x13,
	0x47, 0x01, 0xF8, 0x03, 0xF8, 0x03, 0x01, 0x08, 0x89, 0x06, 0x00, 0x03, 0x01, 0x04, 0x00,
	0x00, 0x00, 0x79, 0x00, 0x5B, 0x82, 0x41, 0x04, 0x4B, 0x42, 0x44, 0x5F, 0x08, 0x5F, 0x48,
	0x49, 0x44, 0x0C, 0x41, 0xD0, 0x03, 0x03, 0x08, 0x5F, 0x55, 0x49, 0x44, 0x00, 0x08, 0x5F,
	0x53, 0x54, 0x41, 0x0A, 0x0F, 0x08, 0x5F, 0x43, 0x52, 0x53, 0x11, 0x1E, 0x0A, 0x1B, 0x47,
	0x01, 0x60, 0x00, 0x60, 0x00, 0x01, 0x01, 0x47, 0x01, 0x64, 0x00, 0x64, 0x00, 0x01, 0x01,
	0x89, 0x06, 0x00, 0x03, 0x01, 0x01, 0x00, 0x00, 0x00, 0x79, 0x00, 0x5B, 0x82, 0x34, 0x50,
	0x45, 0x56, 0x54, 0x08, 0x5F, 0x48, 0x49, 0x44, 0x0D, 0x51, 0x45, 0x4D, 0x55, 0x30, 0x30,
	0x30, 0x31, 0x00, 0x08, 0x5F, 0x55, 0x49, 0x44, 0x00, 0x08, 0x5F, 0x53, 0x54, 0x41, 0x0A,
	0x0F, 0x08, 0x5F, 0x43, 0x52, 0x53, 0x11, 0x0D, 0x0A, 0x0A, 0x47, 0x01, 0x05, 0x05, 0x05,
	0x05, 0x01, 0x01, 0x79, 0x00, 0x5B, 0x82, 0x43, 0x04, 0x56, 0x30, 0x30, 0x33, 0x08, 0x5F,
	0x48, 0x49, 0x44, 0x0D, 0x4C, 0x4E, 0x52, 0x4F, 0x30, 0x30, 0x30, 0x35, 0x00, 0x08, 0x5F,
	0x55, 0x49, 0x44, 0x0A, 0x03, 0x08, 0x5F, 0x53, 0x54, 0x41, 0x0A, 0x0F, 0x08, 0x5F, 0x43,
	0x52, 0x53, 0x11, 0x1A, 0x0A, 0x17, 0x86, 0x09, 0x00, 0x01, 0x00, 0x30, 0x00, 0xC0, 0x00,
	0x10, 0x00, 0x00, 0x89, 0x06, 0x00, 0x03, 0x01, 0x08, 0x00, 0x00, 0x00, 0x79, 0x00,
};

/*
 * A machine with a generation id and no other devices, compiled likewise:
 *
 *	DefinitionBlock ("", "DSDT", 2, "VOLT  ", "MICROVM ", 1) {
 *	  Name (_S5, Package (4) { 5, Zero, Zero, Zero })
 *	  Scope (\_SB) {
 *	    Device (VGEN) {
 *	      Name (_HID, "VOLT0001")
 *	      Name (_CID, "VM_Gen_Counter")
 *	      Name (_DDN, "VM_Gen_Counter")
 *	      Name (ADDR, Package (2) { 0x000EF000, Zero })
 *	    }
 *	    Device (GED) {
 *	      Name (_HID, "ACPI0013")
 *	      Name (_UID, Zero)
 *	      Name (_CRS, ResourceTemplate () {
 *	        Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 3 }
 *	      })
 *	      Method (_EVT, 1, NotSerialized) { Notify (VGEN, 0x80) }
 *	    }
 *	  }
 *	}
 */
static const uint8_t compiled_generation[] = {
	0x08, 0x5F, 0x53, 0x35, 0x5F, 0x12, 0x07, 0x04, 0x0A, 0x05, 0x00, 0x00, 0x00, 0x10, 0x44,
	0x09, 0x5C, 0x5F, 0x53, 0x42, 0x5F, 0x5B, 0x82, 0x4D, 0x04, 0x56, 0x47, 0x45, 0x4E, 0x08,
	0x5F, 0x48, 0x49, 0x44, 0x0D, 0x56, 0x4F, 0x4C, 0x54, 0x30, 0x30, 0x30, 0x31, 0x00, 0x08,
	0x5F, 0x43, 0x49, 0x44, 0x0D, 0x56, 0x4D, 0x5F, 0x47, 0x65, 0x6E, 0x5F, 0x43, 0x6F, 0x75,
	0x6E, 0x74, 0x65, 0x72, 0x00, 0x08, 0x5F, 0x44, 0x44, 0x4E, 0x0D, 0x56, 0x4D, 0x5F, 0x47,
	0x65, 0x6E, 0x5F, 0x43, 0x6F, 0x75, 0x6E, 0x74, 0x65, 0x72, 0x00, 0x08, 0x41, 0x44, 0x44,
	0x52, 0x12, 0x08, 0x02, 0x0C, 0x00, 0xF0, 0x0E, 0x00, 0x00, 0x5B, 0x82, 0x3C, 0x47, 0x45,
	0x44, 0x5F, 0x08, 0x5F, 0x48, 0x49, 0x44, 0x0D, 0x41, 0x43, 0x50, 0x49, 0x30, 0x30, 0x31,
	0x33, 0x00, 0x08, 0x5F, 0x55, 0x49, 0x44, 0x00, 0x08, 0x5F, 0x43, 0x52, 0x53, 0x11, 0x0E,
	0x0A, 0x0B, 0x89, 0x06, 0x00, 0x03, 0x01, 0x03, 0x00, 0x00, 0x00, 0x79, 0x00, 0x14, 0x0D,
	0x5F, 0x45, 0x56, 0x54, 0x01, 0x86, 0x56, 0x47, 0x45, 0x4E, 0x0A, 0x80,
};

static struct mem *memory_new(void)
{
	const struct mem_options options = {.size = MIB(1), .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct mem *mem = NULL;

	assert_int_equal(mem_new(&options, &mem, &e), 0);
	return mem;
}

static int setup(void **state)
{
	*state = memory_new();
	return 0;
}

static int teardown(void **state)
{
	*state = mem_free(*state);
	return 0;
}

static void write_tables(struct mem *mem, uint32_t cpus, const struct platform_device *list,
			 size_t count)
{
	struct platform platform = {.cpus = cpus, .devices = list, .ndevices = count};
	struct verr e = VERR_INIT;

	if (acpi_write(mem, &platform, &e) < 0)
		fail_msg("%s", e.text);
}

static uint8_t sum_of(const uint8_t *at, size_t len)
{
	unsigned sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += at[i];
	return (uint8_t)sum;
}

/* A table in the ACPI area, all of it, with a right checksum and the expected signature. */
static const uint8_t *table_at(struct mem *mem, uint64_t gpa, const char *signature)
{
	const uint8_t *table = mem_ptr(mem, gpa, HEADER_LEN);
	uint32_t len;

	assert_non_null(table);
	len = le32(table + 4);
	assert_true(len >= HEADER_LEN);
	assert_in_range(gpa, LAYOUT_ACPI, LAYOUT_ACPI_END - len);
	assert_int_equal(gpa % 16, 0);
	assert_memory_equal(table, signature, 4);
	assert_int_equal(sum_of(table, len), 0);
	assert_memory_equal(table + 10, "VOLT  ", 6);
	return table;
}

static const uint8_t *xsdt_of(struct mem *mem)
{
	const uint8_t *rsdp = mem_ptr(mem, LAYOUT_ACPI, 36);

	assert_non_null(rsdp);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum_of(rsdp, 20), 0);
	assert_int_equal(sum_of(rsdp, 36), 0);
	assert_int_equal(rsdp[15], 2);
	assert_int_equal(le32(rsdp + 16), 0);
	assert_int_equal(le32(rsdp + 20), 36);
	return table_at(mem, le64(rsdp + 24), "XSDT");
}

static const uint8_t *fadt_of(struct mem *mem)
{
	return table_at(mem, le64(xsdt_of(mem) + HEADER_LEN), "FACP");
}

static const uint8_t *madt_of(struct mem *mem)
{
	return table_at(mem, le64(xsdt_of(mem) + HEADER_LEN + 8), "APIC");
}

static const uint8_t *dsdt_of(struct mem *mem)
{
	return table_at(mem, le64(fadt_of(mem) + 140), "DSDT");
}

static void test_xsdt_lists_fadt_and_madt(void **state)
{
	const uint8_t *xsdt;

	write_tables(*state, 1, devices, ARRAY_LEN(devices));
	xsdt = xsdt_of(*state);
	assert_int_equal(le32(xsdt + 4), HEADER_LEN + 16);
	assert_int_equal(xsdt[8], 1);
	(void)fadt_of(*state);
	(void)madt_of(*state);
}

static void check_port(const uint8_t *gas, uint16_t port)
{
	const uint8_t io_space_8_bits[] = {1, 8, 0, 1};

	assert_memory_equal(gas, io_space_8_bits, 4);
	assert_int_equal(le64(gas + 4), port);
}

static void test_fadt_is_hardware_reduced(void **state)
{
	const uint8_t *fadt;

	write_tables(*state, 1, devices, ARRAY_LEN(devices));
	fadt = fadt_of(*state);
	assert_int_equal(le32(fadt + 4), FADT_LEN);
	assert_int_equal(fadt[8], 6);   /* ACPI 6 */
	assert_int_equal(fadt[131], 4); /* .4 */
	/* HW_REDUCED_ACPI, RESET_REG_SUP, no fixed buttons, C1 and WBINVD work */
	assert_int_equal(le32(fadt + 112), 1 << 20 | 1 << 10 | 3 << 4 | 1 << 2 | 1);
	/* ISA devices, an i8042; no VGA, no CMOS RTC; MSI and ASPM not denied */
	assert_int_equal(le16(fadt + 109), 1 << 0 | 1 << 1 | 1 << 2 | 1 << 5);
	check_port(fadt + 116, LAYOUT_PORT_RESET);
	assert_int_equal(fadt[128], LAYOUT_RESET_VALUE);
	check_port(fadt + 244, LAYOUT_PORT_SLEEP_CONTROL);
	check_port(fadt + 256, LAYOUT_PORT_SLEEP_STATUS);
}

/* No FACS, SCI, power management ports or timer. */
static void test_fadt_leaves_fixed_hardware_out(void **state)
{
	static const uint8_t zeros[FADT_LEN];
	const uint8_t *fadt;

	write_tables(*state, 1, devices, ARRAY_LEN(devices));
	fadt = fadt_of(*state);
	assert_memory_equal(fadt + 36, zeros, 109 - 36);
	assert_memory_equal(fadt + 132, zeros, 140 - 132);
	assert_memory_equal(fadt + 148, zeros, 244 - 148);
}

static void check_madt(struct mem *mem, uint32_t cpus)
{
	static const uint8_t nmi[] = {4, 6, 0xFF, 0, 0, 1};
	const uint8_t *madt, *entry;

	write_tables(mem, cpus, devices, ARRAY_LEN(devices));
	madt = madt_of(mem);
	assert_int_equal(le32(madt + 4), 44 + cpus * 8 + 12 + 6);
	assert_int_equal(le32(madt + 36), LAYOUT_LAPIC);
	assert_int_equal(le32(madt + 40), 1);
	entry = madt + 44;
	for (uint32_t i = 0; i < cpus; i++, entry += 8) {
		const uint8_t lapic[] = {0, 8, (uint8_t)i, (uint8_t)i, 1, 0, 0, 0};

		assert_memory_equal(entry, lapic, sizeof(lapic));
	}
	assert_int_equal(entry[0], 1);
	assert_int_equal(entry[1], 12);
	assert_true(entry[2] >= cpus); /* no CPU has this id */
	assert_int_equal(le32(entry + 4), LAYOUT_IOAPIC);
	assert_int_equal(le32(entry + 8), 0);
	assert_memory_equal(entry + 12, nmi, sizeof(nmi));
}

static void test_madt_lists_every_cpu(void **state)
{
	static const uint32_t counts[] = {1, 2, 254, 255};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct mem *mem = memory_new();

		check_madt(mem, counts[i]);
		(void)mem_free(mem);
	}
}

static void test_generation_matches_the_compiler(void **state)
{
	const struct platform platform = {.cpus = 1, .generation = true};
	struct verr e = VERR_INIT;
	const uint8_t *dsdt;

	assert_int_equal(acpi_write(*state, &platform, &e), 0);
	dsdt = dsdt_of(*state);
	assert_int_equal(le32(dsdt + 4), HEADER_LEN + sizeof(compiled_generation));
	assert_memory_equal(dsdt + HEADER_LEN, compiled_generation, sizeof(compiled_generation));
}

/* Beside the tables, where nothing else is, and never the same. */
static void test_generation_changes(void **state)
{
	const uint8_t *id = mem_ptr(*state, LAYOUT_VMGENID, VMGENID_LEN);
	uint8_t before[VMGENID_LEN];
	struct verr e = VERR_INIT;

	assert_true(LAYOUT_VMGENID >= LAYOUT_ACPI_END);
	assert_true(LAYOUT_VMGENID + VMGENID_LEN <= LAYOUT_MPTABLE);
	assert_int_equal(vmgenid_write(*state, &e), 0);
	memcpy(before, id, sizeof(before));
	assert_int_equal(vmgenid_write(*state, &e), 0);
	assert_memory_not_equal(id, before, sizeof(before));
}

static void test_dsdt_matches_the_compiler(void **state)
{
	const uint8_t *dsdt;

	write_tables(*state, 1, devices, ARRAY_LEN(devices));
	dsdt = dsdt_of(*state);
	assert_int_equal(dsdt[8], 2);
	assert_int_equal(le32(dsdt + 4), HEADER_LEN + sizeof(compiled));
	assert_memory_equal(dsdt + HEADER_LEN, compiled, sizeof(compiled));
}

/* \_S5 is Package (4) { SLP_TYP, ... }: 08 "_S5_" 12 length 04 0A type. */
static void test_s5_has_the_sleep_type(void **state)
{
	const uint8_t *dsdt;

	write_tables(*state, 1, NULL, 0);
	dsdt = dsdt_of(*state);
	assert_memory_equal(dsdt + HEADER_LEN + 1, "_S5_", 4);
	assert_int_equal(dsdt[HEADER_LEN + 8], 0x0A);
	assert_int_equal(dsdt[HEADER_LEN + 9], LAYOUT_SLEEP_TYPE_S5);
}

static void test_largest_machine_fits(void **state)
{
	struct platform_device many[PLATFORM_DEVICES_MAX];
	char names[PLATFORM_DEVICES_MAX][5];

	for (unsigned i = 0; i < ARRAY_LEN(many); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "V%03u", i % 1000);
		many[i] = devices[3];
		many[i].name = names[i];
		many[i].uid = i;
		many[i].ports[0] = many[i].ports[1] = (struct platform_ports){0x100, 1};
	}
	write_tables(*state, PLATFORM_CPUS_MAX, many, ARRAY_LEN(many));
	(void)madt_of(*state);
	(void)dsdt_of(*state);
}

static void check_fault(struct mem *mem, uint32_t cpus, const struct platform_device *list,
			size_t count, const char *text)
{
	struct platform platform = {.cpus = cpus, .devices = list, .ndevices = count};
	struct verr e = VERR_INIT;

	assert_int_equal(acpi_write(mem, &platform, &e), -1);
	assert_int_equal(e.kind, VERR_INVALID);
	assert_string_equal(e.text, text);
}

/* Everything between the tables' area and the next, where an overflow would land. */
static void test_overflow_is_a_fault(void **state)
{
	static struct platform_device many[2000];
	static const uint8_t zeros[LAYOUT_MPTABLE_END - LAYOUT_ACPI_END];

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = devices[3];
	check_fault(*state, 1, many, ARRAY_LEN(many),
		    "ACPI tables: device V003: the AML does not fit");
	assert_memory_equal(mem_ptr(*state, LAYOUT_ACPI_END, sizeof(zeros)), zeros, sizeof(zeros));
}

/* From the first count of devices that leaves no room for the MADT to that which fills the DSDT. */
static void test_overflow_by_the_later_tables_is_a_fault(void **state)
{
	static struct platform_device many[2000];
	static const uint8_t zeros[LAYOUT_MPTABLE_END - LAYOUT_ACPI_END];
	struct platform platform = {.cpus = PLATFORM_CPUS_MAX, .devices = many};
	bool dsdt = false, others = false;

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = devices[3];
	for (platform.ndevices = 800; platform.ndevices < ARRAY_LEN(many); platform.ndevices++) {
		struct verr e = VERR_INIT;

		if (acpi_write(*state, &platform, &e) == 0)
			continue;
		if (strstr(e.text, "the AML does not fit") != NULL) {
			dsdt = true;
			break;
		}
		assert_string_equal(e.text, "ACPI tables: they need more than 61440 bytes");
		others = true;
	}
	assert_true(others && dsdt);
	assert_memory_equal(mem_ptr(*state, LAYOUT_ACPI_END, sizeof(zeros)), zeros, sizeof(zeros));
}

static void test_bad_devices_are_faults(void **state)
{
	struct platform_device bad = devices[3];

	bad.name = "virt";
	check_fault(*state, 1, &bad, 1, "ACPI tables: device virt: bad ACPI name");
	bad.name = "V000";
	bad.mmio = GIB(4) - bad.mmio_len + 1;
	check_fault(*state, 1, &bad, 1,
		    "ACPI tables: device V000: registers at 0xfffff001 are not below 4 GiB");
}

static void test_bad_cpus_are_faults(void **state)
{
	check_fault(*state, 0, NULL, 0, "ACPI tables: 0 CPUs");
	check_fault(*state, 256, NULL, 0, "ACPI tables: 256 CPUs");
}

#define TABLE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TABLE_TEST(test_xsdt_lists_fadt_and_madt),
		TABLE_TEST(test_fadt_is_hardware_reduced),
		TABLE_TEST(test_fadt_leaves_fixed_hardware_out),
		cmocka_unit_test(test_madt_lists_every_cpu),
		TABLE_TEST(test_dsdt_matches_the_compiler),
		TABLE_TEST(test_generation_matches_the_compiler),
		TABLE_TEST(test_generation_changes),
		TABLE_TEST(test_s5_has_the_sleep_type),
		TABLE_TEST(test_largest_machine_fits),
		TABLE_TEST(test_overflow_is_a_fault),
		TABLE_TEST(test_overflow_by_the_later_tables_is_a_fault),
		TABLE_TEST(test_bad_devices_are_faults),
		TABLE_TEST(test_bad_cpus_are_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
