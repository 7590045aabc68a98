/* SPDX-License-Identifier: Apache-2.0 */
/* Entered by PVH: checks what it was handed, says hello, powers off. */
#include "guest.inc"

	pvh_note _start
	.code32
	.globl _start
_start:
	cmpl $0x336ec578, (%ebx)
	jne bad
	mov $0x10000, %esp
	mov $text, %esi
	call print
	mov 24(%ebx), %esi		/* cmdline_paddr */
	call print
	mov $newline, %esi
	call print
	poweroff
bad:
	mov $badtext, %esi
	call print
	port_out RESET, 1

print:	mov $COM1, %dx
2:	lodsb
	test %al, %al
	jz 3f
	out %al, %dx
	jmp 2b
3:	ret

text:	.asciz "hello from PVH, command line: "
badtext: .asciz "no PVH start info\n"
newline: .asciz "\n"
