/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the ticks of its local APIC's timer, a line for each, and powers off after TICKS of them.
 * Whoever moves it to another machine meanwhile must not be noticed: what it has put into registers
 * of every kind at the start it finds there at the end, and time never goes back.
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

#define TICKS 0x40
#define VECTOR 0x40

#define APIC_EOI 0xFEE000B0
#define APIC_SPURIOUS 0xFEE000F0
#define APIC_TIMER 0xFEE00320
#define APIC_INITIAL 0xFEE00380
#define APIC_DIVIDE 0xFEE003E0
#define PERIODIC 0x20000
#define DIVIDE_BY_1 0xB
#define PERIOD 20000000		/* of KVM's APIC bus, which has a cycle of 1 ns */

#define MSR_SYSENTER_EIP 0x176
#define MSR_PAT 0x277
#define PAT 0x00070106		/* of each half; not the one after a reset */
#define MSR_KVM_PV_EOI_EN 0x4b564d04	/* KVM takes it only with an address that is memory */

	.globl _start
_start:
	mov $0x10000, %esp
	lgdt gdt_pointer
	ljmp $8, $1f
1:	lidt idt_pointer
	mov $on_tick, %eax
	mov %ax, gate
	shr $16, %eax
	mov %ax, gate + 6
	port_out 0x21, 0xFF
	port_out 0xA1, 0xFF

	mov $MSR_SYSENTER_EIP, %ecx
	mov $0x12345678, %eax
	xor %edx, %edx
	wrmsr
	mov $MSR_PAT, %ecx
	mov $PAT, %eax
	mov $PAT, %edx
	wrmsr
	mov $MSR_KVM_PV_EOI_EN, %ecx
	lea pv_eoi + 1, %eax			/* bit 0: enabled */
	xor %edx, %edx
	wrmsr
	mov $0x87654321, %eax
	mov %eax, %dr1
	mov $0xABCD0000, %eax
	mov %eax, %cr2
	port_out COM1 + 7, 0x5A			/* the scratch register */
	port_out COM1 + 3, 0x03
	mov $0x1234, %ebx
	mov $0x5678, %ebp

	movl $0x1FF, APIC_SPURIOUS
	movl $DIVIDE_BY_1, APIC_DIVIDE
	movl $(PERIODIC | VECTOR), APIC_TIMER
	movl $PERIOD, APIC_INITIAL
	jmp sleep

/* Goes back without iret, which KVM's emulator lacks: nothing was interrupted but hlt. */
on_tick:
	cmp $0x1234, %ebx
	jne lost
	cmp $0x5678, %ebp
	jne lost
	rdtsc
	cmp last + 4, %edx
	ja 2f
	jb back
	cmp last, %eax
	jb back
2:	mov %eax, last
	mov %edx, last + 4
	incl count
	field "tick", count
	mov $0x5678, %ebp
	movl $0, APIC_EOI
	cmpl $TICKS, count
	je end
sleep:	mov $0x10000, %esp
	sti
3:	hlt
	jmp 3b

lost:	say "registers are lost\n"
	poweroff
back:	say "time goes back\n"
	poweroff

end:	mov $MSR_SYSENTER_EIP, %ecx
	rdmsr
	field "sysenter", %eax
	mov $MSR_PAT, %ecx
	rdmsr
	field "pat", %eax
	mov %dr1, %eax
	field "dr1", %eax
	mov %cr2, %eax
	field "cr2", %eax
	xor %eax, %eax
	mov $(COM1 + 7), %edx
	in %dx, %al
	field "scratch", %eax
	poweroff

count:	.long 0
	.balign 8
pv_eoi:	.quad 0
last:	.quad 0
gdt:	.quad 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdt_pointer:
	.word . - gdt - 1
	.long gdt
idt:	.fill VECTOR * 8
gate:	.word 0, 8, 0x8E00, 0
idt_pointer:
	.word . - idt - 1
	.long idt
