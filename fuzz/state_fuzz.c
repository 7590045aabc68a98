/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state file of anybody's: read as it is, then with checksums that fit, printed, and given to
 * devices, which go on with it. Whatever is in it, it is refused or makes devices that work: what
 * they would save is accepted again, and a driver can reset them.
 */
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz/virtio_fuzz.h"
#include "vmm/arch/x86_64/saved.h"
#include "vmm/devices/i8042.h"
#include "vmm/devices/power.h"
#include "vmm/devices/rng/rng.h"
#include "vmm/devices/serial.h"
#include "vmm/state/file.h"
#include "vmm/state/state_test.h"
#include "vmm/virtio/mmio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_send(void *arg, uint8_t byte)
{
	(void)arg;
	(void)byte;
}

static void on_event(void *arg)
{
	(void)arg;
}

static void try_serial(const struct state_reader *r, int irq)
{
	struct serial_options options = {.irq = irq, .send = on_send};
	struct serial_state in, out;
	struct serial *serial;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_SERIAL, 0, &in, &e) < 0)
		return;
	CHECK(serial_new(&options, &serial, &e) == 0);
	if (serial_apply(serial, &in, &e) == 0) {
		serial_capture(serial, &out);
		CHECK(memcmp(&in.received, &out.received, in.received_count) == 0);
		for (uint16_t reg = 0; reg < SERIAL_PORTS; reg++)
			(void)serial_pio.in(serial, reg);
		serial_capture(serial, &out);
		CHECK(serial_apply(serial, &out, &e) == 0);
	}
	(void)serial_free(serial);
}

static void try_i8042(const struct state_reader *r, int irq)
{
	struct i8042_options options = {.irq = irq, .reset = on_event};
	struct i8042_state in;
	struct i8042 *kbd;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_I8042, 0, &in, &e) < 0)
		return;
	CHECK(i8042_new(&options, &kbd, &e) == 0);
	if (i8042_apply(kbd, &in, &e) == 0) {
		i8042_data_pio.out(kbd, 0, 0xF2);
		for (int i = 0; i < 40; i++)
			(void)i8042_data_pio.in(kbd, 0);
		i8042_capture(kbd, &in);
		CHECK(i8042_apply(kbd, &in, &e) == 0);
	}
	(void)i8042_free(kbd);
}

static void try_power(const struct state_reader *r)
{
	struct power_options options = {.off = on_event, .reset = on_event};
	struct power_state in;
	struct power *power;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_POWER, 0, &in, &e) < 0)
		return;
	CHECK(power_new(&options, &power, &e) == 0);
	if (power_apply(power, &in, &e) == 0)
		(void)power_pio.in(power, 0);
	(void)power_free(power);
}

static void try_cpuid(const struct state_reader *r)
{
	static struct kvm_cpuid_table a, b;
	static struct cpuid_state in;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_CPUID, 0, &in, &e) < 0)
		return;
	cpuid_of_state(&in, &a);
	if (cpuid_apply(&in, &a, &b, &e) == 0)
		CHECK(b.count == a.count);
}

static void on_end(void *arg)
{
	loop_stop(arg);
}

/* It runs in a loop with whatever memory the file brings, for a turn. */
static void run_rng(struct rng *rng, struct virtio_mmio *t, struct loop *loop)
{
	struct loop_source end = LOOP_SOURCE_INIT;
	struct virtio_state out;
	struct verr e = VERR_INIT;
	uint8_t zero[4] = {0};

	vdev_resume(rng_vdev(rng));
	CHECK(loop_timer_init(&end, loop, on_end, loop, &e) == 0);
	loop_timer_arm(&end, 100);
	CHECK(loop_run(loop, &e) == 0);
	vdev_pause(rng_vdev(rng));
	virtio_mmio_capture(t, &out);
	CHECK(virtio_mmio_apply(t, &out, &e) == 0);
	vdev_resume(rng_vdev(rng));
	virtio_mmio_write(t, VIRTIO_MMIO_STATUS, zero, sizeof(zero));
	CHECK(atomic_load(&rng_vdev(rng)->status) == 0);
	loop_source_deinit(&end);
}

static void try_virtio(const struct state_reader *r)
{
	struct mem *mem = fuzz_memory();
	struct virtio_state in;
	struct virtio_mmio t = {0};
	struct loop *loop = NULL;
	struct rng *rng = NULL;
	struct bytes memory;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_VIRTIO, 0, &in, &e) < 0)
		return;
	if (state_get_bytes(r, STATE_KIND_RUNS, 0, &memory, &e) == 0)
		put(mem, FUZZ_DESC, memory.at, MIN(memory.len, FUZZ_MEMORY - FUZZ_DESC));
	CHECK(loop_new(&loop, &e) == 0 && rng_new(loop, &rng, &e) == 0 &&
	      virtio_mmio_init(&t, rng_vdev(rng), mem, &e) == 0);
	if (virtio_mmio_apply(&t, &in, &e) == 0)
		run_rng(rng, &t, loop);
	virtio_mmio_deinit(&t);
	(void)rng_free(rng);
	(void)loop_free(loop);
}

static void print(const struct state_reader *r)
{
	struct verr e = VERR_INIT;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	CHECK(out != NULL);
	(void)state_print_json(r, out, &e);
	(void)fclose(out);
	free(text);
}

static void try_file(struct bytes file)
{
	struct state_reader *r = NULL;
	struct verr e = VERR_INIT;
	int irq;

	if (state_reader_new(file, &r, &e) < 0) {
		CHECK(e.kind == VERR_CORRUPT || e.kind == VERR_INVALID);
		return;
	}
	irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(irq >= 0);
	print(r);
	try_serial(r, irq);
	try_i8042(r, irq);
	try_power(r);
	try_cpuid(r);
	try_virtio(r);
	(void)close(irq);
	(void)state_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(MAX(size, (size_t)1));

	CHECK(copy != NULL);
	log_setup(&(struct log_options){.level = LOG_ERROR, .fd = -1});
	memcpy(copy, data, size);
	try_file(bytes_of(copy, size));
	state_seal(copy, size);
	try_file(bytes_of(copy, size));
	free(copy);
	return 0;
}
