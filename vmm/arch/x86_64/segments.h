/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors and descriptors of the GDT at LAYOUT_GDT (Intel SDM volume 3, 3.4.5). */
#ifndef VOLT_VMM_ARCH_X86_64_SEGMENTS_H
#define VOLT_VMM_ARCH_X86_64_SEGMENTS_H

#define SEGMENT_CODE_LOW 0x08
#define SEGMENT_CODE 0x10 /* __BOOT_CS */
#define SEGMENT_DATA 0x18 /* __BOOT_DS */
#define SEGMENT_GDT_ENTRIES 4

/* Present, ring 0, base 0, limit 4 GiB: code with L set, and writable data. */
#define SEGMENT_CODE64_DESCRIPTOR 0x00AF9B000000FFFFULL
#define SEGMENT_DATA_DESCRIPTOR 0x00CF93000000FFFFULL

/* Type fields: accessed, so that the processor need not write the GDT. */
#define SEGMENT_TYPE_CODE 0xB
#define SEGMENT_TYPE_DATA 0x3
#define SEGMENT_TYPE_TSS_BUSY 0xB

#endif
