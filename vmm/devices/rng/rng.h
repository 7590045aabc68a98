/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio entropy source (VIRTIO 1.2, 5.4): the host's getrandom(), at a bounded rate. */
#ifndef VOLT_VMM_DEVICES_RNG_RNG_H
#define VOLT_VMM_DEVICES_RNG_RNG_H

#include "vmm/virtio/device.h"

struct rng;

V_MUST_CHECK int rng_new(struct loop *loop, struct rng **out, struct verr *e);
struct rng *rng_free(struct rng *rng); /* the guest has stopped; accepts NULL, returns NULL */

struct vdev *rng_vdev(struct rng *rng);
struct metric_group rng_metrics(const struct rng *rng);

#endif
