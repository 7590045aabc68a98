/* SPDX-License-Identifier: Apache-2.0 */
/* The reason why something failed: one line, kept by the caller, never allocated. */
#ifndef VOLT_INIT_WHY_H
#define VOLT_INIT_WHY_H

struct why {
	char text[256];
};

/* Sets the reason and returns -1, so that "return why_set(...)" is one line. */
int why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "WHERE: " before the reason that is there already, and returns -1. */
int why_note(struct why *why, const char *where);

#endif
