/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of volt openapi that both descriptions are made with. */
#ifndef VOLT_VOLT_OPENAPI_H
#define VOLT_VOLT_OPENAPI_H

#include <jansson.h>

/* Steals nothing; the caller owns what it gets. */
json_t *openapi_reference(const char *schema);

/* Add an operation, which is given away, to the paths. */
void openapi_add(json_t *paths, const char *method, const char *path, json_t *operation);

/* openapi_firecracker.c: the whole description; NULL: out of memory. */
json_t *openapi_firecracker(void);

#endif
