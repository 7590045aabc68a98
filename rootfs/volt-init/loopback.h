/* SPDX-License-Identifier: Apache-2.0 */
/* The interface "lo": programs that talk to themselves by 127.0.0.1 and ::1 need it up. */
#ifndef VOLT_INIT_LOOPBACK_H
#define VOLT_INIT_LOOPBACK_H

#include <stdbool.h>

/* A kernel without networking has none, which is no failure. */
void loopback_up(bool debug);

#endif
