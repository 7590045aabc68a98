/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body starts with its own length, in as few bytes as that length needs (ACPI 6.4, 20.2.4). So
 * the length is inserted when the body ends: an opening call returns where it will go.
 */
#include "vmm/arch/x86_64/aml.h"

#include <string.h>

#include "base/bytes.h"

/* ACPI 6.4, 20.3: AML byte stream byte values. */
enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_NAME = 0x08,
	AML_BYTE = 0x0A,
	AML_WORD = 0x0B,
	AML_DWORD = 0x0C,
	AML_STRING = 0x0D,
	AML_QWORD = 0x0E,
	AML_SCOPE = 0x10,
	AML_BUFFER = 0x11,
	AML_PACKAGE = 0x12,
	AML_METHOD = 0x14,
	AML_EXTENDED = 0x5B,
	AML_EXTENDED_DEVICE = 0x82,
	AML_NOTIFY = 0x86,
};

#define NAME_SEGMENT 4
#define EISA_LETTERS 3
#define EISA_LEN 7

static void aml_fail(struct aml *a, const char *problem)
{
	if (a->problem == NULL)
		a->problem = problem;
}

static void aml_insert(struct aml *a, size_t where, const uint8_t *bytes, size_t len)
{
	if (a->problem != NULL)
		return;
	if (!range_within(a->len, len, a->size)) {
		aml_fail(a, "the AML does not fit");
		return;
	}
	memmove(a->at + where + len, a->at + where, a->len - where);
	memcpy(a->at + where, bytes, len);
	a->len += len;
}

static void aml_append(struct aml *a, const uint8_t *bytes, size_t len)
{
	aml_insert(a, a->len, bytes, len);
}

static void aml_byte(struct aml *a, uint8_t byte)
{
	aml_append(a, &byte, 1);
}

/* --- data --- */

static size_t integer_encode(uint64_t value, uint8_t out[9])
{
	put_le64(out + 1, value);
	if (value <= 1) {
		out[0] = value == 0 ? AML_ZERO : AML_ONE;
		return 1;
	}
	if (value <= UINT8_MAX) {
		out[0] = AML_BYTE;
		return 1 + sizeof(uint8_t);
	}
	if (value <= UINT16_MAX) {
		out[0] = AML_WORD;
		return 1 + sizeof(uint16_t);
	}
	if (value <= UINT32_MAX) {
		out[0] = AML_DWORD;
		return 1 + sizeof(uint32_t);
	}
	out[0] = AML_QWORD;
	return 1 + sizeof(uint64_t);
}

void aml_integer(struct aml *a, uint64_t value)
{
	uint8_t encoded[9];

	aml_append(a, encoded, integer_encode(value, encoded));
}

void aml_string(struct aml *a, const char *ascii)
{
	aml_byte(a, AML_STRING);
	aml_append(a, (const uint8_t *)ascii, strlen(ascii) + 1);
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_eisa_id(const char *id)
{
	if (strlen(id) != EISA_LEN)
		return false;
	for (size_t i = 0; i < EISA_LETTERS; i++)
		if (!is_upper(id[i]))
			return false;
	for (size_t i = EISA_LETTERS; i < EISA_LEN; i++)
		if (!is_digit(id[i]) && (id[i] < 'A' || id[i] > 'F'))
			return false;
	return true;
}

/* ACPI 6.4, 19.3.4: five bits a letter, four a digit, the first in the highest bits. */
static void aml_eisa_id(struct aml *a, const char *id)
{
	uint32_t packed = 0;
	uint8_t encoded[1 + sizeof(packed)] = {AML_DWORD};

	for (size_t i = 0; i < EISA_LETTERS; i++)
		packed = packed << 5 | (uint32_t)(id[i] - 'A' + 1);
	for (size_t i = EISA_LETTERS; i < EISA_LEN; i++)
		packed = packed << 4 | (uint32_t)(is_digit(id[i]) ? id[i] - '0' : id[i] - 'A' + 10);
	/* The one number in AML that is stored big-endian. */
	put_le32(encoded + 1, __builtin_bswap32(packed));
	aml_append(a, encoded, sizeof(encoded));
}

void aml_hardware_id(struct aml *a, const char *id)
{
	if (is_eisa_id(id))
		aml_eisa_id(a, id);
	else
		aml_string(a, id);
}

/* --- names and bodies --- */

static void aml_segment(struct aml *a, const char *name)
{
	uint8_t segment[NAME_SEGMENT] = {'_', '_', '_', '_'}; /* 20.2.2: the padding */
	size_t len = strlen(name);

	if (len == 0 || len > sizeof(segment) || is_digit(name[0])) {
		aml_fail(a, "bad ACPI name");
		return;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_upper(name[i]) && !is_digit(name[i]) && name[i] != '_') {
			aml_fail(a, "bad ACPI name");
			return;
		}
		segment[i] = (uint8_t)name[i];
	}
	aml_append(a, segment, sizeof(segment));
}

void aml_name(struct aml *a, const char *name)
{
	aml_byte(a, AML_NAME);
	aml_segment(a, name);
}

size_t aml_scope(struct aml *a, const char *name)
{
	size_t body;

	aml_byte(a, AML_SCOPE);
	body = a->len;
	if (*name == '\\')
		aml_byte(a, (uint8_t)*name++);
	aml_segment(a, name);
	return body;
}

size_t aml_device(struct aml *a, const char *name)
{
	size_t body;

	aml_byte(a, AML_EXTENDED);
	aml_byte(a, AML_EXTENDED_DEVICE);
	body = a->len;
	aml_segment(a, name);
	return body;
}

size_t aml_method(struct aml *a, const char *name, uint8_t arguments)
{
	size_t body;

	aml_byte(a, AML_METHOD);
	body = a->len;
	aml_segment(a, name);
	aml_byte(a, arguments); /* not serialized */
	return body;
}

void aml_notify(struct aml *a, const char *device, uint8_t value)
{
	aml_byte(a, AML_NOTIFY);
	aml_segment(a, device);
	aml_integer(a, value);
}

size_t aml_package(struct aml *a, uint8_t elements)
{
	size_t body;

	aml_byte(a, AML_PACKAGE);
	body = a->len;
	aml_byte(a, elements);
	return body;
}

/*
 * ACPI 6.4, 20.2.4: a length counts its own bytes. One byte holds 6 bits; else the first byte holds
 * how many follow and the lowest 4 bits, each that follows 8 more.
 */
void aml_end(struct aml *a, size_t body)
{
	uint8_t encoded[4];
	size_t content = a->len - body, bytes = 1, total;

	if (a->problem != NULL)
		return;
	if (content + bytes > 0x3F) {
		for (bytes = 2; bytes < 4 && content + bytes >= (size_t)1 << (8 * bytes - 4);)
			bytes++;
		if (content + bytes >= (size_t)1 << 28) {
			aml_fail(a, "an AML body of 256 MiB");
			return;
		}
	}
	total = content + bytes;
	if (bytes == 1)
		encoded[0] = (uint8_t)total;
	else
		encoded[0] = (uint8_t)((bytes - 1) << 6 | (total & 0xF));
	for (size_t i = 1; i < bytes; i++)
		encoded[i] = (uint8_t)(total >> (8 * i - 4));
	aml_insert(a, body, encoded, bytes);
}

/* --- resources --- */

size_t aml_resources(struct aml *a)
{
	aml_byte(a, AML_BUFFER);
	return a->len;
}

void aml_resources_end(struct aml *a, size_t body)
{
	/* 6.4.2.9: an end tag; a checksum of 0 stands for "not computed". */
	static const uint8_t end_tag[] = {0x79, 0};
	uint8_t size[9];

	aml_append(a, end_tag, sizeof(end_tag));
	if (a->problem != NULL)
		return;
	aml_insert(a, body, size, integer_encode(a->len - body, size));
	aml_end(a, body);
}

/* 6.4.2.5: an I/O port descriptor with one possible base, all 16 address bits decoded. */
void aml_io_ports(struct aml *a, uint16_t base, uint8_t len)
{
	uint8_t io[8] = {[0] = 0x47, [1] = 1, [6] = 1 /* alignment */, [7] = len};

	put_le16(io + 2, base); /* lowest */
	put_le16(io + 4, base); /* highest */
	aml_append(a, io, sizeof(io));
}

/* 6.4.3.4: a fixed range of 32-bit memory, read and write. */
void aml_memory32(struct aml *a, uint32_t base, uint32_t len)
{
	uint8_t memory[12] = {[0] = 0x86, [1] = sizeof(memory) - 3, [3] = 1};

	put_le32(memory + 4, base);
	put_le32(memory + 8, len);
	aml_append(a, memory, sizeof(memory));
}

/*
 * 6.4.3.6: an extended interrupt descriptor. Unlike the short IRQ descriptor it names a global
 * system interrupt, to which no rule about legacy interrupts applies.
 */
void aml_interrupt(struct aml *a, uint32_t gsi)
{
	enum { CONSUMER = 1 << 0, EDGE = 1 << 1 }; /* active low and shared are bits 2 and 3 */
	uint8_t irq[9] = {[0] = 0x89, [1] = sizeof(irq) - 3, [3] = CONSUMER | EDGE, [4] = 1};

	put_le32(irq + 5, gsi);
	aml_append(a, irq, sizeof(irq));
}
