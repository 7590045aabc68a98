/* SPDX-License-Identifier: Apache-2.0 */
/* Texts in which {n} stands for a machine's number. */
#ifndef VOLT_VOLT_POOL_TEMPLATE_H
#define VOLT_VOLT_POOL_TEMPLATE_H

#include <stdbool.h>

/* With the number in; the caller frees; NULL: out of memory. */
char *template_fill(const char *text, unsigned number);

/* Is there a {n} in it? */
bool template_varies(const char *text);

#endif
