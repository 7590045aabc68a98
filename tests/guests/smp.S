/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starts all processors that CPUID counts and prints a line for each: "ID=APIC-ID X2APIC-ID", as
 * the processor itself sees them.
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

#define APIC_SPURIOUS 0xFEE000F0
#define APIC_ICR 0xFEE00300
#define ICR_INIT_OTHERS 0x000C4500
#define ICR_START_OTHERS 0x000C4600

/* A page below 1 MiB: the code that the others start with, and then what they saw. */
#define TRAMPOLINE 0x90000
#define COUNT 0x91000
#define TABLE 0x92000

	.globl _start
_start:
	mov $0x10000, %esp
	mov $trampoline, %esi
	mov $TRAMPOLINE, %edi
	mov $(trampoline_end - trampoline), %ecx
	rep movsb
	mov $1, %eax
	cpuid
	shr $16, %ebx
	movzbl %bl, %ebx
	field "cpus", %ebx
	mov $0, %esi
	call note_self
	movl $0x1FF, APIC_SPURIOUS
	movl $ICR_INIT_OTHERS, APIC_ICR
	movl $(ICR_START_OTHERS | TRAMPOLINE >> 12), APIC_ICR
1:	pause
	cmp COUNT, %ebx
	jne 1b

	mov $TABLE, %esi
2:	mov %esi, save
	dump "cpu", save, $2
	mov save, %esi
	add $8, %esi
	dec %ebx
	jnz 2b
	poweroff

note_self:
	push %ebx
	mov $1, %eax
	cpuid
	shr $24, %ebx
	mov %ebx, %esi
	mov %esi, TABLE(, %esi, 8)
	mov $0xB, %eax
	mov $0, %ecx
	cpuid
	mov %edx, TABLE + 4(, %esi, 8)
	lock incl COUNT
	pop %ebx
	ret
save:	.long 0

	.code16
trampoline:
	mov $(TABLE >> 4), %ax
	mov %ax, %ds
	mov $1, %eax
	cpuid
	shr $24, %ebx
	mov %ebx, %esi
	mov %esi, (, %esi, 8)
	mov $0xB, %eax
	mov $0, %ecx
	cpuid
	mov %edx, 4(, %esi, 8)
	mov $(COUNT >> 4), %ax
	mov %ax, %ds
	lock incl 0
1:	hlt
	jmp 1b
trampoline_end:
