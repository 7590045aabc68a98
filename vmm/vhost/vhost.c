/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vhost/vhost.h"

#include <fcntl.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>

/* struct vhost_memory with its regions. */
struct memory_table {
	uint32_t count, padding;
	struct vhost_memory_region regions[VHOST_REGIONS_MAX];
};
_Static_assert(offsetof(struct memory_table, regions) == sizeof(struct vhost_memory), "layout");

int vhost_open(void)
{
	return open(VHOST_PATH, O_RDWR | O_CLOEXEC);
}

int vhost_get_features(int fd, uint64_t *features, struct verr *e)
{
	__u64 bits = 0;

	if (ioctl(fd, VHOST_GET_FEATURES, &bits) < 0)
		return verr_os(e, "VHOST_GET_FEATURES");
	*features = bits;
	return 0;
}

int vhost_set_features(int fd, uint64_t features, struct verr *e)
{
	__u64 bits = features;

	return ioctl(fd, VHOST_SET_FEATURES, &bits) < 0 ? verr_os(e, "VHOST_SET_FEATURES") : 0;
}

int vhost_set_owner(int fd, struct verr *e)
{
	return ioctl(fd, VHOST_SET_OWNER) < 0 ? verr_os(e, "VHOST_SET_OWNER") : 0;
}

int vhost_set_memory(int fd, const struct vhost_region *regions, size_t count, struct verr *e)
{
	struct memory_table table = {.count = (uint32_t)count};

	if (count > VHOST_REGIONS_MAX)
		return verr_host(e, "guest memory in %zu parts", count);
	for (size_t i = 0; i < count; i++)
		table.regions[i] =
			(struct vhost_memory_region){.guest_phys_addr = regions[i].gpa,
						     .memory_size = regions[i].len,
						     .userspace_addr = (uintptr_t)regions[i].host};
	return ioctl(fd, VHOST_SET_MEM_TABLE, &table) < 0 ? verr_os(e, "VHOST_SET_MEM_TABLE") : 0;
}

static int set_file(int fd, unsigned long request, unsigned queue, int file)
{
	struct vhost_vring_file f = {.index = queue, .fd = file};

	return ioctl(fd, request, &f);
}

int vhost_set_kick(int fd, unsigned queue, int eventfd, struct verr *e)
{
	return set_file(fd, VHOST_SET_VRING_KICK, queue, eventfd) < 0
		       ? verr_os(e, "VHOST_SET_VRING_KICK")
		       : 0;
}

int vhost_set_call(int fd, unsigned queue, int eventfd, struct verr *e)
{
	return set_file(fd, VHOST_SET_VRING_CALL, queue, eventfd) < 0
		       ? verr_os(e, "VHOST_SET_VRING_CALL")
		       : 0;
}

int vhost_set_err(int fd, unsigned queue, int eventfd, struct verr *e)
{
	return set_file(fd, VHOST_SET_VRING_ERR, queue, eventfd) < 0
		       ? verr_os(e, "VHOST_SET_VRING_ERR")
		       : 0;
}

int vhost_net_set_backend(int fd, unsigned queue, int tap, struct verr *e)
{
	return set_file(fd, VHOST_NET_SET_BACKEND, queue, tap) < 0
		       ? verr_os(e, "VHOST_NET_SET_BACKEND")
		       : 0;
}

int vhost_set_size(int fd, unsigned queue, uint16_t size, struct verr *e)
{
	struct vhost_vring_state s = {.index = queue, .num = size};

	return ioctl(fd, VHOST_SET_VRING_NUM, &s) < 0 ? verr_os(e, "VHOST_SET_VRING_NUM") : 0;
}

int vhost_set_base(int fd, unsigned queue, uint16_t next_avail, struct verr *e)
{
	struct vhost_vring_state s = {.index = queue, .num = next_avail};

	return ioctl(fd, VHOST_SET_VRING_BASE, &s) < 0 ? verr_os(e, "VHOST_SET_VRING_BASE") : 0;
}

int vhost_get_base(int fd, unsigned queue, uint16_t *next_avail, struct verr *e)
{
	struct vhost_vring_state s = {.index = queue};

	if (ioctl(fd, VHOST_GET_VRING_BASE, &s) < 0)
		return verr_os(e, "VHOST_GET_VRING_BASE");
	*next_avail = (uint16_t)s.num;
	return 0;
}

int vhost_set_addresses(int fd, unsigned queue, const struct vhost_ring *ring, struct verr *e)
{
	struct vhost_vring_addr a = {.index = queue,
				     .desc_user_addr = (uintptr_t)ring->desc,
				     .avail_user_addr = (uintptr_t)ring->avail,
				     .used_user_addr = (uintptr_t)ring->used};

	return ioctl(fd, VHOST_SET_VRING_ADDR, &a) < 0 ? verr_os(e, "VHOST_SET_VRING_ADDR") : 0;
}
