/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: lines of text or JSON to one descriptor.
 *
 * The sink is the process's, set once before any second thread exists, as stderr is: the one
 * exception to "no globals with state". Writing a line never blocks, allocates or opens anything,
 * so every thread may log, sandboxed or not; what a full pipe refuses is dropped and counted.
 */
#ifndef VOLT_BASE_LOG_H
#define VOLT_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* LOG_FIRECRACKER: as Firecracker's clients know it, TIME [ID:THREAD:LEVEL:FILE:LINE] TEXT. */
enum log_format { LOG_TEXT, LOG_JSON, LOG_FIRECRACKER };

enum log_room {
	LOG_MAIN,
	LOG_CONFIG,
	LOG_KVM,
	LOG_MEM,
	LOG_ARCH,
	LOG_BOOT,
	LOG_CONSOLE,
	LOG_SERIAL,
	LOG_I8042,
	LOG_POWER,
	LOG_VIRTIO,
	LOG_BLOCK,
	LOG_NET,
	LOG_MACHINE,
	LOG_API,
	LOG_SANDBOX,
	LOG_SNAPSHOT,
	LOG_ROOMS,
};

/* Until log_setup() is called: warnings and errors as text on descriptor 2. */
struct log_options {
	enum log_level level;
	enum log_format format;
	int fd;         /* borrowed, open until the process ends; should not block */
	const char *id; /* the VM's id, in every line; borrowed; NULL leaves it out */

	/* The rest is of LOG_FIRECRACKER only. */
	bool off; /* no lines at all */
	bool show_level, show_origin;
	const char
		*module; /* only what is logged below this one, "vmm::api"; borrowed; NULL: all */
};

/* Before any second thread exists. */
void log_setup(const struct log_options *options);

/* Another id, borrowed as well; while no other thread can write a line. */
void log_rename(const char *id);

/* Is a line of this level written at all? */
int log_enabled(enum log_level level);

/* Where a line comes from. */
struct log_origin {
	enum log_room room;
	int line;
	const char *file; /* __FILE__ */
};

/* Write one line; control characters in it are written as \xNN, so no guest can forge lines. */
void log_line_from(enum log_level level, const struct log_origin *origin, const char *fmt, ...)
	V_PRINTF(3, 4);

#define log_line(level, room, ...) \
	log_line_from(level, &(const struct log_origin){room, __LINE__, __FILE__}, __VA_ARGS__)

/* Bytes that the sink refused since the process began, and lines that lost some. */
uint64_t log_dropped(void);
uint64_t log_dropped_lines(void);

/* At most LOG_LIMIT_BURST lines a second for one cause. Zero-initialised; any thread. */
struct log_limit {
	_Atomic uint64_t second;
	_Atomic uint32_t lines;
};

#define LOG_LIMIT_BURST 5

/* May one more line be written now? */
int log_limit_pass(struct log_limit *limit);

#define log_error(room, ...) log_line(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...) log_line(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...) log_line(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...)                                    \
	do {                                                    \
		if (log_enabled(LOG_DEBUG))                     \
			log_line(LOG_DEBUG, room, __VA_ARGS__); \
	} while (0)

/*
 * For every line that a guest can cause: `limit` lives in the device or vCPU concerned, and counts
 * what is written.
 */
#define log_limited(level, room, limit, ...)                     \
	do {                                                     \
		if (log_enabled(level) && log_limit_pass(limit)) \
			log_line(level, room, __VA_ARGS__);      \
	} while (0)

#endif
