/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI Machine Language: a builder for the few terms that describe devices (ACPI 6.4, chapter 20)
 * and for their resources (section 6.4).
 *
 * It appends to a buffer and never past it. The first problem is kept and turns every later call
 * into nothing, so a caller looks at `problem` once, at the end.
 */
#ifndef VOLT_VMM_ARCH_X86_64_AML_H
#define VOLT_VMM_ARCH_X86_64_AML_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct aml {
	uint8_t *at; /* borrowed */
	size_t size;
	size_t len;          /* bytes built so far; meaningless once there is a problem */
	const char *problem; /* NULL, or what went wrong first; static storage */
};

static inline struct aml aml_over(uint8_t *at, size_t size)
{
	return (struct aml){.at = at, .size = size};
}

/* Data, each in its shortest encoding. */
void aml_integer(struct aml *a, uint64_t value);
void aml_string(struct aml *a, const char *ascii);

/*
 * The value of a _HID: three letters and four hexadecimal digits, all upper case, become a
 * compressed EISA id; anything else a string.
 */
void aml_hardware_id(struct aml *a, const char *id);

/* Name (name, ...): the next term is its value. A name has 1 to 4 characters of A-Z 0-9 _. */
void aml_name(struct aml *a, const char *name);

/*
 * Terms with a body: everything up to aml_end(), which takes what the opening call returned.
 * A scope's name may start at the root, "\\_SB".
 */
V_MUST_CHECK size_t aml_scope(struct aml *a, const char *name);
V_MUST_CHECK size_t aml_device(struct aml *a, const char *name);
V_MUST_CHECK size_t aml_package(struct aml *a, uint8_t elements);
V_MUST_CHECK size_t aml_method(struct aml *a, const char *name, uint8_t arguments);
void aml_end(struct aml *a, size_t body);

/* Notify (device, value): a device of this scope or one around it. */
void aml_notify(struct aml *a, const char *device, uint8_t value);

/* A buffer of resource descriptors: those below, then aml_resources_end(). */
V_MUST_CHECK size_t aml_resources(struct aml *a);
void aml_resources_end(struct aml *a, size_t body);

void aml_io_ports(struct aml *a, uint16_t base, uint8_t len);
void aml_memory32(struct aml *a, uint32_t base, uint32_t len);
/* Edge-triggered, active high, exclusive. */
void aml_interrupt(struct aml *a, uint32_t gsi);

#endif
