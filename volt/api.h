/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_API_H
#define VOLT_VOLT_API_H

#include "cli/verb.h"

extern const struct verb api_verb;
extern const struct verb openapi_verb;

#endif
