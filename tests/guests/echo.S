/* SPDX-License-Identifier: Apache-2.0 */
/* Sends back what it receives on COM1, by polling, and powers off after a "q". */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

	.globl _start
_start:
	mov $0x10000, %esp
	say "ready\n"
1:	mov $COM1_LSR, %edx
	in %dx, %al
	test $1, %al
	jz 1b
	mov $COM1, %edx
	in %dx, %al
	out %al, %dx
	cmp $'q', %al
	jne 1b
	poweroff
