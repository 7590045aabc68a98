/* SPDX-License-Identifier: Apache-2.0 */
/* A driver for tests: it lays out a queue in guest memory, makes chains available, and looks at
 * what comes back. It can break every rule. */
#ifndef VOLT_VMM_VIRTIO_VIRTIO_TEST_H
#define VOLT_VMM_VIRTIO_VIRTIO_TEST_H

#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "base/bytes.h"
#include "base/test.h"
#include "vmm/virtio/mmio.h"

#define DRIVER_MEMORY MIB(4)
#define DRIVER_DESC 0x10000ULL
#define DRIVER_AVAIL 0x20000ULL
#define DRIVER_USED 0x30000ULL
#define DRIVER_DATA 0x100000ULL /* free for buffers, up to DRIVER_MEMORY */

struct driver {
	struct mem *mem;
	uint16_t size;
	uint64_t rings; /* added to the places above: another queue in the same memory */
	uint16_t avail_idx, used_idx, next_desc;
};

static inline struct driver driver_new(uint16_t size)
{
	struct driver d = {.size = size};
	struct mem_options options = {.size = DRIVER_MEMORY, .huge = MEM_HUGE_OFF};
	struct verr e = VERR_INIT;

	assert_ok(mem_new(&options, &d.mem, &e), &e);
	return d;
}

static inline void driver_free(struct driver *d)
{
	d->mem = mem_free(d->mem);
}

static inline void *driver_at(const struct driver *d, uint64_t gpa, uint64_t len)
{
	void *p = mem_ptr(d->mem, gpa, len);

	assert_non_null(p);
	return p;
}

static inline struct vring_desc *driver_desc(const struct driver *d)
{
	return driver_at(d, DRIVER_DESC + d->rings, d->size * sizeof(struct vring_desc));
}

static inline struct vring_avail *driver_avail(const struct driver *d)
{
	return driver_at(d, DRIVER_AVAIL + d->rings, 6 + 2ULL * d->size);
}

static inline struct vring_used *driver_used(const struct driver *d)
{
	return driver_at(d, DRIVER_USED + d->rings, 6 + 8ULL * d->size);
}

static inline struct queue_setup driver_setup(const struct driver *d)
{
	return (struct queue_setup){.size = d->size,
				    .desc = DRIVER_DESC + d->rings,
				    .avail = DRIVER_AVAIL + d->rings,
				    .used = DRIVER_USED + d->rings};
}

/* Put `head` into the available ring. */
static inline void driver_offer(struct driver *d, uint16_t head)
{
	struct vring_avail *avail = driver_avail(d);

	avail->ring[d->avail_idx % d->size] = head;
	__atomic_store_n(&avail->idx, ++d->avail_idx, __ATOMIC_RELEASE);
}

/* Write the descriptors, linked, to the table's next free entries and offer the chain. */
static inline uint16_t driver_add(struct driver *d, const struct vring_desc *list, uint16_t count)
{
	struct vring_desc *table = driver_desc(d);
	uint16_t head = d->next_desc % d->size;

	for (uint16_t i = 0; i < count; i++) {
		uint16_t at = d->next_desc++ % d->size;

		table[at] = list[i];
		if (i + 1 < count) {
			table[at].flags |= VRING_DESC_F_NEXT;
			table[at].next = d->next_desc % d->size;
		}
	}
	driver_offer(d, head);
	return head;
}

/* The next entry of the used ring; false when there is none. */
static inline bool driver_take(struct driver *d, struct vring_used_elem *out)
{
	struct vring_used *used = driver_used(d);

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == d->used_idx)
		return false;
	*out = used->ring[d->used_idx++ % d->size];
	return true;
}

/* --- registers --- */

static inline uint32_t reg_read(struct virtio_mmio *t, uint32_t offset)
{
	uint8_t data[4];

	virtio_mmio_read(t, offset, data, sizeof(data));
	return le32(data);
}

static inline void reg_write(struct virtio_mmio *t, uint32_t offset, uint32_t value)
{
	uint8_t data[4];

	put_le32(data, value);
	virtio_mmio_write(t, offset, data, sizeof(data));
}

static inline void driver_set_status(struct virtio_mmio *t, uint32_t bit)
{
	reg_write(t, VIRTIO_MMIO_STATUS, reg_read(t, VIRTIO_MMIO_STATUS) | bit);
}

static inline void driver_negotiate(struct virtio_mmio *t, uint64_t features)
{
	reg_write(t, VIRTIO_MMIO_STATUS, 0);
	driver_set_status(t, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	driver_set_status(t, VIRTIO_CONFIG_S_DRIVER);
	for (uint32_t sel = 0; sel < 2; sel++) {
		reg_write(t, VIRTIO_MMIO_DRIVER_FEATURES_SEL, sel);
		reg_write(t, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * sel));
	}
	driver_set_status(t, VIRTIO_CONFIG_S_FEATURES_OK);
}

static inline void driver_set_up_queue(struct virtio_mmio *t, uint32_t index,
				       const struct queue_setup *s)
{
	reg_write(t, VIRTIO_MMIO_QUEUE_SEL, index);
	reg_write(t, VIRTIO_MMIO_QUEUE_NUM, s->size);
	reg_write(t, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)s->desc);
	reg_write(t, VIRTIO_MMIO_QUEUE_DESC_HIGH, (uint32_t)(s->desc >> 32));
	reg_write(t, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (uint32_t)s->avail);
	reg_write(t, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, (uint32_t)(s->avail >> 32));
	reg_write(t, VIRTIO_MMIO_QUEUE_USED_LOW, (uint32_t)s->used);
	reg_write(t, VIRTIO_MMIO_QUEUE_USED_HIGH, (uint32_t)(s->used >> 32));
	reg_write(t, VIRTIO_MMIO_QUEUE_READY, 1);
}

/* Empty rings. */
static inline void driver_clear(struct driver *d)
{
	memset(driver_avail(d), 0, 6 + 2ULL * d->size);
	memset(driver_used(d), 0, 6 + 8ULL * d->size);
	d->avail_idx = d->used_idx = d->next_desc = 0;
}

/* From reset to DRIVER_OK, with queue 0 as the driver has it. */
static inline void driver_start(struct driver *d, struct virtio_mmio *t, uint64_t features)
{
	struct queue_setup s = driver_setup(d);

	driver_clear(d);
	driver_negotiate(t, features);
	driver_set_up_queue(t, 0, &s);
	driver_set_status(t, VIRTIO_CONFIG_S_DRIVER_OK);
}

#endif
