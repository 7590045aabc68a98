/* SPDX-License-Identifier: Apache-2.0 */
/* What probe_guest.S and its host, probe.c, agree on. Read by the assembler, too. */
#ifndef VOLT_VOLT_PROBE_GUEST_H
#define VOLT_VOLT_PROBE_GUEST_H

/* Guest physical addresses, which are the linear ones. */
#define PROBE_PML4 0x1000
#define PROBE_PDPT 0x2000
#define PROBE_PD 0x3000
#define PROBE_GDT 0x4000
#define PROBE_TSS 0x4100
#define PROBE_IDT 0x5000
#define PROBE_CODE 0x6000
#define PROBE_KERNEL_STACK 0xA000 /* grows down */
#define PROBE_USER_STACK 0xC000   /* grows down */
#define PROBE_MEMORY 0x10000

/* Selectors. SYSCALL takes the kernel's pair, SYSRET the user's two behind PROBE_SYSRET_BASE. */
#define PROBE_KERNEL_CS 0x08
#define PROBE_KERNEL_SS 0x10
#define PROBE_SYSRET_BASE 0x1B
#define PROBE_USER_SS 0x23
#define PROBE_USER_CS 0x2B
#define PROBE_TR 0x30

/* The code begins with a stub for each of the exceptions, the entry follows them. */
#define PROBE_VECTORS 32
#define PROBE_STUB 16
#define PROBE_ENTRY (PROBE_CODE + PROBE_VECTORS * PROBE_STUB)

/* The guest writes how far it came to this port, a byte at a time, in this order. */
#define PROBE_PORT 0xF4
#define PROBE_STARTED 1
#define PROBE_INT3 2
#define PROBE_RETURNED 3
#define PROBE_MSRS 4
#define PROBE_SYSCALL 0x10 /* + privilege level of the kernel, + 4 * that of the caller */
#define PROBE_DONE 5
#define PROBE_EXCEPTION 0x80 /* + its vector, for any but int3 */

#endif
