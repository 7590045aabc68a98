/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot/cmdline.h"

#include <stdlib.h>

#include "base/test.h"

static int build(const char *base, bool acpi, char *const *workload, struct cmdline *line,
		 struct verr *e)
{
	struct cmdline_parts parts = {
		.base = base, .console = true, .acpi = acpi, .workload = workload};

	*e = (struct verr)VERR_INIT;
	return cmdline_build(&parts, line, e);
}

#define COMMAND(...) ((char *[]){__VA_ARGS__, NULL})

static void test_default(void **state)
{
	struct cmdline line;
	struct verr e;

	(void)state;
	assert_ok(build(NULL, true, NULL, &line, &e), &e);
	assert_memory_equal(line.text, "console=ttyS0 ", 14);
	assert_null(strstr(line.text, "acpi=off"));
	assert_null(strstr(line.text, " -- "));
	assert_int_equal(line.len, strlen(line.text));
	assert_ok(build(NULL, false, NULL, &line, &e), &e);
	assert_non_null(strstr(line.text, " acpi=off"));
}

static void test_user_line(void **state)
{
	struct cmdline line;
	struct verr e;

	(void)state;
	assert_ok(build("a b", true, NULL, &line, &e), &e);
	assert_string_equal(line.text, "a b");
	assert_ok(build("", false, NULL, &line, &e), &e);
	assert_string_equal(line.text, "acpi=off");
	assert_fault(build("a -- b", true, COMMAND("x"), &line, &e), &e, VERR_INVALID,
		     "of its own beside a COMMAND");
	assert_ok(build("a --", false, NULL, &line, &e), &e);
	assert_string_equal(line.text, "a acpi=off --");
	assert_ok(build("acpi=off a -- b", false, NULL, &line, &e), &e);
	assert_string_equal(line.text, "acpi=off a -- b");
	assert_ok(build("a--b", true, COMMAND("x"), &line, &e), &e);
}

static const char *with_ips(const char *base, const char *const *ips, size_t nips,
			    struct cmdline *line)
{
	struct cmdline_parts parts = {
		.base = base, .acpi = true, .ips = ips, .nips = nips, .workload = COMMAND("x")};
	struct verr e = VERR_INIT;

	assert_ok(cmdline_build(&parts, line, &e), &e);
	return line->text;
}

static void test_addresses(void **state)
{
	static const char *const ips[] = {"dhcp", NULL, "10.0.0.2/24+10.0.0.1+fd00::2/64", "none"};
	struct cmdline line;

	(void)state;
	assert_string_equal(with_ips("a", ips, 4, &line),
			    "a volt.ip.eth0=dhcp volt.ip.eth2=10.0.0.2/24,10.0.0.1 "
			    "volt.ip.eth2=fd00::2/64 -- x");
	assert_non_null(strstr(with_ips(NULL, ips, 1, &line), " volt.ip.eth0=dhcp -- x"));
	/* What the user has said stays. */
	assert_string_equal(with_ips("volt.ip=1.1.1.1/8 volt.ip.eth2=dhcp", ips, 4, &line),
			    "volt.ip=1.1.1.1/8 volt.ip.eth2=dhcp -- x");
	assert_string_equal(with_ips("volt.ip.eth0=1.1.1.1/8", ips, 1, &line),
			    "volt.ip.eth0=1.1.1.1/8 -- x");
}

static const char *with_init(const char *base, bool readonly, const char *init,
			     struct cmdline *line)
{
	struct cmdline_parts parts = {
		.base = base, .acpi = true, .root = true, .root_readonly = readonly, .init = init};
	struct verr e = VERR_INIT;

	assert_ok(cmdline_build(&parts, line, &e), &e);
	return line->text;
}

static const char *with_root(const char *base, bool readonly, struct cmdline *line)
{
	return with_init(base, readonly, "/sbin/volt-init", line);
}

static void test_root_disk(void **state)
{
	struct cmdline line;

	(void)state;
	assert_non_null(
		strstr(with_root(NULL, false, &line), " root=/dev/vda rw init=/sbin/volt-init"));
	assert_string_equal(with_root("a", true, &line), "a root=/dev/vda ro init=/sbin/volt-init");
	/* What the user has said is not said again. */
	assert_string_equal(with_root("ro root=/dev/vdb", false, &line),
			    "ro root=/dev/vdb init=/sbin/volt-init");
	assert_string_equal(with_root("init=/bin/sh -- -x", false, &line),
			    "init=/bin/sh root=/dev/vda rw -- -x");
	assert_string_equal(with_init("a", true, NULL, &line), "a root=/dev/vda ro");
	/* Words that only look alike. */
	assert_string_equal(with_root("rows=1 xroot=2 rdinit=3", false, &line),
			    "rows=1 xroot=2 rdinit=3 root=/dev/vda rw init=/sbin/volt-init");
}

static void test_devices_without_acpi(void **state)
{
	const struct platform_device devices[] = {
		{.name = "COM1", .gsi = 4},
		{.name = "VR00", .mmio = 0xC0000000, .mmio_len = 0x1000, .gsi = 5},
		{.name = "VR01", .mmio = 0xC0001000, .mmio_len = 0x1000, .gsi = 6},
	};
	const struct platform platform = {.devices = devices, .ndevices = ARRAY_LEN(devices)};
	struct cmdline_parts parts = {.base = "a", .platform = &platform};
	struct verr e = VERR_INIT;
	struct cmdline line;

	(void)state;
	assert_ok(cmdline_build(&parts, &line, &e), &e);
	assert_string_equal(line.text, "a acpi=off virtio_mmio.device=4K@0xc0000000:5 "
				       "virtio_mmio.device=4K@0xc0001000:6");
	/* One way or the other: a device that is announced twice is there twice. */
	parts.acpi = true;
	assert_ok(cmdline_build(&parts, &line, &e), &e);
	assert_string_equal(line.text, "a");
}

static void test_workload_encoding(void **state)
{
	struct cmdline line;
	struct verr e;

	(void)state;
	assert_ok(build("q", true, COMMAND("echo", "hello world", "", "\"%\n\xC3\xA9"), &line, &e),
		  &e);
	assert_string_equal(line.text, "q -- echo%00hello%20world%00%00%22%25%0A%C3%A9");
}

/* A pager waits for a key, unless it is told that there is nobody. */
static void test_unattended(void **state)
{
	struct cmdline_parts parts = {
		.base = "a", .acpi = true, .workload = COMMAND("x"), .unattended = true};
	struct verr e = VERR_INIT;
	struct cmdline line;

	(void)state;
	assert_ok(cmdline_build(&parts, &line, &e), &e);
	assert_string_equal(line.text, "a PAGER=cat -- x");
	parts.base = "PAGER=less";
	assert_ok(cmdline_build(&parts, &line, &e), &e);
	assert_string_equal(line.text, "PAGER=less -- x");
	parts.workload = NULL;
	parts.base = "a";
	assert_ok(cmdline_build(&parts, &line, &e), &e);
	assert_string_equal(line.text, "a");
}

static void test_too_long(void **state)
{
	char arg[VOLT_CMDLINE_SIZE];
	struct cmdline line;
	struct verr e;

	(void)state;
	memset(arg, 'a', sizeof(arg));
	arg[VOLT_CMDLINE_SIZE - 1 - 5] = '\0'; /* "q" and " -- " before it: just fits */
	assert_ok(build("q", true, COMMAND(arg), &line, &e), &e);
	assert_int_equal(line.len, VOLT_CMDLINE_SIZE - 1);
	assert_fault(build("qq", true, COMMAND(arg), &line, &e), &e, VERR_INVALID,
		     "is 2048 bytes long, at most 2047");
	memset(arg, ' ', sizeof(arg) - 1);
	arg[VOLT_CMDLINE_SIZE - 1] = '\0'; /* three bytes each */
	assert_fault(build("q", true, COMMAND(arg), &line, &e), &e, VERR_INVALID,
		     "is 6146 bytes long");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_user_line),
		cmocka_unit_test(test_root_disk),
		cmocka_unit_test(test_devices_without_acpi),
		cmocka_unit_test(test_workload_encoding),
		cmocka_unit_test(test_unattended),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
