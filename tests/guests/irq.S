/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends back what it receives on COM1, by interrupts alone, and sleeps between them. After a "q" it
 * prints how many there were and powers off.
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

#define COM1_VECTOR 0x24	/* IRQ 4 */

	.globl _start
_start:
	mov $0x10000, %esp
	lgdt gdt_pointer
	ljmp $8, $1f
1:	lidt idt_pointer
	mov $on_com1, %eax
	mov %ax, gate
	shr $16, %eax
	mov %ax, gate + 6

	/* 8259: vectors from 0x20, all lines but IRQ 4 masked, not specially nested. */
	port_out 0x20, 0x11
	port_out 0x21, 0x20
	port_out 0x21, 0x04
	port_out 0x21, 0x01
	port_out 0x21, 0xEF

	port_out COM1 + 2, 0x01		/* FIFOs on, interrupt at the first byte */
	port_out COM1 + 4, 0x0B		/* DTR, RTS, OUT2: the line to the 8259 */
	port_out COM1 + 1, 0x01		/* receive interrupt */
	say "ready\n"
	jmp sleep

/* Goes back without iret, which KVM's emulator lacks: nothing was interrupted but hlt. */
on_com1:
	incl count
2:	mov $(COM1 + 2), %edx
	in %dx, %al
	test $1, %al			/* none pending */
	jnz 3f
	mov $COM1, %edx
	in %dx, %al
	out %al, %dx
	cmp $'q', %al
	je end
	jmp 2b
3:	port_out 0x20, 0x20
sleep:	mov $0x10000, %esp
	sti
4:	hlt
	jmp 4b
end:	say "\n"
	field "interrupts", count
	poweroff

count:	.long 0
	.balign 8
gdt:	.quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt:	.fill COM1_VECTOR * 8
gate:	.word 0, 8, 0x8E00, 0
idt_pointer:
	.word . - idt - 1
	.long idt
