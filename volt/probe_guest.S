/* SPDX-License-Identifier: Apache-2.0 */
/* The code of the probe guest (probe.h), copied to PROBE_CODE; runs at whatever address it is. */
#include "volt/probe_guest.h"

#define MSR_STAR 0xC0000081
#define MSR_LSTAR 0xC0000082
#define MSR_SFMASK 0xC0000084
#define RFLAGS_FIXED 0x2
#define INT3_VECTOR 3

.macro report value
	mov $\value, %al
	out %al, $PROBE_PORT
.endm

.macro set_msr number
	mov $\number, %ecx
	wrmsr
.endm

	.section .rodata
	.globl probe_guest, probe_guest_kernel, probe_guest_end
	.hidden probe_guest, probe_guest_kernel, probe_guest_end
	.balign PROBE_STUB
probe_guest:
	.set vector, 0
	.rept PROBE_VECTORS
	.balign PROBE_STUB
	.if vector == INT3_VECTOR
	jmp breakpoint
	.else
	mov $vector, %al
	jmp exception
	.endif
	.set vector, vector + 1
	.endr
	.balign PROBE_STUB

entry:	report PROBE_STARTED
	int3
	report PROBE_RETURNED

	xor %eax, %eax
	mov $(PROBE_SYSRET_BASE << 16 | PROBE_KERNEL_CS), %edx
	set_msr MSR_STAR
	lea probe_guest_kernel(%rip), %rax
	xor %edx, %edx
	set_msr MSR_LSTAR
	mov $0x700, %eax			/* TF, IF, DF */
	set_msr MSR_SFMASK
	report PROBE_MSRS

	xor %ebx, %ebx				/* calls so far */
	lea user(%rip), %rax
	push $PROBE_USER_SS
	push $PROBE_USER_STACK
	push $RFLAGS_FIXED
	push $PROBE_USER_CS
	push %rax
	iretq

user:	mov %cs, %edi
	syscall
	mov %cs, %edi
	syscall
	ud2

/* Twice, so that the way back to user mode is tried as well. */
probe_guest_kernel:
	mov %cs, %eax
	and $3, %eax
	and $3, %edi
	lea PROBE_SYSCALL(%rax,%rdi,4), %eax
	out %al, $PROBE_PORT
	inc %ebx
	cmp $2, %ebx
	je done
	sysretq
done:	report PROBE_DONE
	hlt

breakpoint:
	report PROBE_INT3
	iretq

exception:
	or $PROBE_EXCEPTION, %al
	out %al, $PROBE_PORT
	hlt
probe_guest_end:

	.section .note.GNU-stack, "", @progbits
