/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/virtio/queue.h"

#include <linux/virtio_config.h>
#include <string.h>

/* Areas and their alignment: VIRTIO 1.2, 2.7. */
#define DESC_ALIGN 16
#define AVAIL_ALIGN 2
#define USED_ALIGN 4

/* Both rings end with a 16-bit event index, there with or without VIRTIO_RING_F_EVENT_IDX. */
static uint64_t avail_len(uint16_t size)
{
	return sizeof(struct vring_avail) + (uint64_t)size * sizeof(uint16_t) + sizeof(uint16_t);
}

static uint64_t used_len(uint16_t size)
{
	return sizeof(struct vring_used) + (uint64_t)size * sizeof(struct vring_used_elem) +
	       sizeof(uint16_t);
}

static void *area(const struct mem *mem, uint64_t gpa, uint64_t len, uint64_t align)
{
	return gpa % align == 0 ? mem_ptr(mem, gpa, len) : NULL;
}

bool queue_start(struct queue *q, const struct mem *mem, const struct queue_setup *s,
		 uint64_t features)
{
	struct queue new = {
		.mem = mem,
		.size = s->size,
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
		.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1,
	};

	if (s->size == 0 || s->size > QUEUE_SIZE_MAX || (s->size & (s->size - 1)) != 0)
		return false;
	new.desc = area(mem, s->desc, s->size * sizeof(struct vring_desc), DESC_ALIGN);
	new.avail = area(mem, s->avail, avail_len(s->size), AVAIL_ALIGN);
	new.used = area(mem, s->used, used_len(s->size), USED_ALIGN);
	if (new.desc == NULL || new.avail == NULL || new.used == NULL)
		return false;
	*q = new;
	return true;
}

void queue_stop(struct queue *q)
{
	*q = (struct queue){0};
}

static uint16_t load_u16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store_u16(uint16_t *p, uint16_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

void queue_take_back(struct queue *q, uint16_t next_avail)
{
	q->next_avail = next_avail;
	q->next_used = q->asked_used = load_u16(&q->used->idx);
}

/* After the rings' entries: used_event in the available ring, avail_event in the used one. */
static const uint16_t *used_event(const struct queue *q)
{
	return &q->avail->ring[q->size];
}

static uint16_t *avail_event(const struct queue *q)
{
	return (uint16_t *)(void *)&q->used->ring[q->size];
}

/* The one read of a descriptor. */
static struct vring_desc copy_desc(const struct vring_desc *from)
{
	struct vring_desc d;

	d.addr = __atomic_load_n(&from->addr, __ATOMIC_RELAXED);
	d.len = __atomic_load_n(&from->len, __ATOMIC_RELAXED);
	d.flags = load_u16(&from->flags);
	d.next = load_u16(&from->next);
	return d;
}

/* A buffer joins the chain; false when it breaks a rule of 2.7.4 or 2.7.5. */
static bool add_buffer(const struct queue *q, struct chain *c, const struct vring_desc *d)
{
	bool writable = d->flags & VRING_DESC_F_WRITE;
	uint32_t *len = writable ? &c->write_len : &c->read_len;
	void *host = mem_ptr(q->mem, d->addr, d->len);

	if (host == NULL || (!writable && c->nwrite > 0) || d->len > UINT32_MAX - *len)
		return false;
	if (d->len == 0)
		return true;
	if (c->nread + c->nwrite == QUEUE_CHAIN_MAX)
		return false;
	c->iov[c->nread + c->nwrite] = (struct iovec){.iov_base = host, .iov_len = d->len};
	*(writable ? &c->nwrite : &c->nread) += 1;
	*len += d->len;
	return true;
}

/* Where descriptors are read from: the queue's own table, or an indirect one. */
struct table {
	const struct vring_desc *at;
	uint32_t size;
	bool indirect;
};

/* Go on in the indirect table that `d` names (2.7.5.3); false when it may not. */
static bool enter_indirect(const struct queue *q, struct table *t, const struct vring_desc *d)
{
	if (!q->indirect || t->indirect || d->flags & VRING_DESC_F_NEXT || d->len == 0 ||
	    d->len % sizeof(struct vring_desc) != 0)
		return false;
	t->indirect = true;
	t->at = mem_ptr(q->mem, d->addr, d->len);
	t->size = d->len / (uint32_t)sizeof(struct vring_desc);
	/* The specification asks for no alignment of the table; the accesses below do. */
	return t->at != NULL && d->addr % _Alignof(struct vring_desc) == 0;
}

/*
 * Follow a chain. Each table is left after as many steps as it has entries, so a loop ends, and
 * there are at most two tables. An indirect one can have 2^28 entries; no more are followed than
 * the largest queue has, which is the most that a driver may use (2.7.5.3.1).
 */
static bool walk(const struct queue *q, struct chain *c)
{
	struct table t = {.at = q->desc, .size = q->size};
	uint32_t index = c->head, steps = 0;
	struct vring_desc d;

	for (;;) {
		if (index >= t.size || steps++ == MIN(t.size, QUEUE_SIZE_MAX))
			return false;
		d = copy_desc(&t.at[index]);
		if (d.flags & VRING_DESC_F_INDIRECT) {
			if (!enter_indirect(q, &t, &d))
				return false;
			index = steps = 0;
			continue;
		}
		if (!add_buffer(q, c, &d))
			return false;
		if (!(d.flags & VRING_DESC_F_NEXT))
			return true;
		index = d.next;
	}
}

enum chain_result queue_next(struct queue *q, struct chain *c)
{
	uint16_t avail = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t waiting = (uint16_t)(avail - q->next_avail);

	if (waiting == 0)
		return CHAIN_EMPTY;
	if (waiting > q->size)
		return CHAIN_BAD;
	c->head = load_u16(&q->avail->ring[q->next_avail & (q->size - 1)]);
	c->nread = c->nwrite = 0;
	c->read_len = c->write_len = 0;
	if (!walk(q, c))
		return CHAIN_BAD;
	for (uint32_t i = c->nread; i < c->nread + c->nwrite && mem_tracks(q->mem); i++)
		mem_handed(q->mem, c->iov[i].iov_base, c->iov[i].iov_len);
	q->next_avail++;
	return CHAIN_OK;
}

void queue_undo(struct queue *q)
{
	q->next_avail--;
}

void queue_stage(struct queue *q, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e = &q->used->ring[q->next_used & (q->size - 1)];

	__atomic_store_n(&e->id, head, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, len, __ATOMIC_RELAXED);
	q->next_used++;
}

/* All of it: it is a page, or two. */
static void wrote_used(const struct queue *q)
{
	mem_wrote(q->mem, q->used, used_len(q->size));
}

void queue_publish(struct queue *q)
{
	__atomic_store_n(&q->used->idx, q->next_used, __ATOMIC_RELEASE);
	wrote_used(q);
}

void queue_wrote(const struct queue *q, const struct iovec *iov, size_t count)
{
	for (size_t i = 0; i < count && mem_tracks(q->mem); i++)
		mem_wrote(q->mem, iov[i].iov_base, iov[i].iov_len);
}

void queue_put(struct queue *q, uint16_t head, uint32_t len)
{
	queue_stage(q, head, len);
	queue_publish(q);
}

bool queue_should_interrupt(struct queue *q)
{
	uint16_t put = (uint16_t)(q->next_used - q->asked_used), event;

	if (put == 0)
		return false;
	q->asked_used = q->next_used;
	/* The driver must see the index before its wish is read: it does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(load_u16(&q->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
	event = load_u16(used_event(q));
	return (uint16_t)(q->next_used - event - 1) < put;
}

void queue_disarm(struct queue *q)
{
	/* With event indices it is enough to leave the old one, which has passed. */
	if (q->event_idx)
		return;
	store_u16(&q->used->flags, VRING_USED_F_NO_NOTIFY);
	wrote_used(q);
}

bool queue_arm(struct queue *q)
{
	if (q->event_idx)
		store_u16(avail_event(q), q->next_avail);
	else
		store_u16(&q->used->flags, 0);
	wrote_used(q);
	/* The driver must see the wish before its index is read: it does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load_u16(&q->avail->idx) != q->next_avail;
}
