/* SPDX-License-Identifier: Apache-2.0 */
/* bodies.def as data. */
#include "vmm/firecracker/tables.h"

#include "base/compiler.h"

#define REQUIRED true
#define OPTIONAL false

#define BODY(name, ...) static const struct field fields_##name[] = {
#define FIELD(key_, type_, need_, ...) \
	{.key = key_, .type = FIELD_##type_, .required = need_, __VA_ARGS__},
#define END(name) \
	}         \
	;
#include "vmm/firecracker/bodies.def"
#undef BODY
#undef FIELD
#undef END

#define FIELD(...)
#define END(name)

#define BODY(name_, text_, help_, ...)                                        \
	const struct body body_##name_ = {.name = text_,                      \
					  .help = help_,                      \
					  .fields = fields_##name_,           \
					  .count = ARRAY_LEN(fields_##name_), \
					  __VA_ARGS__};
#include "vmm/firecracker/bodies.def"
#undef BODY

const struct body *const bodies[] = {
#define BODY(name, ...) &body_##name,
#include "vmm/firecracker/bodies.def"
#undef BODY
	NULL,
};
