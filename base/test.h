/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka with the headers it wants first, and checks on faults. */
#ifndef VOLT_BASE_TEST_H
#define VOLT_BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/verr.h"

/* The call failed with a fault of this kind whose text holds `part`. */
#define assert_fault(result, e, wanted_kind, part)                            \
	do {                                                                  \
		assert_int_equal(result, -1);                                 \
		assert_int_equal((e)->kind, wanted_kind);                     \
		if (strstr((e)->text, part) == NULL)                          \
			fail_msg("\"%s\" is not in \"%s\"", part, (e)->text); \
	} while (0)

/* The call succeeded; else show its fault. */
#define assert_ok(result, e)                              \
	do {                                              \
		if ((result) < 0)                         \
			fail_msg("fault: %s", (e)->text); \
	} while (0)

#endif
