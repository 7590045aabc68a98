/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VOLT_VOLT_DOCTOR_H
#define VOLT_VOLT_DOCTOR_H

#include "cli/verb.h"

extern const struct verb doctor_verb;

#endif
