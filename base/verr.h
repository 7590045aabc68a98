/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults: errors by value.
 *
 * A function that can fail for a reason its caller does not match on returns -1 and describes the
 * fault in the struct verr that the caller passed last. The first cause wins; callers add where
 * they were with verr_note() while they unwind. Nothing is allocated, so an ignored fault leaks
 * nothing. What a caller decides on is not a fault but an outcome, an enum of that function.
 */
#ifndef VOLT_BASE_VERR_H
#define VOLT_BASE_VERR_H

#include <errno.h>
#include <stddef.h>

#include "base/compiler.h"

enum verr_kind {
	VERR_NONE,
	VERR_INVALID,   /* the user's input: a setting, an argument, a file's content */
	VERR_NOT_FOUND, /* something named does not exist */
	VERR_STATE,     /* right, but not now */
	VERR_CORRUPT,   /* a file of ours is damaged */
	VERR_HOST,      /* the host refused or lacks something */
};

#define VERR_TEXT 512

struct verr {
	enum verr_kind kind;
	int os; /* errno of the cause, or 0 */
	int line;
	const char *file; /* where the fault was raised; static storage */
	char text[VERR_TEXT];
};

#define VERR_INIT                 \
	{                         \
		.kind = VERR_NONE \
	}

/* Raise a fault; always returns -1. `os` adds ": <strerror>" unless 0. Keeps an earlier cause. */
int verr_raise(struct verr *e, enum verr_kind kind, int os, const char *file, int line,
	       const char *fmt, ...) V_PRINTF(6, 7);

/* Put context in front of the fault's text, as in "drive a: <text>"; always returns -1. */
int verr_note(struct verr *e, const char *fmt, ...) V_PRINTF(2, 3);

/* The kind's name in lower case, for logs; never NULL. */
const char *verr_kind_name(enum verr_kind kind);

/*
 * The text as a terminal may have it: it quotes what it was given, so what would end the line or
 * move the cursor is a "?". Returns `out`.
 */
static inline const char *verr_printable(const struct verr *e, char out[static VERR_TEXT])
{
	size_t i;

	for (i = 0; i + 1 < VERR_TEXT && e->text[i] != '\0'; i++)
		out[i] = (unsigned char)e->text[i] < 0x20 || e->text[i] == 0x7f ? '?' : e->text[i];
	out[i] = '\0';
	return out;
}

#define verr_os(e, ...) verr_raise(e, VERR_HOST, errno, __FILE__, __LINE__, __VA_ARGS__)
#define verr_host(e, ...) verr_raise(e, VERR_HOST, 0, __FILE__, __LINE__, __VA_ARGS__)
#define verr_invalid(e, ...) verr_raise(e, VERR_INVALID, 0, __FILE__, __LINE__, __VA_ARGS__)
#define verr_invalid_os(e, ...) verr_raise(e, VERR_INVALID, errno, __FILE__, __LINE__, __VA_ARGS__)
#define verr_not_found(e, ...) verr_raise(e, VERR_NOT_FOUND, 0, __FILE__, __LINE__, __VA_ARGS__)
#define verr_state(e, ...) verr_raise(e, VERR_STATE, 0, __FILE__, __LINE__, __VA_ARGS__)
#define verr_corrupt(e, ...) verr_raise(e, VERR_CORRUPT, 0, __FILE__, __LINE__, __VA_ARGS__)

#endif
