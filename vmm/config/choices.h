/* SPDX-License-Identifier: Apache-2.0 */
/* Choices that a setting offers and that a higher room acts on; in the order of machine.def. */
#ifndef VOLT_VMM_CONFIG_CHOICES_H
#define VOLT_VMM_CONFIG_CHOICES_H

enum mem_huge { MEM_HUGE_AUTO, MEM_HUGE_OFF, MEM_HUGE_THP, MEM_HUGE_2M };

enum boot_entry {
	BOOT_ENTRY_AUTO,    /* PVH where the kernel has its note, else Linux */
	BOOT_ENTRY_PVH,     /* 32-bit, EBX = struct hvm_start_info */
	BOOT_ENTRY_LINUX64, /* long mode, RSI = struct boot_params */
};

enum disk_cache {
	DISK_CACHE_WRITEBACK, /* a flush makes it durable */
	DISK_CACHE_UNSAFE,    /* nothing does */
};

enum disk_engine_kind { DISK_ENGINE_AUTO, DISK_ENGINE_IO_URING, DISK_ENGINE_SYNC };

enum net_backend_kind {
	NET_BACKEND_TAP,
	NET_BACKEND_VHOST,
	NET_BACKEND_MACVTAP,
	NET_BACKEND_PASST
};

/* What --sandbox-skip and --sandbox-require name; see vmm/sandbox/sandbox.h. */
enum sandbox_layer {
	SANDBOX_SECCOMP,
	SANDBOX_LANDLOCK,
	SANDBOX_CAPABILITIES,
	SANDBOX_NAMESPACES,
	SANDBOX_LIMITS,
	SANDBOX_LAYERS,
};

enum config_personality { CONFIG_PERSONALITY_VOLT, CONFIG_PERSONALITY_FIRECRACKER };

/* As enum machine_clock. */
enum restore_clock { RESTORE_CLOCK_ADVANCE, RESTORE_CLOCK_FREEZE };

enum config_pit { CONFIG_PIT_AUTO, CONFIG_PIT_ON, CONFIG_PIT_OFF };

#endif
