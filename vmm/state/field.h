/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saved state, declared once: a list of tagged fields gives the struct and the table that the
 *codec, the reader and the printing as JSON go by. lists.h has the lists.
 *
 *	#define FOO_STATE(F)                         \
 *		F(1, ONE, U8, mode, 1)               \
 *		F(2, ARRAY, U8, fifo, 16)            \
 *		F(3, LIST, U64, values, 100)         \
 *		F(4, TEXT, CHAR, name, 64)           \
 *		F(5, RECORDS, foo_queue, queues, 16)
 *	STATE_STRUCT(foo, FOO_STATE)
 *
 * gives
 *
 *	struct foo_state {
 *		uint8_t mode;
 *		uint8_t fifo[16];
 *		uint64_t values[100]; uint32_t values_count;
 *		char name[64 + 1];
 *		struct foo_queue_state queues[16]; uint32_t queues_count;
 *	};
 *
 * Tags are for ever: they count up in a list, none is used again or gets another type. A field that
 * comes later has STATE_LATER in its tag: where a file lacks it, it is zero. One that older readers
 * need not know has STATE_SKIP, too. All other fields are needed, and what is unknown is refused.
 *
 * No pointer, descriptor or host address is ever part of it. KVM's structures are arrays of bytes:
 * their layout is the kernel's, and does not change.
 */
#ifndef VOLT_VMM_STATE_FIELD_H
#define VOLT_VMM_STATE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_LATER 0x4000U
#define STATE_SKIP 0x8000U

/* As they stand in the file; never changed. */
enum state_type {
	STATE_U8 = 1,
	STATE_U16 = 2,
	STATE_U32 = 3,
	STATE_U64 = 4,
	STATE_BOOL = 5, /* one byte, 0 or 1 */
	STATE_CHAR = 6, /* of a TEXT: not NUL */
	STATE_RECORD = 7,
};

enum state_shape {
	STATE_ONE,
	STATE_ARRAY,   /* exactly so many */
	STATE_LIST,    /* up to so many; how many is in NAME_count */
	STATE_TEXT,    /* up to so many bytes, and in memory a NUL behind them */
	STATE_RECORDS, /* up to so many of another list's structs; how many is in NAME_count */
};

struct state_table;

struct state_field {
	const char *name;
	const struct state_table *records; /* of STATE_RECORDS */
	uint32_t offset, count_offset;     /* within the struct */
	uint32_t max;                      /* elements */
	uint16_t tag;
	uint8_t type, shape;
};

struct state_table {
	const char *name;
	const struct state_field *fields; /* by ascending tag, flags apart */
	uint32_t count;
	uint32_t size; /* of the struct */
};

/* --- from a list to a struct --- */

#define STATE_C_U8 uint8_t
#define STATE_C_U16 uint16_t
#define STATE_C_U32 uint32_t
#define STATE_C_U64 uint64_t
#define STATE_C_BOOL bool

#define STATE_MEMBER_ONE(type, name, max) STATE_C_##type name;
#define STATE_MEMBER_ARRAY(type, name, max) STATE_C_##type name[max];
#define STATE_MEMBER_LIST(type, name, max) \
	STATE_C_##type name[max];          \
	uint32_t name##_count;
#define STATE_MEMBER_TEXT(type, name, max) char name[(max) + 1];
#define STATE_MEMBER_RECORDS(type, name, max) \
	struct type##_state name[max];        \
	uint32_t name##_count;
#define STATE_MEMBER(tag, shape, type, name, max) STATE_MEMBER_##shape(type, name, max)

#define STATE_STRUCT(name, list)   \
	struct name##_state {      \
		list(STATE_MEMBER) \
	};                         \
	extern const struct state_table name##_table;

/* --- from a list to a table, for lists.c --- */

#define STATE_ROW(tag_, shape_, type_, name_, max_, count_, records_) \
	{.name = #name_,                                              \
	 .records = records_,                                         \
	 .offset = offsetof(struct STATE_OF, name_),                  \
	 .count_offset = count_,                                      \
	 .max = max_,                                                 \
	 .tag = (uint16_t)(tag_),                                     \
	 .type = type_,                                               \
	 .shape = shape_},
#define STATE_ROW_ONE(tag, type, name, max) \
	STATE_ROW(tag, STATE_ONE, STATE_##type, name, 1, 0, NULL)
#define STATE_ROW_ARRAY(tag, type, name, max) \
	STATE_ROW(tag, STATE_ARRAY, STATE_##type, name, max, 0, NULL)
#define STATE_ROW_LIST(tag, type, name, max)                \
	STATE_ROW(tag, STATE_LIST, STATE_##type, name, max, \
		  offsetof(struct STATE_OF, name##_count), NULL)
#define STATE_ROW_TEXT(tag, type, name, max) \
	STATE_ROW(tag, STATE_TEXT, STATE_CHAR, name, max, 0, NULL)
#define STATE_ROW_RECORDS(tag, type, name, max)                \
	STATE_ROW(tag, STATE_RECORDS, STATE_RECORD, name, max, \
		  offsetof(struct STATE_OF, name##_count), &type##_table)
#define STATE_FIELD(tag, shape, type, name, max) STATE_ROW_##shape(tag, type, name, max)

#endif
