/* SPDX-License-Identifier: Apache-2.0 */
/* What a state file says of the snapshot that it belongs to, apart from the machine's own state. */
#ifndef VOLT_VMM_STATE_SNAPSHOT_LISTS_H
#define VOLT_VMM_STATE_SNAPSHOT_LISTS_H

#include "vmm/state/field.h"

#define STATE_PATH_MAX 4095

#define SNAPSHOT_STATE(F)                                                 \
	F(1, ARRAY, U8, id, 16)  /* random */                             \
	F(2, ONE, BOOL, diff, 1) /* only what has changed since `base` */ \
	F(3, LIST, U8, base, 16) /* the base's id */                      \
	F(4, TEXT, CHAR, base_path, STATE_PATH_MAX)                       \
	F(5, ONE, U64, created_ns, 1) /* CLOCK_REALTIME */                \
	F(6, TEXT, CHAR, version, 64) /* of volt */
STATE_STRUCT(snapshot, SNAPSHOT_STATE)

#define MEMORY_REGION_STATE(F) \
	F(1, ONE, U64, gpa, 1) \
	F(2, ONE, U64, len, 1)
STATE_STRUCT(memory_region, MEMORY_REGION_STATE)

#define MEMORY_STATE(F)                           \
	F(1, ONE, U64, size, 1)                   \
	F(2, RECORDS, memory_region, regions, 16) \
	F(3, TEXT, CHAR, path, STATE_PATH_MAX)    \
	F(4, ARRAY, U8, hash, 32) /* BLAKE3 of the file */
STATE_STRUCT(memory, MEMORY_STATE)

#define DISK_STATE(F)                                                       \
	F(1, TEXT, CHAR, id, 64)                                            \
	F(2, ONE, BOOL, copied, 1) /* into the snapshot; else referenced */ \
	F(3, ONE, U64, size, 1)                                             \
	F(4, TEXT, CHAR, path, STATE_PATH_MAX)                              \
	F(5, ARRAY, U8, hash, 32) /* BLAKE3 of the file, or the image's id */
STATE_STRUCT(disk, DISK_STATE)

/* As STATE_SECTIONS. CONFIG is the machine's configuration; RUNS are u64 pairs: pages of a diff. */
#define STATE_SNAPSHOT_SECTIONS(S)       \
	S(1, SNAPSHOT, snapshot, FIELDS) \
	S(2, CONFIG, config, JSON)       \
	S(3, MEMORY, memory, FIELDS)     \
	S(4, RUNS, runs, BYTES)          \
	S(5, DISK, disk, FIELDS)

#endif
