/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/image.h"

#include <stdbool.h>

/* Offsets in the file: Documentation/x86/boot.rst "The Real-Mode Kernel Header". */
enum {
	SETUP_SECTS = 0x1F1,
	HEADER = 0x202, /* "HdrS" */
	VERSION = 0x206,
	KERNEL_VERSION = 0x20E,
	PAYLOAD_OFFSET = 0x248,
	PAYLOAD_LENGTH = 0x24C,
};

#define HEADER_MAGIC 0x53726448
#define VERSION_MIN 0x0208 /* the first with payload_offset: Linux 2.6.26 */
#define SECTOR 512

static bool is_release_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '.' || c == '-' || c == '_' || c == '+' || c == '~';
}

void image_release(struct bytes text, char out[IMAGE_RELEASE])
{
	size_t n = 0;

	while (n < text.len && n < IMAGE_RELEASE - 1 && is_release_char(text.at[n]))
		n++;
	/* A release begins with a digit and ends at a space or the end of the text. */
	if (n == 0 || text.at[0] < '0' || text.at[0] > '9' ||
	    (n < text.len && text.at[n] != ' ' && text.at[n] != '\0'))
		n = 0;
	memcpy(out, text.at, n);
	out[n] = '\0';
}

static void read_release(struct bytes file, char out[IMAGE_RELEASE])
{
	uint16_t pointer;
	uint64_t at;

	out[0] = '\0';
	if (!bytes_u16(file, KERNEL_VERSION, &pointer) || pointer == 0)
		return;
	/* boot.rst "kernel_version": the pointer less 0x200 */
	at = pointer + 0x200ULL;
	if (at < file.len)
		image_release(bytes_of(file.at + at, file.len - at), out);
}

int image_parse(struct bytes file, struct image_header *out, struct verr *e)
{
	uint32_t magic, offset, length;
	uint16_t version;
	uint8_t sects;
	uint64_t start;

	if (!bytes_u32(file, HEADER, &magic) || magic != HEADER_MAGIC ||
	    !bytes_u16(file, VERSION, &version))
		return verr_invalid(e, "not an x86 bzImage: it has no Linux boot header");
	if (version < VERSION_MIN)
		return verr_invalid(e,
				    "boot protocol %u.%02u does not say where the kernel is in the "
				    "file: Linux 2.6.26 or newer does",
				    version >> 8, version & 0xFFU);
	if (!bytes_u8(file, SETUP_SECTS, &sects) || !bytes_u32(file, PAYLOAD_OFFSET, &offset) ||
	    !bytes_u32(file, PAYLOAD_LENGTH, &length))
		return verr_invalid(e, "cut short: it ends within the boot header");
	/* boot.rst "setup_sects": 0 means 4; the boot sector is not counted. */
	start = ((sects == 0 ? 4ULL : sects) + 1) * SECTOR + offset;
	if (length == 0)
		return verr_invalid(e, "its boot header says that it has no payload");
	if (!range_within(start, length, file.len))
		return verr_invalid(e,
				    "cut short: the compressed kernel is %u bytes from %llu, the "
				    "file has %zu",
				    length, (unsigned long long)start, file.len);
	out->payload = bytes_of(file.at + start, length);
	read_release(file, out->release);
	return 0;
}
