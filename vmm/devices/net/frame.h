/* SPDX-License-Identifier: Apache-2.0 */
/* The header that a driver puts before a frame (VIRTIO 1.2, 5.1.6.2), and buffers in parts. */
#ifndef VOLT_VMM_DEVICES_NET_FRAME_H
#define VOLT_VMM_DEVICES_NET_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/compiler.h"

/*
 * May the host be given a frame of `len` bytes with this header? The header is the caller's own
 * copy; what means nothing with the negotiated `features` is cleared. False: the frame is to be
 * dropped.
 */
V_MUST_CHECK bool frame_check(struct virtio_net_hdr_v1 *h, size_t len, uint64_t features);

/* Copy out of, or into, buffers from byte `at` of them on; returns how many of `len` bytes. */
size_t iov_read(const struct iovec *iov, size_t niov, size_t at, void *out, size_t len);
size_t iov_write(const struct iovec *iov, size_t niov, size_t at, const void *from, size_t len);

/* The buffers from byte `at` on, into `out`, which has room for `niov`; returns how many. */
size_t iov_skip(const struct iovec *iov, size_t niov, size_t at, struct iovec *out);

#endif
