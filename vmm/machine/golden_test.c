/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files that were written once and must load for ever: tests/integration/states/format-N is
 * one of format N, of the guest tests/guests/ticks.S after 300 ms, with a PIT.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/own.h"
#include "base/test.h"
#include "vmm/machine/internal.h"
#include "vmm/state/file.h"

static struct state_reader *load(unsigned format)
{
	const char *source = getenv("VOLT_SOURCE");
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	auto_free char *path = NULL;
	auto_fd fd = -1;

	assert_non_null(source);
	assert_true(asprintf(&path, "%s/tests/integration/states/format-%u", source, format) > 0);
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
	assert_int_equal(serial_pio.in(s, 7), 0x5A);
	assert_ok(i8042_apply(k, &i8042, &e), &e);
	assert_ok(power_apply(p, &power, &e), &e);
	assert_null(serial_free(s));
	assert_null(i8042_free(k));
	assert_null(power_free(p));
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
		struct state_reader *r = load(format);

		check_cpu(r);
		check_board(r);
		check_ports(r);
		check_virtio(r);
		assert_null(state_reader_free(r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_format_loads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
