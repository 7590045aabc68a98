/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is saved of a machine, list by list (field.h says what a list is), and the sections of a
 * state file that hold them. Of KVM's structures, what the host does not have is an empty list.
 */
#ifndef VOLT_VMM_STATE_LISTS_H
#define VOLT_VMM_STATE_LISTS_H

#include "vmm/state/field.h"
#include "vmm/state/snapshot_lists.h"

/* --- the machine --- */

#define VM_STATE(F)               \
	F(1, ONE, U32, cpus, 1)   \
	F(2, ONE, U64, memory, 1) \
	F(3, ONE, U32, virtio, 1) \
	F(4, ONE, BOOL, panicked, 1)
STATE_STRUCT(vm, VM_STATE)

/* What guests see of the processor; the APIC ids are those of vCPU 0. */
#define CPUID_ENTRY_STATE(F)        \
	F(1, ONE, U32, function, 1) \
	F(2, ONE, U32, index, 1)    \
	F(3, ONE, U32, flags, 1)    \
	F(4, ARRAY, U32, registers, 4) /* EAX, EBX, ECX, EDX */
STATE_STRUCT(cpuid_entry, CPUID_ENTRY_STATE)

#define CPUID_STATE(F) F(1, RECORDS, cpuid_entry, entries, 256)
STATE_STRUCT(cpuid, CPUID_STATE)

#define STATE_MSRS_MAX 512
#define STATE_XSAVE_MAX 16384

#define VCPU_STATE(F)                                                             \
	F(1, LIST, U8, regs, 144)   /* struct kvm_regs */                         \
	F(2, LIST, U8, sregs, 312)  /* struct kvm_sregs */                        \
	F(3, LIST, U8, sregs2, 320) /* struct kvm_sregs2 */                       \
	F(4, LIST, U8, fpu, 416)    /* struct kvm_fpu, where there is no XSAVE */ \
	F(5, LIST, U8, xsave, STATE_XSAVE_MAX)                                    \
	F(6, LIST, U8, xcrs, 392) /* struct kvm_xcrs */                           \
	F(7, LIST, U8, debugregs, 128)                                            \
	F(8, LIST, U8, lapic, 1024)                                               \
	F(9, LIST, U8, events, 64) /* struct kvm_vcpu_events */                   \
	F(10, ONE, U32, mp_state, 1)                                              \
	F(11, ONE, U32, tsc_khz, 1) /* 0: unknown */                              \
	F(12, ONE, U64, tsc, 1)     /* at the instant of the section CLOCK */     \
	F(13, ONE, U64, tsc_deadline, 1)                                          \
	F(14, LIST, U32, msr_indices, STATE_MSRS_MAX)                             \
	F(15, LIST, U64, msr_values, STATE_MSRS_MAX)
STATE_STRUCT(vcpu, VCPU_STATE)

#define IRQCHIP_STATE(F)                                                  \
	F(1, ARRAY, U8, pic_master, 512) /* struct kvm_irqchip's union */ \
	F(2, ARRAY, U8, pic_slave, 512)                                   \
	F(3, ARRAY, U8, ioapic, 512)
STATE_STRUCT(irqchip, IRQCHIP_STATE)

#define PIT_STATE(F) F(1, ARRAY, U8, pit, 112) /* struct kvm_pit_state2 */
STATE_STRUCT(pit, PIT_STATE)

/* One instant on two clocks. */
#define CLOCK_STATE(F)                                                \
	F(1, ONE, U64, guest_ns, 1) /* KVM's, which kvmclock shows */ \
	F(2, ONE, U64, wall_ns, 1)  /* CLOCK_REALTIME of the host */
STATE_STRUCT(clock, CLOCK_STATE)

/* --- devices --- */

#define SERIAL_STATE(F)                  \
	F(1, ONE, U8, ier, 1)            \
	F(2, ONE, U8, fcr, 1)            \
	F(3, ONE, U8, lcr, 1)            \
	F(4, ONE, U8, mcr, 1)            \
	F(5, ONE, U8, msr, 1)            \
	F(6, ONE, U8, scr, 1)            \
	F(7, ARRAY, U8, divisor, 2)      \
	F(8, LIST, U8, received, 16)     \
	F(9, ONE, BOOL, overrun, 1)      \
	F(10, ONE, BOOL, thr_emptied, 1) \
	F(11, ONE, U8, polls, 1)
STATE_STRUCT(serial, SERIAL_STATE)

#define KEYBOARD_STATE(F)           \
	F(1, ONE, BOOL, silent, 1)  \
	F(2, ONE, U8, command, 1)   \
	F(3, ONE, U8, last_sent, 1) \
	F(4, LIST, U8, queue, 16)
STATE_STRUCT(keyboard, KEYBOARD_STATE)

#define I8042_STATE(F)                       \
	F(1, ONE, U8, ctr, 1)                \
	F(2, ONE, U8, output, 1)             \
	F(3, ONE, U8, command, 1)            \
	F(4, ONE, BOOL, last_was_command, 1) \
	F(5, ONE, BOOL, releasing, 1)        \
	F(6, ONE, U8, last_read, 1)          \
	F(7, LIST, U8, reply, 1)             \
	F(8, LIST, U8, key, 1)               \
	F(9, RECORDS, keyboard, keyboard, 1)
STATE_STRUCT(i8042, I8042_STATE)

#define POWER_STATE(F) F(1, ONE, U8, sleep_type, 1)
STATE_STRUCT(power, POWER_STATE)

#define REPORT_STATE(F) F(1, LIST, U8, status, 1)
STATE_STRUCT(report, REPORT_STATE)

/* --- virtio --- */

#define STATE_QUEUES_MAX 64
#define STATE_CONFIG_MAX 256

#define VIRTIO_QUEUE_STATE(F)         \
	F(1, ONE, BOOL, ready, 1)     \
	F(2, ONE, BOOL, runs, 1)      \
	F(3, ONE, U16, size, 1)       \
	F(4, ONE, U64, desc, 1)       \
	F(5, ONE, U64, avail, 1)      \
	F(6, ONE, U64, used, 1)       \
	F(7, ONE, U16, next_avail, 1) \
	F(8, ONE, U16, next_used, 1)
STATE_STRUCT(virtio_queue, VIRTIO_QUEUE_STATE)

#define VIRTIO_STATE(F)                               \
	F(1, ONE, U32, device, 1) /* VIRTIO 1.2, 5 */ \
	F(2, ONE, U32, status, 1)                     \
	F(3, ONE, U32, generation, 1)                 \
	F(4, ONE, U32, interrupt, 1)                  \
	F(5, ONE, U64, features, 1)                   \
	F(6, ONE, U64, driver_features, 1)            \
	F(7, ONE, U32, device_features_sel, 1)        \
	F(8, ONE, U32, driver_features_sel, 1)        \
	F(9, ONE, U32, queue_sel, 1)                  \
	F(10, LIST, U8, config, STATE_CONFIG_MAX)     \
	F(11, RECORDS, virtio_queue, queues, STATE_QUEUES_MAX)
STATE_STRUCT(virtio, VIRTIO_STATE)

#define NET_STATE(F)                                               \
	F(1, ARRAY, U8, mac, 6) /* the one it has after a reset */ \
	F(2, ONE, U16, active_pairs, 1)
STATE_STRUCT(net, NET_STATE)

/*
 * Sections. S(number, KIND, name, format): FIELDS of the list NAME_STATE, or JSON or other BYTES as
 * they are. Those of devices count their instances from 0. Numbers are for ever.
 */
#define STATE_SECTIONS(S)               \
	STATE_SNAPSHOT_SECTIONS(S)      \
	S(16, VM, vm, FIELDS)           \
	S(17, CPUID, cpuid, FIELDS)     \
	S(18, VCPU, vcpu, FIELDS)       \
	S(19, IRQCHIP, irqchip, FIELDS) \
	S(20, PIT, pit, FIELDS)         \
	S(21, CLOCK, clock, FIELDS)     \
	S(32, SERIAL, serial, FIELDS)   \
	S(33, I8042, i8042, FIELDS)     \
	S(34, POWER, power, FIELDS)     \
	S(35, REPORT, report, FIELDS)   \
	S(48, VIRTIO, virtio, FIELDS)   \
	S(49, NET, net, FIELDS)

#define STATE_SECTION_NUMBER(number, KIND, name, format) STATE_KIND_##KIND = (number),
enum state_kind { STATE_SECTIONS(STATE_SECTION_NUMBER) };

#endif
