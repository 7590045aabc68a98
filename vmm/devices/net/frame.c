/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/devices/net/frame.h"

#include <linux/if_ether.h>
#include <string.h>

#include "vmm/devices/net/backend.h"

static bool has(uint64_t features, unsigned bit)
{
	return features >> bit & 1;
}

static bool can_segment(uint8_t type, uint64_t features)
{
	switch (type) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return has(features, VIRTIO_NET_F_HOST_TSO4);
	case VIRTIO_NET_HDR_GSO_TCPV6:
		return has(features, VIRTIO_NET_F_HOST_TSO6);
	case NET_GSO_UDP_L4:
		return has(features, NET_F_HOST_USO);
	default:
		return false;
	}
}

/* 5.1.6.2.2: a frame to be segmented has a checksum to be completed, and says how long its parts
 * are. */
static bool check_segments(const struct virtio_net_hdr_v1 *h, size_t len, uint64_t features)
{
	uint8_t type = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;

	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN &&
	    (type == NET_GSO_UDP_L4 || !has(features, VIRTIO_NET_F_HOST_ECN)))
		return false;
	return can_segment(type, features) && h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	       h->gso_size > 0 && h->hdr_len <= len;
}

bool frame_check(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features)
{
	if (len < ETH_HLEN || len > NET_FRAME_MAX)
		return false;
	/* The other flags are the device's to set. */
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->num_buffers = 0;
	if (h->flags == 0)
		h->csum_start = h->csum_offset = 0;
	else if (!has(features, VIRTIO_NET_F_CSUM) ||
		 (size_t)h->csum_start + h->csum_offset + sizeof(uint16_t) > len)
		return false;
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return check_segments(h, len, features);
	h->gso_size = h->hdr_len = 0;
	return true;
}

static size_t copy(const struct iovec *iov, size_t niov, size_t at, uint8_t *out,
		   const uint8_t *from, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < niov && done < len; i++) {
		size_t part = MIN(iov[i].iov_len - MIN(at, iov[i].iov_len), len - done);
		uint8_t *place = (uint8_t *)iov[i].iov_base + MIN(at, iov[i].iov_len);

		at -= MIN(at, iov[i].iov_len);
		if (out != NULL)
			memcpy(out + done, place, part);
		else
			memcpy(place, from + done, part);
		done += part;
	}
	return done;
}

size_t iov_read(const struct iovec *iov, size_t niov, size_t at, void *out, size_t len)
{
	return copy(iov, niov, at, out, NULL, len);
}

size_t iov_write(const struct iovec *iov, size_t niov, size_t at, const void *from, size_t len)
{
	return copy(iov, niov, at, NULL, from, len);
}

size_t iov_skip(const struct iovec *iov, size_t niov, size_t at, struct iovec *out)
{
	size_t count = 0;

	for (size_t i = 0; i < niov; i++) {
		size_t skip = MIN(at, iov[i].iov_len);

		at -= skip;
		if (skip < iov[i].iov_len)
			out[count++] = (struct iovec){.iov_base = (uint8_t *)iov[i].iov_base + skip,
						      .iov_len = iov[i].iov_len - skip};
	}
	return count;
}
