/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_API_H
#define VOLT_VOLT_API_H

#include "cli/verb.h"

extern const struct verb api_verb;
extern const struct verb openapi_verb;

/* Send a request to the volt-vmm at `socket`, and its answer's body to stdout; a refusal is a
 * fault. */
V_MUST_CHECK int api_ask(const char *socket, const char *method, const char *path, const char *body,
			 struct verr *e);

/* The same, with the body in `*out`, which the caller frees. */
V_MUST_CHECK int api_fetch(const char *socket, const char *method, const char *path,
			   const char *body, char **out, struct verr *e);

#endif
