/* SPDX-License-Identifier: Apache-2.0 */
/* From PUTs to a configuration, as a configuration file's resources come, too. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/firecracker/bootargs.h"
#include "vmm/firecracker/priv.h"

static struct firecracker *make(void)
{
	const struct firecracker_options options = {.id = "x"};
	struct firecracker *f = NULL;
	struct verr e = VERR_INIT;

	assert_ok(firecracker_new(&options, &f, &e), &e);
	return f;
}

static int put_text(struct firecracker *f, const char *path, const char *text, struct verr *e)
{
	auto_json *body = json_loads(text, 0, NULL);

	assert_non_null(body);
	*e = (struct verr)VERR_INIT;
	return firecracker_put(f, path, body, e);
}

static void put(struct firecracker *f, const char *path, const char *text)
{
	struct verr e;

	assert_ok(put_text(f, path, text, &e), &e);
}

static void configured(const struct firecracker *f, struct config *c)
{
	struct verr e = VERR_INIT;

	config_init(c);
	assert_ok(firecracker_configure(f, c, &e), &e);
	assert_ok(config_check(c, &e), &e);
}

#define BOOT "{\"kernel_image_path\":\"/dev/null\",\"boot_args\":\"a\"}"

static void test_whole_machine(void **state)
{
	struct firecracker *f = make();
	struct config c;

	(void)state;
	put(f, "/boot-source", BOOT);
	put(f, "/machine-config", "{\"vcpu_count\":3,\"mem_size_mib\":129}");
	put(f, "/drives/data",
	    "{\"drive_id\":\"data\",\"is_root_device\":false,"
	    "\"path_on_host\":\"/dev/zero\",\"cache_type\":\"Writeback\"}");
	put(f, "/drives/r",
	    "{\"drive_id\":\"r\",\"is_root_device\":true,\"is_read_only\":true,"
	    "\"path_on_host\":\"/dev/null\",\"io_engine\":\"Async\"}");
	put(f, "/network-interfaces/n",
	    "{\"iface_id\":\"n\",\"host_dev_name\":\"t0\",\"mtu\":1400,"
	    "\"guest_mac\":\"02:00:00:00:00:01\"}");
	put(f, "/entropy", "{}");
	put(f, "/cpu-config",
	    "{\"cpuid_modifiers\":[{\"leaf\":\"0x7\",\"subleaf\":\"0x0\",\"flags\":1,"
	    "\"modifiers\":[{\"register\":\"ebx\",\"bitmap\":\"0b0xx\"},{\"register\":\"ecx\","
	    "\"bitmap\":\"0bx0\"}]}]}");
	put(f, "/serial", "{\"serial_out_path\":\"out\"}");
	put(f, "/logger", "{\"log_path\":\"log\",\"level\":\"Debug\"}");
	put(f, "/metrics", "{\"metrics_path\":\"m\"}");
	configured(f, &c);
	assert_string_equal(c.kernel, "/dev/null");
	assert_string_equal(c.cmdline, "a pci=off root=/dev/vda ro");
	assert_string_equal(c.init, "none");
	assert_string_equal(c.cpuid, "0x7:0x0:ebx=0b0xx+0x7:0x0:ecx=0bx0");
	assert_int_equal(c.cpus, 3);
	assert_true(c.memory == MIB(129) && c.huge_pages == MEM_HUGE_OFF && c.rng);
	/* The root disk is the guest's first. */
	assert_int_equal(c.drives.count, 2);
	assert_string_equal(config_drives(&c)[0].id, "r");
	assert_true(config_drives(&c)[0].readonly && config_drives(&c)[0].root);
	assert_int_equal(config_drives(&c)[0].engine, DISK_ENGINE_IO_URING);
	assert_int_equal(config_drives(&c)[0].cache, DISK_CACHE_UNSAFE);
	assert_int_equal(config_drives(&c)[1].engine, DISK_ENGINE_AUTO);
	assert_int_equal(config_drives(&c)[1].cache, DISK_CACHE_WRITEBACK);
	assert_string_equal(config_nets(&c)[0].tap, "t0");
	assert_string_equal(config_nets(&c)[0].mac, "02:00:00:00:00:01");
	assert_int_equal(config_nets(&c)[0].mtu, 1400);
	assert_string_equal(c.console, "file=out");
	assert_string_equal(c.log_path, "log");
	assert_int_equal(c.log_level, 3);
	assert_string_equal(c.metrics_path, "m");
	assert_null(c.live_dir); /* /dev is the host's */
	config_deinit(&c);
	(void)firecracker_free(f);
}

static void test_defaults(void **state)
{
	struct firecracker *f = make();
	struct config c;

	(void)state;
	put(f, "/boot-source", "{\"kernel_image_path\":\"/dev/null\"}");
	configured(f, &c);
	assert_int_equal(c.cpus, 1);
	assert_true(c.memory == MIB(128) && !c.rng && c.live_dir == NULL);
	assert_non_null(strstr(c.cmdline, "reboot=k panic=1 "));
	assert_null(strstr(c.cmdline, "root="));
	config_deinit(&c);
	(void)firecracker_free(f);
}

/* What the command line has said stays where no request says otherwise. */
static void test_over_a_command_line(void **state)
{
	struct firecracker *f = make();
	struct verr e = VERR_INIT;
	struct config c;

	(void)state;
	config_init(&c);
	c.cpus = 5;
	c.live_dir = strdup("/srv");
	put(f, "/boot-source", BOOT);
	assert_ok(firecracker_configure(f, &c, &e), &e);
	assert_int_equal(c.cpus, 5);
	assert_string_equal(c.live_dir, "/srv");
	config_deinit(&c);
	(void)firecracker_free(f);
}

static void test_replaced(void **state)
{
	struct firecracker *f = make();
	struct config c;
	struct verr e;

	(void)state;
	put(f, "/boot-source", BOOT);
	put(f, "/drives/a",
	    "{\"drive_id\":\"a\",\"is_root_device\":true,\"path_on_host\":\"/dev/null\"}");
	put(f, "/drives/a",
	    "{\"drive_id\":\"a\",\"is_root_device\":true,\"path_on_host\":\"/dev/zero\"}");
	assert_fault(put_text(f, "/drives/b",
			      "{\"drive_id\":\"b\",\"is_root_device\":true,\"path_on_host\":\"/dev/"
			      "zero\"}",
			      &e),
		     &e, VERR_INVALID, "A root block device already exists!");
	put(f, "/metrics", "{\"metrics_path\":\"m\"}");
	assert_fault(put_text(f, "/metrics", "{\"metrics_path\":\"n\"}", &e), &e, VERR_STATE,
		     "already initialized");
	configured(f, &c);
	assert_int_equal(c.drives.count, 1);
	assert_string_equal(config_drives(&c)[0].path, "/dev/zero");
	assert_string_equal(c.metrics_path, "m");
	config_deinit(&c);
	(void)firecracker_free(f);
}

static void test_faults(void **state)
{
	static const struct {
		const char *path, *body, *why;
	} rows[] = {
		{"/boot-source", "{\"kernel_image_path\":\"/none\"}",
		 "The kernel file cannot be opened: /none: No such file"},
		{"/boot-source", "{\"kernel_image_path\":\"/dev/null\",\"initrd_path\":\"/none\"}",
		 "The initrd file cannot be opened"},
		{"/drives/a",
		 "{\"drive_id\":\"a\",\"is_root_device\":false,\"path_on_host\":\"/none\"}",
		 "No such file"},
		{"/drives/a", "{\"drive_id\":\"a\",\"is_root_device\":false}",
		 "missing field `path_on_host`"},
		{"/drives/b",
		 "{\"drive_id\":\"a\",\"is_root_device\":false,\"path_on_host\":\"/none\"}",
		 "does not match"},
		{"/network-interfaces/a",
		 "{\"iface_id\":\"a\",\"host_dev_name\":\"t\",\"guest_mac\":\"1:2\"}", "guest_mac"},
		{"/machine-config", "{\"vcpu_count\":1,\"mem_size_mib\":3,\"huge_pages\":\"2M\"}",
		 "multiple of 2"},
		{"/cpu-config",
		 "{\"cpuid_modifiers\":[{\"leaf\":\"0x1\",\"subleaf\":\"0\",\"flags\":0,"
		 "\"modifiers\":[{\"register\":\"eax\",\"bitmap\":\"0b12\"}]}]}",
		 "cpuid_modifiers: 0x1:0:eax=0b12: expected LEAF"},
		{"/cpu-config",
		 "{\"cpuid_modifiers\":[{\"leaf\":\"1:0:eax=0b1+1\",\"subleaf\":\"0\",\"flags\":0,"
		 "\"modifiers\":[{\"register\":\"eax\",\"bitmap\":\"0b1\"}]}]}",
		 "expected a number or a bitmap"},
		{"/cpu-config", "{\"msr_modifiers\":[{\"addr\":\"1\",\"bitmap\":\"0b1\"}]}",
		 "Volt does not have changes of MSRs"},
		{"/vsock", "{\"guest_cid\":3,\"uds_path\":\"v\"}",
		 "Volt does not have vsock devices."},
		{"/actions", "{\"action_type\":\"InstanceStart\"}", "Invalid request method"},
		{"/none", "{}", "Invalid request method and/or path: PUT none."},
	};
	struct firecracker *f = make();
	struct verr e = VERR_INIT;
	struct config c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int r = put_text(f, rows[i].path, rows[i].body, &e);

		assert_fault(r, &e, e.kind, rows[i].why);
	}
	config_init(&c);
	e = (struct verr)VERR_INIT;
	assert_fault(firecracker_configure(f, &c, &e), &e, VERR_STATE,
		     "Cannot start microvm without kernel configuration.");
	config_deinit(&c);
	(void)firecracker_free(f);
}

/* Rate, burst and what comes once on top, of bytes and of operations; 7 is what was there. */
static void limit(const char *limiter, const uint64_t want[static 6])
{
	auto_json *object = json_loads(limiter, 0, NULL);
	struct drive_config d = {.rate = 7,
				 .burst = 7,
				 .burst_once = 7,
				 .ops = 7,
				 .ops_burst = 7,
				 .ops_burst_once = 7};

	limit_set(drive_limit(&d), object);
	assert_true(d.rate == want[0] && d.burst == want[1] && d.burst_once == want[2]);
	assert_true(d.ops == want[3] && d.ops_burst == want[4] && d.ops_burst_once == want[5]);
}

static void test_limits(void **state)
{
	(void)state;
	limit("{}", (uint64_t[]){7, 7, 7, 7, 7, 7});
	limit("{\"bandwidth\":{\"size\":1000,\"refill_time\":100,\"one_time_burst\":5}}",
	      (uint64_t[]){10000, 1000, 5, 7, 7, 7});
	limit("{\"ops\":{\"size\":10,\"refill_time\":1000}}", (uint64_t[]){7, 7, 7, 10, 10, 0});
	/* Slower than we can count is slow, not without a limit. */
	limit("{\"ops\":{\"size\":1,\"refill_time\":3600000}}", (uint64_t[]){7, 7, 7, 1, 1, 0});
	/* No limit. */
	limit("{\"bandwidth\":{\"size\":0,\"refill_time\":100}}", (uint64_t[]){0, 0, 0, 7, 7, 7});
	limit("{\"ops\":{\"size\":100,\"refill_time\":0}}", (uint64_t[]){7, 7, 7, 0, 0, 0});
	limit("{\"bandwidth\":{\"size\":9223372036854775807,\"refill_time\":1},"
	      "\"ops\":{\"size\":9223372036854775807,\"refill_time\":1,"
	      "\"one_time_burst\":9223372036854775807}}",
	      (uint64_t[]){GIB(1024), GIB(1024), 0, 100000000, 100000000, 100000000});
}

static void assert_args(const char *args, const char *root, const char *want)
{
	auto_json *drive = root != NULL ? json_loads(root, 0, NULL) : NULL;
	auto_free char *line = bootargs(args, drive);

	assert_string_equal(line, want);
}

#define WRITABLE "{\"is_read_only\":false}"

static void test_bootargs(void **state)
{
	(void)state;
	assert_args("", NULL, "pci=off");
	assert_args("a b", NULL, "a b pci=off");
	assert_args("a", WRITABLE, "a pci=off root=/dev/vda rw");
	assert_args("a", "{\"is_read_only\":true,\"partuuid\":\"12-01\"}",
		    "a pci=off root=PARTUUID=12-01 ro");
	/* What is for init stays behind. */
	assert_args("a  -- b root=c", WRITABLE, "a pci=off root=/dev/vda rw -- b root=c");
	assert_args("--", WRITABLE, "pci=off root=/dev/vda rw --");
	assert_args("a--b --c", NULL, "a--b --c pci=off");
}

/* Of a snapshot: nothing that is the snapshot's, and folders that are there. */
static void test_load(void **state)
{
	struct firecracker *f = make();
	struct config c;
	struct verr e = VERR_INIT;

	(void)state;
	f->load =
		json_loads("{\"snapshot_path\":\"/nowhere/s\",\"mem_file_path\":\"/nowhere/m\","
			   "\"resume_vm\":true,\"track_dirty_pages\":true,\"huge_pages\":\"None\","
			   "\"network_overrides\":[{\"iface_id\":\"a\",\"host_dev_name\":\"t\"}]}",
			   0, NULL);
	config_init(&c);
	assert_ok(firecracker_configure(f, &c, &e), &e);
	assert_string_equal(c.restore, "/nowhere/s");
	assert_string_equal(firecracker_memory(f), "/nowhere/m");
	assert_true(!c.paused && c.track_dirty && c.clock == RESTORE_CLOCK_FREEZE && c.rng);
	assert_true(c.nets.count == 1 && c.kernel == NULL && c.init != NULL);
	assert_string_equal(config_nets(&c)[0].id, "a");
	assert_string_equal(config_nets(&c)[0].tap, "t");
	assert_ok(firecracker_restored(f, &c, &e), &e);
	assert_true(c.huge_pages == MEM_HUGE_OFF);
	assert_null(c.snapshot_dir);
	assert_null(c.live_dir);
	config_deinit(&c);
	(void)firecracker_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_machine), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_replaced),      cmocka_unit_test(test_over_a_command_line),
		cmocka_unit_test(test_faults),        cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bootargs),      cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests_name("vmm/firecracker/configure", tests, NULL, NULL);
}
