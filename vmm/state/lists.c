/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/state/lists.h"

#include "base/compiler.h"
#include "vmm/state/state_priv.h"

#define TABLE(name_, rows_)                           \
	const struct state_table name_##_table = {    \
		.name = #name_,                       \
		.fields = rows_,                      \
		.count = ARRAY_LEN(rows_),            \
		.size = sizeof(struct name_##_state), \
	}

#define STATE_OF memory_region_state
static const struct state_field memory_region_rows[] = {MEMORY_REGION_STATE(STATE_FIELD)};
TABLE(memory_region, memory_region_rows);
#undef STATE_OF

#define STATE_OF snapshot_state
static const struct state_field snapshot_rows[] = {SNAPSHOT_STATE(STATE_FIELD)};
TABLE(snapshot, snapshot_rows);
#undef STATE_OF

#define STATE_OF memory_state
static const struct state_field memory_rows[] = {MEMORY_STATE(STATE_FIELD)};
TABLE(memory, memory_rows);
#undef STATE_OF

#define STATE_OF disk_state
static const struct state_field disk_rows[] = {DISK_STATE(STATE_FIELD)};
TABLE(disk, disk_rows);
#undef STATE_OF

#define STATE_OF vm_state
static const struct state_field vm_rows[] = {VM_STATE(STATE_FIELD)};
TABLE(vm, vm_rows);
#undef STATE_OF

#define STATE_OF cpuid_entry_state
static const struct state_field cpuid_entry_rows[] = {CPUID_ENTRY_STATE(STATE_FIELD)};
TABLE(cpuid_entry, cpuid_entry_rows);
#undef STATE_OF

#define STATE_OF cpuid_state
static const struct state_field cpuid_rows[] = {CPUID_STATE(STATE_FIELD)};
TABLE(cpuid, cpuid_rows);
#undef STATE_OF

#define STATE_OF vcpu_state
static const struct state_field vcpu_rows[] = {VCPU_STATE(STATE_FIELD)};
TABLE(vcpu, vcpu_rows);
#undef STATE_OF

#define STATE_OF irqchip_state
static const struct state_field irqchip_rows[] = {IRQCHIP_STATE(STATE_FIELD)};
TABLE(irqchip, irqchip_rows);
#undef STATE_OF

#define STATE_OF pit_state
static const struct state_field pit_rows[] = {PIT_STATE(STATE_FIELD)};
TABLE(pit, pit_rows);
#undef STATE_OF

#define STATE_OF clock_state
static const struct state_field clock_rows[] = {CLOCK_STATE(STATE_FIELD)};
TABLE(clock, clock_rows);
#undef STATE_OF

#define STATE_OF serial_state
static const struct state_field serial_rows[] = {SERIAL_STATE(STATE_FIELD)};
TABLE(serial, serial_rows);
#undef STATE_OF

#define STATE_OF keyboard_state
static const struct state_field keyboard_rows[] = {KEYBOARD_STATE(STATE_FIELD)};
TABLE(keyboard, keyboard_rows);
#undef STATE_OF

#define STATE_OF i8042_state
static const struct state_field i8042_rows[] = {I8042_STATE(STATE_FIELD)};
TABLE(i8042, i8042_rows);
#undef STATE_OF

#define STATE_OF power_state
static const struct state_field power_rows[] = {POWER_STATE(STATE_FIELD)};
TABLE(power, power_rows);
#undef STATE_OF

#define STATE_OF report_state
static const struct state_field report_rows[] = {REPORT_STATE(STATE_FIELD)};
TABLE(report, report_rows);
#undef STATE_OF

#define STATE_OF virtio_queue_state
static const struct state_field virtio_queue_rows[] = {VIRTIO_QUEUE_STATE(STATE_FIELD)};
TABLE(virtio_queue, virtio_queue_rows);
#undef STATE_OF

#define STATE_OF virtio_state
static const struct state_field virtio_rows[] = {VIRTIO_STATE(STATE_FIELD)};
TABLE(virtio, virtio_rows);
#undef STATE_OF

#define STATE_OF net_state
static const struct state_field net_rows[] = {NET_STATE(STATE_FIELD)};
TABLE(net, net_rows);
#undef STATE_OF

#define CLASS_FIELDS(name) &name##_table
#define CLASS_JSON(name) NULL
#define CLASS_BYTES(name) NULL
#define CLASS(number, KIND, name_, format_) \
	{.kind = (number),                  \
	 .format = SECTION_##format_,       \
	 .name = #name_,                    \
	 .table = CLASS_##format_(name_)},

static const struct section_class classes[] = {STATE_SECTIONS(CLASS)};

const struct section_class *section_class_of(uint32_t kind)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (classes[i].kind == kind)
			return &classes[i];
	return NULL;
}
