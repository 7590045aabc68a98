/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has both entries. Prints the state in which the Linux 64-bit protocol enters it, and the zero page;
 * entered by PVH it only says so.
 */
#include "guest.inc"
#include "linux64.inc"
	pvh_note entered_by_pvh
	.code64
#include "print.inc"

.macro selector name
	xor %eax, %eax
	mov %\name, %ax
	field "\name", %eax
.endm

	.globl _start
_start:
	mov %rsi, %rbx
	mov $0x10000, %esp
	pushf
	field64 "rflags", (%rsp)
	field64 "rsi", %rbx
	field64 "cr0", %cr0
	field64 "cr3", %cr3
	field64 "cr4", %cr4
	mov $MSR_EFER, %ecx
	rdmsr
	field "efer", %eax
	selector cs
	selector ds
	selector es
	selector ss
	sgdt descriptor
	movzwl descriptor, %eax
	field "gdt limit", %eax
	dump "gdt", descriptor + 2, $8
	sidt descriptor
	movzwl descriptor, %eax
	field "idt limit", %eax
	fnstcw control
	field "fcw", control

	/* The same bytes by both views, at both ends of what the upper one reaches. */
	mov $HIGH_HALF, %r11
	field64 "low", _start
	add $_start, %r11
	field64 "high", (%r11)
	sub $_start, %r11
	movq $0x5AA5, 0x7FFFFFF8(%r11)
	mov $0x7FFFFFF8, %r12d
	field64 "2 GiB", (%r12)
	mov $0xFEE00030, %r12d /* the local APIC: only the lower view reaches it */
	field "apic", (%r12)

	dump "zero page", %ebx, $ZERO_LONGS
	say "cmdline="
	mov ZERO_CMDLINE(%rbx), %esi
	call print
	call print_newline
	mov ZERO_RAMDISK(%rbx), %ecx
	jecxz 1f
	dump "initrd", %ecx, $2
1:	poweroff

	.code32
entered_by_pvh:
	mov $0x10000, %esp
	say "entered by PVH\n"
	poweroff

descriptor:	.fill 10
control:	.long 0
