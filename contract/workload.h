/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command reaches volt-init through the kernel command line.
 *
 * The kernel hands every word after "--" to PID 1 as an argument, at most 32 of them, splits at
 * spaces and treats double quotes specially. So the whole argument vector travels as one word:
 * its strings, separated by one NUL byte each, percent-encoded. An argument can hold every byte
 * but NUL, so %00 can only be a separator:
 *
 *	echo "hello world" ""    ->    -- echo%00hello%20world%00
 *
 * Letters, digits and VOLT_WORKLOAD_PLAIN stand for themselves, every other byte is "%" and two
 * hexadecimal digits. The decoder takes either case and refuses a "%" with fewer than two. Several
 * words (a hand-written command line) are decoded one by one and their arguments are appended.
 */
#ifndef VOLT_CONTRACT_WORKLOAD_H
#define VOLT_CONTRACT_WORKLOAD_H

#define VOLT_WORKLOAD_PLAIN "_./:=@,+-"

/* The longest kernel command line x86 Linux keeps, its final NUL included (COMMAND_LINE_SIZE). */
#define VOLT_CMDLINE_SIZE 2048

/* Exit statuses: of the workload 0-124 and 128+n; 125 says that Volt itself failed. */
#define VOLT_STATUS_FAILED 125
#define VOLT_STATUS_NOT_EXECUTABLE 126
#define VOLT_STATUS_NOT_FOUND 127
#define VOLT_STATUS_SIGNAL 128

#endif
