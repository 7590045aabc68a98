/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state file of anybody's: read as it is, then with checksums that fit, printed, and given to
 * devices, which go on with it. Whatever is in it, it is refused or makes devices that work: what
 * they would save is accepted again, and a driver can reset them. Then it is a snapshot's
 * (state_snapshot.h), as far as it can be one.
 */
#include <errno.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "fuzz/state_kvm.h"
#include "fuzz/state_mutate.h"
#include "fuzz/state_snapshot.h"
#include "fuzz/virtio_fuzz.h"
#include "vmm/arch/x86_64/saved.h"
#include "vmm/devices/i8042.h"
#include "vmm/devices/net/net.h"
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
static void run(struct vdev *dev, struct virtio_mmio *t, struct loop *loop)
{
	struct loop_source end = LOOP_SOURCE_INIT;
	struct virtio_state out;
	struct verr e = VERR_INIT;
	uint8_t zero[4] = {0};

	vdev_resume(dev);
	CHECK(loop_timer_init(&end, loop, on_end, loop, &e) == 0);
	loop_timer_arm(&end, 100);
	CHECK(loop_run(loop, &e) == 0);
	vdev_pause(dev);
	virtio_mmio_capture(t, &out);
	CHECK(virtio_mmio_apply(t, &out, &e) == 0);
	vdev_resume(dev);
	virtio_mmio_write(t, VIRTIO_MMIO_STATUS, zero, sizeof(zero));
	CHECK(atomic_load(&dev->status) == 0);
	loop_source_deinit(&end);
}

/* RUNS is what is in it, from the first ring on. */
static struct mem *memory_of(const struct state_reader *r)
{
	struct mem *mem = fuzz_memory();
	struct bytes content;
	struct verr e = VERR_INIT;

	if (state_get_bytes(r, STATE_KIND_RUNS, 0, &content, &e) == 0)
		put(mem, FUZZ_DESC, content.at, MIN(content.len, FUZZ_MEMORY - FUZZ_DESC));
	return mem;
}

static void try_virtio(const struct state_reader *r)
{
	struct virtio_state in;
	struct virtio_mmio t = {0};
	struct loop *loop = NULL;
	struct rng *rng = NULL;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_VIRTIO, 0, &in, &e) < 0)
		return;
	CHECK(loop_new(&loop, &e) == 0 && rng_new(loop, &rng, &e) == 0 &&
	      virtio_mmio_init(&t, rng_vdev(rng), memory_of(r), &e) == 0);
	if (virtio_mmio_apply(&t, &in, &e) == 0)
		run(rng_vdev(rng), &t, loop);
	virtio_mmio_deinit(&t);
	(void)rng_free(rng);
	(void)loop_free(loop);
}

/* --- a NIC --- */

#define PAIRS 2
#define OFFLOADS                                                      \
	(1ULL << VIRTIO_NET_F_CSUM | 1ULL << VIRTIO_NET_F_HOST_TSO4 | \
	 1ULL << VIRTIO_NET_F_GUEST_CSUM)

static ssize_t no_frame(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	(void)b;
	(void)iov;
	CHECK(pair < PAIRS && niov > 1);
	errno = EAGAIN;
	return -1;
}

static ssize_t lose(struct net_backend *b, uint16_t pair, const struct iovec *iov, int niov)
{
	size_t len = 0;

	(void)b;
	CHECK(pair < PAIRS && niov > 1);
	for (int i = 0; i < niov; i++)
		len += iov[i].iov_len;
	return (ssize_t)len;
}

static int take_features(struct net_backend *b, uint64_t features, struct verr *e)
{
	(void)e;
	CHECK((features & ~b->features) == 0);
	return 0;
}

static int take_pairs(struct net_backend *b, uint16_t pairs, struct verr *e)
{
	(void)b;
	(void)e;
	CHECK(pairs >= 1 && pairs <= PAIRS);
	return 0;
}

static void close_all(struct net_backend *b)
{
	for (int i = 0; i < PAIRS; i++)
		(void)close(b->fds[i]);
}

static const struct net_backend_class nowhere = {
	.name = "nowhere",
	.receive = no_frame,
	.send = lose,
	.set_features = take_features,
	.set_pairs = take_pairs,
	.free = close_all,
};

static void run_net(struct net *net, struct virtio_mmio *t, struct loop *loop)
{
	struct net_state out;
	struct verr e = VERR_INIT;

	run(net_vdev(net), t, loop);
	net_capture(net, &out);
	CHECK(net_apply(net, &out, &e) == 0);
}

static void try_net(const struct state_reader *r)
{
	struct net_backend backend = {
		.class = &nowhere, .features = OFFLOADS, .pairs = PAIRS, .mtu = 1500};
	struct net_options o = {.id = "fuzz", .mtu = 1500, .nloops = 1};
	struct virtio_state transport;
	struct net_state in;
	struct virtio_mmio t = {0};
	struct loop *loop = NULL;
	struct net *net = NULL;
	struct verr e = VERR_INIT;

	if (state_get(r, STATE_KIND_NET, 0, &in, &e) < 0 ||
	    state_get(r, STATE_KIND_VIRTIO, 0, &transport, &e) < 0)
		return;
	for (int i = 0; i < PAIRS; i++)
		CHECK((backend.fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
	CHECK(loop_new(&loop, &e) == 0);
	o.loops = &loop;
	CHECK(net_new(&o, &backend, &net, &e) == 0 &&
	      virtio_mmio_init(&t, net_vdev(net), memory_of(r), &e) == 0);
	if (virtio_mmio_apply(&t, &transport, &e) == 0 && net_apply(net, &in, &e) == 0)
		run_net(net, &t, loop);
	(void)net_free(net);
	virtio_mmio_deinit(&t);
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

static void try_file(struct bytes file, bool sealed)
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
	try_net(r);
	if (sealed) {
		board_apply(r);
		snap_try(r, file);
	}
	(void)close(irq);
	(void)state_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(MAX(size, (size_t)1));

	CHECK(copy != NULL);
	log_setup(&(struct log_options){.level = LOG_ERROR, .fd = -1});
	memcpy(copy, data, size);
	try_file(bytes_of(copy, size), false);
	state_seal(copy, size);
	try_file(bytes_of(copy, size), true);
	free(copy);
	return 0;
}
