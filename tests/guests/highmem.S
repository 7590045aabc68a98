/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot page tables end at 4 GiB: maps the gibibyte after that, writes to its first and last
 * 8 bytes, and prints them as it reads them back, and that nothing below has changed.
 */
#include "guest.inc"
#include "linux64.inc"
	.code64
#include "print.inc"

#define GIB 0x40000000
#define HIGH 0x100000000
#define PDPT 0x2000
#define PD 0x10000		/* free in a Linux entry's low memory */
#define PRESENT_WRITE 0x03
#define LARGE 0x80
#define LARGE_PAGE 0x200000

	.globl _start
_start:
	mov $0x10000, %esp
	mov $PD, %edi
	mov $HIGH, %rax
	or $(PRESENT_WRITE | LARGE), %rax
1:	mov %rax, (%rdi)
	add $LARGE_PAGE, %rax
	add $8, %edi
	cmp $(PD + 4096), %edi
	jne 1b
	movq $(PD | PRESENT_WRITE), PDPT + 4 * 8

	mov (0), %r13
	mov $HIGH, %r11
	lea GIB - 8(%r11), %r12
	mov $0x1122334455667788, %rax
	mov %rax, (%r11)
	mov %rax, (%r12)
	field64 "first", (%r11)
	field64 "last", (%r12)
	mov (0), %rax
	sub %r13, %rax
	field64 "below", %rax
	poweroff
