/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does what its command line says, one word after the other, numbers in hexadecimal; then halts.
 *
 *	oPORT=BYTE   out            iPORT   in, one byte, printed     IPORT   in, four bytes
 *	wADDR=LONG   write memory   rADDR   read four bytes, printed
 *	!            print "ready"  f       fault with no handler     e  what KVM cannot emulate
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"
#include "hex.inc"

	.globl _start
_start:
	mov $0x10000, %esp
	mov INFO_CMDLINE(%ebx), %esi
next:	lodsb
	cmp $' ', %al
	je next
	mov %al, %bl
	call hex
	mov %edi, %edx
	cmpb $'=', (%esi)
	jne 1f
	inc %esi
	call hex
	mov %edi, %eax
1:	push %esi
	mov $actions, %esi
2:	cmpb $0, (%esi)
	je end
	cmpb (%esi), %bl
	je 3f
	add $5, %esi
	jmp 2b
3:	mov 1(%esi), %ecx
	call *%ecx
	pop %esi
	jmp next
end:	halt

do_out:	out %al, %dx
	ret
do_in:	xor %eax, %eax
	in %dx, %al
	jmp show
do_in4:	in %dx, %eax
	jmp show
do_write:
	mov %eax, (%edx)
	ret
do_read:
	mov (%edx), %eax
show:	call print_hex
	jmp print_newline
do_ready:
	say "ready\n"
	ret
do_fault:
	lidt no_idt
	ud2
	.globl unemulated
do_unemulated:
unemulated:			/* x87 and memory that is none: in no KVM's emulator */
	fldt 0xD0000000
	ret

actions:
	.byte 'o'; .long do_out
	.byte 'i'; .long do_in
	.byte 'I'; .long do_in4
	.byte 'w'; .long do_write
	.byte 'r'; .long do_read
	.byte '!'; .long do_ready
	.byte 'f'; .long do_fault
	.byte 'e'; .long do_unemulated
	.byte 0
no_idt:	.word 0
	.long 0
