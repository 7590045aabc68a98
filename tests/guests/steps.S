/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes page after page, round after round, without an end: the round's number, into each of PAGES
 * pages. Where it is, the registers alone say; so whoever saves it between any two instructions and
 * does not get all of memory, or gets some of it from another moment, is found out.
 *
 *	c  look at all pages, and say "whole" and the round, or "torn" and the page's number
 *	s  stop writing, and wait for the next    g  go on writing
 *	q  power off
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

#define BASE 0x800000
#define PAGES 1024
#define STEPS 64	/* between two looks at the serial line */

	.globl _start
_start:
	mov $0x10000, %esp
	xor %ebx, %ebx		/* the page */
	mov $1, %ebp		/* the round */
	say "ready\n"
steps:	mov $STEPS, %ecx
1:	mov %ebx, %eax
	shl $12, %eax
	mov %ebp, BASE(%eax)
	inc %ebx
	cmp $PAGES, %ebx
	jb 2f
	xor %ebx, %ebx
	inc %ebp
2:	dec %ecx
	jnz 1b
	mov $COM1_LSR, %edx
	in %dx, %al
	test $1, %al
	jz steps
obey:	mov $COM1, %edx
	in %dx, %al
	cmp $'q', %al
	je end
	cmp $'g', %al
	je steps
	cmp $'s', %al
	je stopped
	cmp $'c', %al
	jne steps
	call check
	jmp steps
stopped:
	say "stopped\n"
3:	mov $COM1_LSR, %edx
	in %dx, %al
	test $1, %al
	jz 3b
	jmp obey
end:	poweroff

/* Pages before EBX have this round's number, the others that of the one before. */
check:	xor %esi, %esi
1:	mov %ebp, %edx
	cmp %ebx, %esi
	jb 2f
	dec %edx
2:	mov %esi, %eax
	shl $12, %eax
	cmp BASE(%eax), %edx
	jne torn
	inc %esi
	cmp $PAGES, %esi
	jb 1b
	say "whole "
	mov %ebp, %eax
	call print_hex
	jmp print_newline
torn:	mov %esi, %edi
	push %edi
	say "torn "
	pop %eax
	call print_hex
	jmp print_newline
