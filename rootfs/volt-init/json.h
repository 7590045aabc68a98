/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for the JSON that volt-init takes: objects, arrays and strings. It is pulled: the caller
 * asks for what must come next, so the nesting is the caller's own and nothing recurses. Strict:
 * RFC 8259, valid UTF-8, no NUL in a string, nothing after the value. Every function that returns
 * an int gives -1 on an error; the reason names the key and the offset, and reading ends there.
 */
#ifndef VOLT_INIT_JSON_H
#define VOLT_INIT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "rootfs/volt-init/why.h"

struct json {
	const char *text;
	size_t size;
	size_t at;
	size_t token;    /* where the last string began */
	bool first;      /* the next member is the first one of its object or array */
	const char *key; /* set by the caller, for messages; NULL outside of any */
	struct why *why;
	char *room; /* where decoded strings go, one after the other */
	size_t left;
};

/* "room" holds every string that the reader returns; "size" bytes of it are enough for a text of
 * "size". */
void json_init(struct json *json, const char *text, size_t size, char *room, struct why *why);

int json_object(struct json *json);
int json_array(struct json *json);

/* 1 where another member follows, 0 where the object has ended. */
int json_member(struct json *json, char **name);

/* 1 where another item follows, 0 where the array has ended. */
int json_item(struct json *json);

int json_string(struct json *json, char **string);

/* Refuses all but blanks to the end of the text. */
int json_end(struct json *json);

/* The error of a caller that does not like what began at "at"; returns -1. */
int json_refuse(const struct json *json, size_t at, const char *what);

#endif
