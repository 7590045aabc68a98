/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's virtio devices: planned, opened, connected to KVM, and reached from the guest. The
 * device's place, number n of the window at LAYOUT_VIRTIO_MMIO and of the interrupt lines from
 * LAYOUT_GSI_VIRTIO_FIRST, is decided before anything is opened, for the command line may name it.
 */
#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arch/x86_64/layout.h"
#include "vmm/machine/internal.h"

/* Threads that block for the disks whose engine is not io_uring. */
#define WORKERS 4

static uint64_t window_of(size_t index)
{
	return LAYOUT_VIRTIO_MMIO + index * LAYOUT_VIRTIO_MMIO_STRIDE;
}

static uint32_t gsi_of(size_t index)
{
	return (uint32_t)(LAYOUT_GSI_VIRTIO_FIRST + index);
}

static size_t device_count(const struct machine *m)
{
	return m->config->drives.count + m->config->nets.count + (m->config->rng ? 1 : 0);
}

int virtio_plan(struct machine *m, struct verr *e)
{
	size_t count = device_count(m);

	if (count > LAYOUT_VIRTIO_MAX)
		return verr_invalid(e, "%zu virtio devices; there are interrupt lines for %d",
				    count, LAYOUT_VIRTIO_MAX);
	for (size_t i = 0; i < count; i++) {
		/* ACPI wants four letters and digits. */
		static const char names[][5] = {
			"VR00", "VR01", "VR02", "VR03", "VR04", "VR05", "VR06",
			"VR07", "VR08", "VR09", "VR10", "VR11", "VR12", "VR13",
			"VR14", "VR15", "VR16", "VR17", "VR18",
		};
		_Static_assert(ARRAY_LEN(names) == LAYOUT_VIRTIO_MAX, "every device has a name");

		announce(m, &(struct platform_device){.name = names[i],
						      .hid = "LNRO0005",
						      .uid = (uint32_t)i,
						      .mmio = window_of(i),
						      .mmio_len = LAYOUT_VIRTIO_MMIO_STRIDE,
						      .gsi = gsi_of(i)});
	}
	return 0;
}

/* --- opening --- */

static struct vdev *add(struct machine *m, struct vdev *dev)
{
	m->virtio[m->nvirtio++] = (struct virtio_mmio){.dev = dev};
	return dev;
}

/* How the user named it. */
static int note_drive(const struct drive_config *d, struct verr *e)
{
	if (d->root && strcmp(d->id, CONFIG_ROOTFS_ID) == 0)
		return verr_note(e, "--rootfs");
	if (d->volume != NULL)
		return verr_note(e, "--volume");
	return verr_note(e, "--drive id=%s", d->id);
}

static int open_drive(struct machine *m, const struct drive_config *d, struct verr *e)
{
	struct disk *disk = &m->disks[m->ndisks];
	struct loop *loops[IOTHREADS_MAX] = {m->loop};
	const struct disk_volume_options volume = {.id = d->id,
						   .store = d->store,
						   .folder = d->volume,
						   .overlay = d->overlay,
						   .image = d->image,
						   .readonly = d->readonly,
						   .passing = d->private,
						   .unsafe = d->cache == DISK_CACHE_UNSAFE,
						   .pretend = m->config->dry_run,
						   .cache = d->chunk_cache,
						   .threads = WORKERS,
						   .workers = m->workers};
	struct block_options options = {.id = d->id,
					.path = d->content != NULL ? d->content : d->path,
					.volume = drive_is_volume(d) ? &volume : NULL,
					.readonly = d->readonly,
					.private = d->private,
					.cache = (enum disk_cache)d->cache,
					.engine = (enum disk_engine_kind)d->engine,
					.queues = (uint16_t)d->queues,
					.bytes = disk_bytes(d),
					.ops = disk_ops(d),
					.loops = loops,
					.nloops = MAX(d->iothreads, 1),
					.workers = m->workers};

	for (uint32_t i = 0; i < d->iothreads; i++) {
		if (iothread_new(&disk->iothreads[i], e) < 0)
			return -1;
		disk->niothreads++;
		loops[i] = disk->iothreads[i]->loop;
	}
	m->ndisks++;
	disk->config = d;
	if (block_new(&options, &disk->block, e) < 0)
		return -1;
	(void)add(m, block_vdev(disk->block));
	return 0;
}

static bool wants_workers(const struct config *c)
{
	for (size_t i = 0; i < c->drives.count; i++)
		if (config_drives(c)[i].engine != DISK_ENGINE_IO_URING)
			return true;
	return false;
}

/* A mistake leaves nothing behind. */
static void undo_drives(struct machine *m)
{
	for (size_t i = 0; i < m->ndisks; i++)
		if (m->disks[i].block != NULL)
			block_undo(m->disks[i].block);
}

int virtio_open(struct machine *m, struct verr *e)
{
	const struct config *c = m->config;

	if (wants_workers(c) && workers_new(WORKERS, &m->workers, e) < 0)
		return -1;
	for (size_t i = 0; i < c->drives.count; i++)
		if (open_drive(m, &config_drives(c)[i], e) < 0) {
			undo_drives(m);
			return note_drive(&config_drives(c)[i], e);
		}
	if (nets_open(m, e) < 0) {
		undo_drives(m);
		return -1;
	}
	for (size_t i = 0; i < m->nnics; i++)
		(void)add(m, net_vdev(m->nics[i].net));
	if (!c->rng)
		return 0;
	if (rng_new(m->loop, &m->rng, e) < 0)
		return -1;
	(void)add(m, rng_vdev(m->rng));
	return 0;
}

/* --- connecting --- */

static int connect_one(struct machine *m, size_t index, struct verr *e)
{
	struct virtio_mmio *t = &m->virtio[index];
	struct vdev *dev = t->dev;

	dev->alarm = &m->alarm;
	if (virtio_mmio_init(t, dev, m->mem, e) < 0 ||
	    kvm_vm_irqfd(&m->vm, dev->irq, gsi_of(index), e) < 0)
		return -1;
	for (uint16_t q = 0; q < dev->nqueues; q++)
		if (kvm_vm_ioeventfd(&m->vm, dev->queues[q].kick,
				     window_of(index) + VIRTIO_MMIO_QUEUE_NOTIFY, q, e) < 0)
			return -1;
	if (m->acks == NULL)
		return 0;
	return kvm_vm_coalesce(&m->vm, window_of(index) + VIRTIO_MMIO_INTERRUPT_ACK,
			       sizeof(uint32_t), e);
}

/* The log has its place only now. */
static void log_disk(const struct disk *d)
{
	const char *engine = block_engine_name(d->block);

	if (drive_is_volume(d->config)) {
		log_info(LOG_BLOCK, "disk %s is image %s, over it %s", d->config->id,
			 block_image(d->block),
			 d->config->volume != NULL ? d->config->volume : d->config->overlay);
		return;
	}
	log_info(LOG_BLOCK, "disk %s is %s%s, by %s", d->config->id, d->config->path,
		 d->config->private ? " (private)" : "", engine);
	if (d->config->engine == DISK_ENGINE_AUTO && strcmp(engine, "io_uring") != 0)
		log_info(LOG_BLOCK,
			 "disk %s: threads do its work, for this host refuses io_uring (volt "
			 "doctor says why)",
			 d->config->id);
}

int virtio_connect(struct machine *m, struct verr *e)
{
	for (size_t i = 0; i < m->ndisks; i++)
		log_disk(&m->disks[i]);
	if (m->nvirtio > 0)
		m->acks = kvm_coalesced_ring(&m->vcpus[0].kvm);
	for (size_t i = 0; i < m->nvirtio; i++)
		if (connect_one(m, i, e) < 0)
			return -1;
	return nets_connect(m, e);
}

int virtio_start(struct machine *m, struct verr *e)
{
	if (m->workers != NULL && workers_start(m->workers, m->sandbox, e) < 0)
		return -1;
	for (size_t i = 0; i < m->ndisks; i++)
		for (size_t k = 0; k < m->disks[i].niothreads; k++)
			if (iothread_start(m->disks[i].iothreads[k], m->sandbox, e) < 0)
				return -1;
	return nets_start(m, e);
}

static bool access_window(struct machine *m, uint64_t gpa, uint8_t *data, uint32_t len,
			  bool is_write)
{
	uint64_t index = (gpa - LAYOUT_VIRTIO_MMIO) / LAYOUT_VIRTIO_MMIO_STRIDE;
	uint32_t offset = (uint32_t)(gpa % LAYOUT_VIRTIO_MMIO_STRIDE);

	if (gpa < LAYOUT_VIRTIO_MMIO || index >= m->nvirtio || offset >= VIRTIO_MMIO_LEN)
		return false;
	if (is_write)
		virtio_mmio_write(&m->virtio[index], offset, data, len);
	else
		virtio_mmio_read(&m->virtio[index], offset, data, len);
	return true;
}

/* What the guest has acknowledged without an exit: before anything that it does afterwards. */
void virtio_take_acks(struct machine *m)
{
	struct kvm_coalesced_mmio write;

	if (m->acks == NULL || kvm_coalesced_empty(m->acks))
		return;
	(void)pthread_mutex_lock(&m->acks_lock);
	while (kvm_coalesced_next(m->acks, &write))
		(void)access_window(m, write.phys_addr, write.data,
				    MIN(write.len, sizeof(write.data)), true);
	(void)pthread_mutex_unlock(&m->acks_lock);
}

bool virtio_access(struct machine *m, uint64_t gpa, uint8_t *data, uint32_t len, bool is_write)
{
	virtio_take_acks(m);
	return access_window(m, gpa, data, len, is_write);
}

static void name_device(const struct machine *m, size_t index, char *out, size_t len)
{
	if (index < m->ndisks)
		(void)snprintf(out, len, "disk %s", m->disks[index].config->id);
	else if (index < m->ndisks + m->nnics)
		(void)snprintf(out, len, "net %s", m->nics[index - m->ndisks].config->id);
	else
		(void)snprintf(out, len, "%s", m->virtio[index].dev->class->name);
}

void virtio_tell_trouble(struct machine *m)
{
	for (size_t i = 0; i < m->nvirtio; i++) {
		uint32_t trouble = atomic_exchange(&m->virtio[i].dev->trouble, 0);
		char name[80];

		name_device(m, i, name, sizeof(name));
		if (trouble & VDEV_TROUBLE_ERROR)
			tell(m, MACHINE_EVENT_DEVICE_ERROR, name);
		if (trouble & VDEV_TROUBLE_RESET)
			tell(m, MACHINE_EVENT_NEEDS_RESET, name);
	}
}

/* --- the end --- */

void virtio_free(struct machine *m)
{
	/* Nothing serves a queue any more, then the loops end, then what they served. */
	for (size_t i = 0; i < m->ndisks; i++)
		block_stop(m->disks[i].block);
	for (size_t i = 0; i < m->ndisks; i++)
		for (size_t k = 0; k < m->disks[i].niothreads; k++)
			iothread_stop(m->disks[i].iothreads[k]);
	nets_stop(m);
	for (size_t i = 0; i < m->ndisks; i++) {
		struct disk *disk = &m->disks[i];

		disk->block = block_free(disk->block);
		for (size_t k = 0; k < disk->niothreads; k++)
			disk->iothreads[k] = iothread_free(disk->iothreads[k]);
	}
	nets_free(m);
	m->rng = rng_free(m->rng);
	m->workers = workers_free(m->workers);
	for (size_t i = 0; i < m->nvirtio; i++)
		virtio_mmio_deinit(&m->virtio[i]);
	m->nvirtio = m->ndisks = 0;
}
