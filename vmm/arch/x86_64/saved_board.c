/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vmm/arch/x86_64/saved.h"

#define CHIP_LEN sizeof(((struct kvm_irqchip *)0)->chip)

static int capture_chip(struct kvm_vm *vm, uint32_t id, uint8_t out[static CHIP_LEN],
			struct verr *e)
{
	struct kvm_irqchip chip = {.chip_id = id};

	if (kvm_vm_get_irqchip(vm, &chip, e) < 0)
		return -1;
	memcpy(out, &chip.chip, CHIP_LEN);
	return 0;
}

static int apply_chip(struct kvm_vm *vm, uint32_t id, const uint8_t in[static CHIP_LEN],
		      struct verr *e)
{
	struct kvm_irqchip chip = {.chip_id = id};

	memcpy(&chip.chip, in, CHIP_LEN);
	return kvm_vm_set_irqchip(vm, &chip, e);
}

int irqchip_capture(struct kvm_vm *vm, struct irqchip_state *out, struct verr *e)
{
	if (capture_chip(vm, KVM_IRQCHIP_PIC_MASTER, out->pic_master, e) < 0 ||
	    capture_chip(vm, KVM_IRQCHIP_PIC_SLAVE, out->pic_slave, e) < 0)
		return -1;
	return capture_chip(vm, KVM_IRQCHIP_IOAPIC, out->ioapic, e);
}

int irqchip_apply(struct kvm_vm *vm, const struct irqchip_state *in, struct verr *e)
{
	if (apply_chip(vm, KVM_IRQCHIP_PIC_MASTER, in->pic_master, e) < 0 ||
	    apply_chip(vm, KVM_IRQCHIP_PIC_SLAVE, in->pic_slave, e) < 0)
		return -1;
	return apply_chip(vm, KVM_IRQCHIP_IOAPIC, in->ioapic, e);
}

int pit_capture(struct kvm_vm *vm, struct pit_state *out, struct verr *e)
{
	struct kvm_pit_state2 pit = {0};

	_Static_assert(sizeof(pit) == sizeof(out->pit), "the kernel's structure");
	if (kvm_vm_get_pit(vm, &pit, e) < 0)
		return -1;
	memcpy(out->pit, &pit, sizeof(pit));
	return 0;
}

int pit_apply(struct kvm_vm *vm, const struct pit_state *in, struct verr *e)
{
	struct kvm_pit_state2 pit;

	memcpy(&pit, in->pit, sizeof(pit));
	return kvm_vm_set_pit(vm, &pit, e);
}
