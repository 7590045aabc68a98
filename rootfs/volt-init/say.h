/* SPDX-License-Identifier: Apache-2.0 */
/* What volt-init has to say, as lines on the console. It says nothing when all goes well. */
#ifndef VOLT_INIT_SAY_H
#define VOLT_INIT_SAY_H

#include <stdbool.h>

/* One line "volt-init: ..." on the console. Bytes that would break the line become '?'. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with the time since the kernel's start, and only where "on" (the volt.debug option). */
void say_step(bool on, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
