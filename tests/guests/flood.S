/* SPDX-License-Identifier: Apache-2.0 */
/* Sends as many bytes over COM1 as its command line says in hexadecimal, 00 to FF again and again. */
#include "guest.inc"
	pvh_note _start
	.code32
#include "hex.inc"

	.globl _start
_start:
	mov INFO_CMDLINE(%ebx), %esi
	mov $0x10000, %esp
	call hex
	mov $COM1, %edx
	xor %eax, %eax
1:	out %al, %dx
	inc %eax
	cmp %edi, %eax
	jne 1b
	poweroff
