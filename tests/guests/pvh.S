/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the state in which PVH enters it, and all that the start info leads to. */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

/* Both ends of a flat segment; the local APIC is at the upper one. */
#define APIC_VERSION 0xFEE00030

.macro through segment
	field "\segment low", %\segment:_start
	field "\segment top", %\segment:APIC_VERSION
.endm

	.globl _start
_start:
	mov $0x10000, %esp
	pushf
	field "eflags", (%esp)
	field "ebx", %ebx
	field "cr0", %cr0
	field "cr4", %cr4
	through cs
	through ds
	through es
	through fs
	through gs
	through ss
	sidt descriptor
	movzwl descriptor, %eax
	field "idt limit", %eax
	fnstcw control
	field "fcw", control

	dump "info", %ebx, $14
	say "cmdline="
	mov INFO_CMDLINE(%ebx), %esi
	call print
	call print_newline
	mov INFO_RSDP(%ebx), %ecx
	jecxz 1f
	dump "rsdp", %ecx, $2
1:	cmpl $0, INFO_MODULES(%ebx)
	je 2f
	dump "module", INFO_MODLIST(%ebx), $4
	mov INFO_MODLIST(%ebx), %ecx
	dump "initrd", (%ecx), $2
2:	imul $6, INFO_MEMMAP_ENTRIES(%ebx), %ecx
	dump "memmap", INFO_MEMMAP(%ebx), %ecx
	poweroff

descriptor:	.fill 10
control:	.long 0
