/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_CLI_SIZE_H
#define VOLT_CLI_SIZE_H

#include <stdint.h>

#define SIZE_TEXT 32

/* "1.5 MiB", for people; returns `out`. */
const char *size_text(uint64_t bytes, char out[SIZE_TEXT]);

#endif
