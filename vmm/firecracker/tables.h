/* SPDX-License-Identifier: Apache-2.0 */
/* What bodies.def says, for whoever checks or describes it. */
#ifndef VOLT_VMM_FIRECRACKER_TABLES_H
#define VOLT_VMM_FIRECRACKER_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_type {
	FIELD_TEXT, /* a string */
	FIELD_PATH, /* one that names a file on the host, and is not empty */
	FIELD_INT,  /* a whole number, min to max */
	FIELD_BOOL,
	FIELD_CHOICE, /* one of `choices` */
	FIELD_OBJECT, /* of `body` */
	FIELD_LIST,   /* of objects of `body` */
	FIELD_TEXTS,  /* strings */
	FIELD_MAP,    /* an object whose values are strings */
	FIELD_ANY,
};

struct body;

struct field {
	const char *key;
	enum field_type type;
	bool deprecated;
	bool required; /* else it may be left out, or be null */
	int64_t min, max;
	const char *choices; /* "A|B"; of a CHOICE without regard to case where `anycase` */
	bool anycase;
	const struct body *body;
	const char *initial; /* its value where it is left out, as JSON; NULL: none */
	const char *takes;   /* what of it Volt has: a value as JSON, "" nothing; NULL: all */
	const char *lacks;   /* words for what it has not */
};

/* An object that a request brings. */
struct body {
	const char *name; /* "Drive" */
	const char *help;
	const char *id; /* the field that repeats the path's id; NULL: none */
	bool partial;   /* a change, of something at least: what is left out stays as it is */
	bool open;      /* other fields may be there, too: it is JSON as its owner likes it */
	const struct field *fields;
	size_t count;
};

#define BODY(name, ...) extern const struct body body_##name;
#define FIELD(...)
#define END(name)
#include "vmm/firecracker/bodies.def"
#undef BODY
#undef FIELD
#undef END

/* All of them, in the order of the table; NULL behind the last. */
extern const struct body *const bodies[];

/* When a request may come. */
enum phase { PHASE_ANY, PHASE_BEFORE, PHASE_AFTER };

#endif
