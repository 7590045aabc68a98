/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/block/offer.h"

#include <string.h>

#include "vmm/devices/block/request.h"
#include "vmm/virtio/device.h"

/* Buffers of one request, beside header and status. */
#define BLOCK_SEGMENTS (QUEUE_CHAIN_MAX - 2)

/* A translation as old as BIOS disks; nobody uses it, some tools ask. */
static struct virtio_blk_geometry geometry_of(uint64_t sectors)
{
	return (struct virtio_blk_geometry){
		.cylinders = (uint16_t)MIN(sectors / (16ULL * 63), UINT16_MAX),
		.heads = 16,
		.sectors = 63,
	};
}

/* The configuration space is little-endian, as this machine is. */
struct virtio_blk_config offer_config(const struct disk_medium *m, uint16_t queues)
{
	return (struct virtio_blk_config){
		.capacity = m->size / BLOCK_SECTOR,
		.seg_max = BLOCK_SEGMENTS,
		.geometry = geometry_of(m->size / BLOCK_SECTOR),
		.blk_size = BLOCK_SECTOR,
		.physical_block_exp =
			(uint8_t)__builtin_ctz((unsigned)(m->physical / BLOCK_SECTOR)),
		.num_queues = queues,
		.max_discard_sectors = BLOCK_RANGE_MAX,
		.max_discard_seg = 1,
		.discard_sector_alignment = (uint32_t)(m->physical / BLOCK_SECTOR),
		.max_write_zeroes_sectors = BLOCK_RANGE_MAX,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};
}

uint64_t offer_features(const struct disk_medium *m, uint16_t queues)
{
	uint64_t f = VDEV_FEATURES | 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_GEOMETRY |
		     1ULL << VIRTIO_BLK_F_BLK_SIZE | 1ULL << VIRTIO_BLK_F_FLUSH |
		     1ULL << VIRTIO_BLK_F_TOPOLOGY;

	if (m->readonly)
		f |= 1ULL << VIRTIO_BLK_F_RO;
	if (queues > 1)
		f |= 1ULL << VIRTIO_BLK_F_MQ;
	if (m->discard)
		f |= 1ULL << VIRTIO_BLK_F_DISCARD;
	if (m->write_zeroes)
		f |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	return f;
}

int offer_adopt(const struct virtio_state *saved, struct virtio_blk_config *config,
		uint64_t *features, struct verr *e)
{
	const uint64_t kept = 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES |
			      1ULL << VIRTIO_BLK_F_RO;
	struct virtio_blk_config before = {0};

	memcpy(&before, saved->config, OFFER_CONFIG_LEN);
	if (before.capacity != config->capacity)
		return verr_invalid(e, "it has %llu sectors, and had %llu when it was saved",
				    (unsigned long long)config->capacity,
				    (unsigned long long)before.capacity);
	*features |= saved->features & kept;
	*config = before;
	return 0;
}
