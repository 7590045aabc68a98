/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef VOLT_VMM_KVM_KVM_PRIV_H
#define VOLT_VMM_KVM_KVM_PRIV_H

#include <sys/ioctl.h>

#include "vmm/kvm/kvm.h"

/* Counted. */
static inline int kvm_ioctl(struct kvm *kvm, int fd, unsigned long request, uintptr_t arg)
{
	counter_add(&kvm->ioctls, 1);
	return ioctl(fd, request, arg);
}

static inline int call_ptr(struct kvm *kvm, int fd, unsigned long request, const void *arg)
{
	return kvm_ioctl(kvm, fd, request, (uintptr_t)arg);
}

#endif
