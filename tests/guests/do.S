/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does what the words say, one after the other, numbers in hexadecimal; then halts. The words are
 * the initrd's, up to a NUL, or without an initrd those of the command line.
 *
 *	oPORT=BYTE   out            iPORT   in, one byte, printed     IPORT   in, four bytes
 *	wADDR=LONG   write memory   rADDR   read four bytes, printed
 *	b h q        as w, with one, two and eight bytes (the upper four are zero)
 *	B H Q        as r, with one, two and eight bytes (two lines, the upper four last)
 *	uADDR=LONG   wait until memory has this; says "late" after some seconds, and goes on
 *	UADDR=WORD   likewise, two bytes
 *	p            the next processor does what is behind the NUL, again and again
 *	x            wait for a byte on COM1
 *	!            print "ready"  f       fault with no handler     e  what KVM cannot emulate
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"
#include "hex.inc"

#define APIC_SPURIOUS 0xFEE000F0
#define APIC_ICR 0xFEE00300
#define ICR_INIT_OTHERS 0x000C4500
#define ICR_START_OTHERS 0x000C4600

/* Below 1 MiB: where the next processor begins, and its stack. */
#define TRAMPOLINE 0x90000
#define NEXT_STACK 0x80000

/* 2^32 ticks each: some 20 s in all. */
#define PATIENCE 12

	.globl _start
_start:
	mov $0x10000, %esp
	mov INFO_CMDLINE(%ebx), %esi
	cmpl $0, INFO_MODULES(%ebx)
	je 1f
	mov INFO_MODLIST(%ebx), %ecx
	mov (%ecx), %esi
1:	call run
	halt

/* The words at ESI, until one that is none; ESI is behind its first letter then. */
run:	lodsb
	cmp $' ', %al
	je run
	mov %al, %bl
	call hex
	mov %edi, %edx
	cmpb $'=', (%esi)
	jne 1f
	inc %esi
	call hex
	mov %edi, %eax
1:	mov $actions, %edi
2:	cmpb $0, (%edi)
	je 4f
	cmpb (%edi), %bl
	je 3f
	add $5, %edi
	jmp 2b
3:	push %esi
	mov 1(%edi), %ecx
	call *%ecx
	pop %esi
	jmp run
4:	ret

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
do_write1:
	mov %al, (%edx)
	ret
do_write2:
	mov %ax, (%edx)
	ret
do_write8:			/* movq is the one such move in every KVM's emulator */
	mov %eax, eight
	movq eight, %mm0
	movq %mm0, (%edx)
	ret
do_read:
	mov (%edx), %eax
	jmp show
do_read1:
	movzbl (%edx), %eax
	jmp show
do_read2:
	movzwl (%edx), %eax
	jmp show
do_read8:
	movq (%edx), %mm0
	movq %mm0, eight_read
	mov eight_read, %eax
	call show
	mov eight_read + 4, %eax
show:	call print_hex
	jmp print_newline

do_wait:
	mov $-1, %ebp
	jmp wait
do_wait2:
	mov $0xFFFF, %ebp
wait:	mov %eax, %ebx
	mov %edx, %edi
	rdtsc
	mov %edx, %esi
1:	pause
	mov (%edi), %eax
	and %ebp, %eax
	cmp %eax, %ebx
	je 2f
	rdtsc
	sub %esi, %edx
	cmp $PATIENCE, %edx
	jb 1b
	say "late\n"
2:	ret

do_take:
	mov $COM1_LSR, %edx
1:	in %dx, %al
	test $1, %al
	jz 1b
	mov $COM1, %edx
	in %dx, %al
	ret

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

/* The word that called this is on the stack: behind its list is the next processor's. */
do_parallel:
	mov 4(%esp), %esi
1:	lodsb
	test %al, %al
	jnz 1b
	mov %esi, next_words
	mov $trampoline, %esi
	mov $TRAMPOLINE, %edi
	mov $(trampoline_end - trampoline), %ecx
	rep movsb
	movl $0x1FF, APIC_SPURIOUS
	movl $ICR_INIT_OTHERS, APIC_ICR
	movl $(ICR_START_OTHERS | TRAMPOLINE >> 12), APIC_ICR
1:	pause
	cmpl $0, next_runs
	je 1b
	ret

next_processor:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	mov $NEXT_STACK, %esp
1:	mov next_words, %esi
	call run
	movl $1, next_runs
	jmp 1b

	.code16
trampoline:
	lgdtl %cs:(gdt_at - trampoline)
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmpl $8, $next_processor
gdt_at:	.word 23
	.long gdt
trampoline_end:
	.code32

	.balign 8
gdt:	.quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
eight:	.quad 0
eight_read:	.quad 0
next_words:	.long 0
next_runs:	.long 0

actions:
	.byte 'o'; .long do_out
	.byte 'i'; .long do_in
	.byte 'I'; .long do_in4
	.byte 'w'; .long do_write
	.byte 'b'; .long do_write1
	.byte 'h'; .long do_write2
	.byte 'q'; .long do_write8
	.byte 'r'; .long do_read
	.byte 'B'; .long do_read1
	.byte 'H'; .long do_read2
	.byte 'Q'; .long do_read8
	.byte 'u'; .long do_wait
	.byte 'U'; .long do_wait2
	.byte 'p'; .long do_parallel
	.byte 'x'; .long do_take
	.byte '!'; .long do_ready
	.byte 'f'; .long do_fault
	.byte 'e'; .long do_unemulated
	.byte 0
no_idt:	.word 0
	.long 0
