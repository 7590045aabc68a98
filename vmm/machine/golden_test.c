/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files that were written once and must load for ever: tests/integration/states/format-N is
 * one of format N, of the guest tests/guests/ticks.S after 300 ms, with a PIT; snapshot-N/state is
 * a whole snapshot's, which tests/integration/golden.py has made.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/machine/internal.h"
#include "vmm/state/file.h"

static struct state_reader *load(bool snapshot, unsigned format)
{
	const char *source = getenv("VOLT_SOURCE");
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	auto_free char *path = NULL;
	auto_fd fd = -1;

	assert_non_null(source);
	assert_true(asprintf(&path,
			     snapshot ? "%s/tests/integration/states/snapshot-%u/state"
				      : "%s/tests/integration/states/format-%u",
			     source, format) > 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(state_reader_load(fd, &r, &e), &e);
	return r;
}

static void check_cpu(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct vcpu_state vcpu;
	struct cpuid_state cpuid;
	bool found = false;

	assert_ok(state_get(r, STATE_KIND_VCPU, 0, &vcpu, &e), &e);
	for (uint32_t i = 0; i < vcpu.msr_indices_count; i++)
		if (vcpu.msr_indices[i] == 0x176)
			found = vcpu.msr_values[i] == 0x12345678;
	assert_true(found);
	assert_int_equal(vcpu.lapic_count, 1024);
	assert_true(vcpu.tsc > 0);
	assert_ok(state_get(r, STATE_KIND_CPUID, 0, &cpuid, &e), &e);
	assert_int_equal(cpuid.entries[0].function, 0);
}

static void check_board(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct vm_state vm;
	struct irqchip_state irqchip;
	struct pit_state pit;
	struct clock_state clock;

	assert_ok(state_get(r, STATE_KIND_VM, 0, &vm, &e), &e);
	assert_int_equal(vm.cpus, 1);
	assert_int_equal(vm.memory, MIB(16));
	assert_int_equal(vm.virtio, 1);
	assert_ok(state_get(r, STATE_KIND_IRQCHIP, 0, &irqchip, &e), &e);
	assert_ok(state_get(r, STATE_KIND_PIT, 0, &pit, &e), &e);
	assert_ok(state_get(r, STATE_KIND_CLOCK, 0, &clock, &e), &e);
	assert_true(clock.guest_ns > 0 && clock.wall_ns > 0);
}

static void on_send(void *arg, uint8_t byte)
{
	(void)arg;
	(void)byte;
}

static void on_event(void *arg)
{
	(void)arg;
}

static void check_ports(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct serial_state serial;
	struct i8042_state i8042;
	struct power_state power;
	struct report_state report;
	struct serial *s;
	struct i8042 *k;
	struct power *p;

	assert_ok(state_get(r, STATE_KIND_SERIAL, 0, &serial, &e), &e);
	assert_ok(state_get(r, STATE_KIND_I8042, 0, &i8042, &e), &e);
	assert_ok(state_get(r, STATE_KIND_POWER, 0, &power, &e), &e);
	assert_ok(state_get(r, STATE_KIND_REPORT, 0, &report, &e), &e);
	assert_ok(serial_new(&(struct serial_options){.irq = -1, .send = on_send}, &s, &e), &e);
	assert_ok(i8042_new(&(struct i8042_options){.irq = -1, .reset = on_event}, &k, &e), &e);
	assert_ok(power_new(&(struct power_options){.off = on_event, .reset = on_event}, &p, &e),
		  &e);
	assert_ok(serial_apply(s, &serial, &e), &e);
	assert_int_equal(serial_pio.in(s, 7), serial.scr);
	assert_ok(i8042_apply(k, &i8042, &e), &e);
	assert_ok(power_apply(p, &power, &e), &e);
	assert_null(serial_free(s));
	assert_null(i8042_free(k));
	assert_null(power_free(p));
}

static void check_scratch(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct serial_state serial;

	assert_ok(state_get(r, STATE_KIND_SERIAL, 0, &serial, &e), &e);
	assert_int_equal(serial.scr, 0x5A);
}

static void check_virtio(const struct state_reader *r)
{
	struct mem_options options = {.size = MIB(16), .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;
	struct virtio_state state;
	struct virtio_mmio t;
	struct loop *loop;
	struct rng *rng;
	struct mem *mem;

	assert_ok(state_get(r, STATE_KIND_VIRTIO, 0, &state, &e), &e);
	assert_ok(mem_new(&options, &mem, &e), &e);
	assert_ok(loop_new(&loop, &e), &e);
	assert_ok(rng_new(loop, &rng, &e), &e);
	assert_ok(virtio_mmio_init(&t, rng_vdev(rng), mem, &e), &e);
	assert_ok(virtio_mmio_apply(&t, &state, &e), &e);
	virtio_mmio_deinit(&t);
	assert_null(rng_free(rng));
	assert_null(loop_free(loop));
	assert_null(mem_free(mem));
}

static void test_every_format_loads(void **state)
{
	(void)state;
	for (unsigned format = 1; format <= STATE_FORMAT; format++) {
		struct state_reader *r = load(false, format);

		check_cpu(r);
		check_board(r);
		check_ports(r);
		check_scratch(r);
		check_virtio(r);
		assert_null(state_reader_free(r));
	}
}

/* --- snapshots --- */

/* No section has anything that is not understood. */
static void check_all(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	FILE *out = fopen("/dev/null", "we");

	assert_non_null(out);
	assert_ok(state_print_json(r, out, &e), &e);
	assert_int_equal(fclose(out), 0);
}

static void check_snapshot(const struct state_reader *r)
{
	static const uint8_t none[16];
	struct verr e = VERR_INIT;
	struct snapshot_state snapshot;
	struct memory_state memory;

	assert_ok(state_get(r, STATE_KIND_SNAPSHOT, 0, &snapshot, &e), &e);
	assert_memory_not_equal(snapshot.id, none, sizeof(none));
	assert_false(snapshot.diff);
	assert_true(snapshot.created_ns > 0 && snapshot.version[0] != '\0');
	assert_ok(state_get(r, STATE_KIND_MEMORY, 0, &memory, &e), &e);
	assert_int_equal(memory.size, MIB(4));
	assert_int_equal(memory.regions_count, 1);
	assert_int_equal(memory.regions[0].len, MIB(4));
	assert_string_equal(memory.path, "memory");
}

static void check_disks(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct disk_state disk;

	assert_int_equal(state_count(r, STATE_KIND_DISK), 2);
	assert_ok(state_get(r, STATE_KIND_DISK, 0, &disk, &e), &e);
	assert_true(disk.copied);
	assert_string_equal(disk.id, "data");
	assert_string_equal(disk.path, "disks/data");
	assert_ok(state_get(r, STATE_KIND_DISK, 1, &disk, &e), &e);
	assert_false(disk.copied);
	assert_int_equal(disk.size, KIB(64) + 512);
}

static void check_config(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	struct config config;
	struct bytes text;

	config_init(&config);
	assert_ok(state_get_bytes(r, STATE_KIND_CONFIG, 0, &text, &e), &e);
	assert_ok(config_parse_json(&config, (const char *)text.at, text.len, "it", &e), &e);
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.memory, MIB(4));
	assert_int_equal(config.drives.count, 2);
	assert_true(config_drives(&config)[1].readonly);
	assert_int_equal(config.nets.count, 1);
	assert_string_equal(config_nets(&config)[0].mac, "02:00:00:00:00:05");
	config_deinit(&config);
}

static void check_devices(const struct state_reader *r)
{
	static const uint32_t ids[] = {2, 2, 1, 4};
	struct verr e = VERR_INIT;
	struct virtio_state virtio;
	struct vcpu_state vcpu;
	struct net_state net;

	assert_int_equal(state_count(r, STATE_KIND_VIRTIO), ARRAY_LEN(ids));
	for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
		assert_ok(state_get(r, STATE_KIND_VIRTIO, i, &virtio, &e), &e);
		assert_int_equal(virtio.device, ids[i]);
		assert_int_equal(virtio.status, 15);
		assert_true(virtio.queues[0].runs);
	}
	assert_ok(state_get(r, STATE_KIND_NET, 0, &net, &e), &e);
	assert_int_equal(net.mac[5], 5);
	for (uint32_t i = 0; i < 2; i++) {
		assert_ok(state_get(r, STATE_KIND_VCPU, i, &vcpu, &e), &e);
		assert_true(vcpu.msr_indices_count > 0 && vcpu.lapic_count == 1024);
	}
}

static void test_every_snapshot_loads(void **state)
{
	(void)state;
	for (unsigned format = 1; format <= STATE_FORMAT; format++) {
		struct state_reader *r = load(true, format);

		check_all(r);
		check_snapshot(r);
		check_disks(r);
		check_config(r);
		check_devices(r);
		check_ports(r);
		assert_null(state_reader_free(r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_format_loads),
					   cmocka_unit_test(test_every_snapshot_loads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
