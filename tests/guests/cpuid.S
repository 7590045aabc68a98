/* SPDX-License-Identifier: Apache-2.0 */
/* Prints every CPUID leaf it is offered: "LEAF:SUBLEAF=EAX EBX ECX EDX", eight subleaves each. */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"
#define SUBLEAVES 8

	.globl _start
_start:
	mov $0x10000, %esp
	mov $0, %eax
	call range
	mov $0x40000000, %eax
	call range
	mov $0x80000000, %eax
	call range
	poweroff

/* All leaves from EAX to the one that it names as the last. */
range:	mov %eax, leaf
	cpuid
	mov %eax, last
1:	movl $0, subleaf
2:	call one
	incl subleaf
	cmpl $SUBLEAVES, subleaf
	jb 2b
	incl leaf
	mov last, %eax
	cmp %eax, leaf
	jbe 1b
	ret

one:	mov leaf, %eax
	mov subleaf, %ecx
	cpuid
	mov %eax, regs
	mov %ebx, regs + 4
	mov %ecx, regs + 8
	mov %edx, regs + 12
	mov leaf, %eax
	call print_hex
	say ":"
	mov subleaf, %eax
	call print_hex
	dump "", $regs, $4
	ret

leaf:	.long 0
last:	.long 0
subleaf: .long 0
regs:	.fill 16
