/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's insides, for the files of this room only. */
#ifndef VOLT_VMM_MACHINE_INTERNAL_H
#define VOLT_VMM_MACHINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/metrics.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/arch/x86_64/platform.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/cmdline.h"
#include "vmm/config/config.h"
#include "vmm/devices/block/block.h"
#include "vmm/devices/console.h"
#include "vmm/devices/i8042.h"
#include "vmm/devices/net/net.h"
#include "vmm/devices/power.h"
#include "vmm/devices/pvpanic.h"
#include "vmm/devices/report.h"
#include "vmm/devices/rng/rng.h"
#include "vmm/devices/serial.h"
#include "vmm/kvm/kvm.h"
#include "vmm/machine/bus.h"
#include "vmm/machine/iothread.h"
#include "vmm/machine/machine.h"
#include "vmm/machine/timeline.h"
#include "vmm/mem/mem.h"
#include "vmm/sandbox/sandbox.h"
#include "vmm/virtio/mmio.h"

struct vcpu {
	struct machine *machine;
	struct kvm_vcpu kvm;
	uint32_t id;
	pthread_t thread;
	bool started; /* thread exists */
	counter exits[KVM_EXIT_REASONS];
	counter port_reads, memory_reads; /* of those */
};

#define IOTHREADS_MAX 16

/* One disk, and the threads that serve it, if it has any. */
struct disk {
	const struct drive_config *config;
	struct block *block;
	struct iothread *iothreads[IOTHREADS_MAX];
	size_t niothreads;
};

/* One NIC, likewise. */
struct nic {
	const struct net_config *config;
	struct net *net;
	struct net_backend *backend; /* the net's */
	struct passt *passt;         /* NULL: it has none that is ours */
	struct iothread *iothreads[IOTHREADS_MAX];
	size_t niothreads;
	uint8_t mac[NET_MAC_LEN];
	char tap[16]; /* its name on the host; "": it has none */
	bool lacks_multicast;
	int no_vhost; /* errno why not, where it was asked for */
};

struct machine {
	const struct config *config;
	struct loop *loop;
	struct sandbox *sandbox; /* borrowed */

	const struct machine_restore
		*restore; /* borrowed until it is built; NULL: a kernel is booted */

	struct kvm kvm;
	struct kvm_vm vm;
	struct mem *mem;
	struct vcpu *vcpus;
	uint32_t ncpus;
	struct kvm_cpuid_table *cpuid; /* as vCPU 0 has it */
	bool has_pit;

	struct platform_device platform_devices[PLATFORM_DEVICES_MAX];
	struct platform platform;
	struct bus ports;
	struct console *console;
	struct serial *serial;
	struct i8042 *i8042;
	struct power *power;
	struct pvpanic *pvpanic;
	struct report *report;
	int serial_irq, i8042_irq; /* eventfds */

	/* Number n is reached through window n, and interrupts on line n. */
	struct virtio_mmio virtio[LAYOUT_VIRTIO_MAX];
	size_t nvirtio;

	/* Acknowledged interrupts, which KVM keeps until the next exit; NULL: each is an exit. */
	struct kvm_coalesced_mmio_ring *acks;
	pthread_mutex_t acks_lock; /* who takes from it */
	struct disk disks[LAYOUT_VIRTIO_MAX];
	size_t ndisks;
	struct nic nics[LAYOUT_VIRTIO_MAX];
	size_t nnics;
	struct rng *rng;
	struct workers *workers;

	/* Open from step 2 until they are loaded. */
	int kernel_fd, initrd_fd;
	uint64_t kernel_size, initrd_size;
	char *initrd_path; /* the one beside the kernel; NULL: it is not used */
	struct cmdline cmdline;

	/* vCPU threads wait for `released` before their first instruction. */
	pthread_mutex_t park_lock;
	pthread_cond_t park_cond;
	bool released;    /* park_lock */
	atomic_bool quit; /* vCPU threads leave */

	/* A pause: vCPU threads stop at `paused`, and whoever pauses waits for all of them. */
	atomic_bool paused; /* written under park_lock */
	uint32_t stopped;   /* park_lock; threads that stand still, or have left */
	pthread_cond_t stopped_cond;

	atomic_bool reset;     /* a reset line is pulled: the vCPU that did ends the machine */
	atomic_bool panicked;  /* the guest's kernel has said so */
	_Atomic int end;       /* enum machine_end */
	struct verr end_fault; /* written by whoever set `end` to MACHINE_FAILED, before the wake */
	struct loop_source ended; /* wake-up */
	struct loop_source panic; /* wake-up */
	struct loop_source alarm; /* wake-up: a virtio device needs a reset */
	struct loop_source stop_timer, panic_timer, trouble_timer;
	struct machine_listener listener; /* fn: NULL without one */
	bool stopping;                    /* the guest has been asked */
	bool goes_on;                     /* it has another's state, and does not stay paused */
	bool saving;                      /* a snapshot is being made */
	bool held, held_paused;           /* a snapshot is being made; it was paused before */
	bool logged;                      /* KVM notes what the guest writes */
	bool started;

	struct timeline timeline;
};

/* From any thread: the machine ends for this reason, unless it has ended already. */
bool machine_set_end(struct machine *m, enum machine_end end);

void timeline_mark(struct machine *m, enum timeline_point point);

/* build.c: tell KVM where memory is, and whether to note what the guest writes */
V_MUST_CHECK int register_memory(struct machine *m, bool log, struct verr *e);

/* devices.c */
V_MUST_CHECK int devices_open(struct machine *m, struct verr *e);
V_MUST_CHECK int devices_create(struct machine *m, struct verr *e);
V_MUST_CHECK int devices_connect(struct machine *m, struct verr *e);
void devices_free(struct machine *m);

/* Put a device into the map that ACPI, MP table and command line are made from. */
void announce(struct machine *m, const struct platform_device *device);

/* virtio.c, in the order of the boot story */
V_MUST_CHECK int virtio_plan(struct machine *m, struct verr *e);
V_MUST_CHECK int virtio_open(struct machine *m, struct verr *e);
V_MUST_CHECK int virtio_connect(struct machine *m, struct verr *e);
V_MUST_CHECK int virtio_start(struct machine *m, struct verr *e); /* its threads */
void virtio_free(struct machine *m);                              /* after the vCPUs */

/* nets.c, from virtio.c: opened, what was started for them serves, their threads started; and the
 * way back */
V_MUST_CHECK int nets_open(struct machine *m, struct verr *e);
V_MUST_CHECK int nets_ready(struct machine *m, struct verr *e);
V_MUST_CHECK int nets_connect(struct machine *m, struct verr *e);
V_MUST_CHECK int nets_start(struct machine *m, struct verr *e);
void nets_stop(struct machine *m);
void nets_free(struct machine *m);

/* What a disk's configuration says that it may do. */
static inline struct block_rate disk_bytes(const struct drive_config *c)
{
	return (struct block_rate){c->rate, c->burst, c->burst_once};
}

static inline struct block_rate disk_ops(const struct drive_config *c)
{
	return (struct block_rate){c->ops, c->ops_burst, c->ops_burst_once};
}

/* What a NIC's configuration says that each direction may carry. */
static inline struct net_limit nic_rx_limit(const struct net_config *c)
{
	return (struct net_limit){{c->rx_rate, c->rx_burst, c->rx_burst_once},
				  {c->rx_packets, c->rx_packets_burst, c->rx_packets_burst_once}};
}

static inline struct net_limit nic_tx_limit(const struct net_config *c)
{
	return (struct net_limit){{c->tx_rate, c->tx_burst, c->tx_burst_once},
				  {c->tx_packets, c->tx_packets_burst, c->tx_packets_burst_once}};
}

/* An access of the guest's; false where no device answers. A vCPU's thread. */
bool virtio_access(struct machine *m, uint64_t gpa, uint8_t *data, uint32_t len, bool is_write);

/* vcpus.c */
V_MUST_CHECK int vcpus_create(struct machine *m, struct verr *e);
V_MUST_CHECK int vcpus_start(struct machine *m, struct verr *e); /* parked */
void vcpus_release(struct machine *m);
void vcpus_stop(struct machine *m);  /* quit, kick, join */
void vcpus_pause(struct machine *m); /* kick, and wait until none is in the guest or in a device */
void vcpus_resume(struct machine *m);
void vcpus_free(struct machine *m);

/* action.c: everything that the loop serves is in it */
V_MUST_CHECK int machine_arm(struct machine *m, struct verr *e);

/* run.c */
void *vcpu_main(void *vcpu);

/* action.c, to whoever listens; the machine's loop */
void tell(struct machine *m, enum machine_event event, const char *device);

/* virtio.c: what the guest has acknowledged without an exit */
void virtio_take_acks(struct machine *m);

/* virtio.c: tell of the trouble that devices have had */
void virtio_tell_trouble(struct machine *m);

/* explain.c: why KVM could not go on, as a fault. Called from the vCPU's thread. */
int explain_internal_error(struct vcpu *v, struct verr *e);
int explain_fail_entry(const struct vcpu *v, struct verr *e);
int explain_run_error(int error, struct verr *e);

#endif
