/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the keyboard ready as a driver does, says "ready", and prints every scan code of it. With
 * "off" as its command line it powers off when Del is pressed; else it takes no notice.
 */
#include "guest.inc"
	pvh_note _start
	.code32
#include "print.inc"

#define CTR_INTERRUPT_TRANSLATE 0x41
#define KEYBOARD_ENABLE 0xF4
#define DEL 0x53

	.globl _start
_start:
	mov $0x10000, %esp
	mov INFO_CMDLINE(%ebx), %eax
	mov (%eax), %al
	mov %al, obey
	port_out I8042_COMMAND, 0x60
	port_out I8042_DATA, CTR_INTERRUPT_TRANSLATE
	port_out I8042_DATA, KEYBOARD_ENABLE
	call next_code			/* its acknowledgement */
	say "ready\n"
1:	call next_code
	mov %eax, %ebx
	field "code", %ebx
	cmp $DEL, %bl
	jne 1b
	cmpb $'o', obey
	jne 1b
	poweroff

/* EAX: the next byte from the keyboard. */
next_code:
	in $I8042_COMMAND, %al
	test $1, %al
	jz next_code
	xor %eax, %eax
	in $I8042_DATA, %al
	ret

obey:	.byte 0
