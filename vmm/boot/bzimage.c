/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bzImage kernels, by the Linux/x86 boot protocol (Documentation/x86/boot.rst, "boot.rst" below).
 *
 * The file is real-mode code, which a 64-bit entry leaves out, with the setup header in it, then
 * the protected-mode code, which unpacks the kernel that it carries. The latter is read straight
 * to where it prefers to be. It moves and unpacks itself within init_size bytes from the address
 * it runs at, so these must be memory, and nothing else may be there.
 */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/boot_priv.h"

/* Offsets in the file: boot.rst "The Real-Mode Kernel Header". */
enum {
	SETUP_SECTS = 0x1F1,
	SYSSIZE = 0x1F4,
	JUMP_OFFSET = 0x201,
	HEADER = 0x202, /* "HdrS" */
	VERSION = 0x206,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	INITRD_ADDR_MAX = 0x22C,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE_KERNEL = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
};

#define HEADER_MAGIC 0x53726448
#define HEADER_END_MAX (BOOT_SETUP_HEADER_OFFSET + BOOT_SETUP_HEADER_MAX)
#define SECTOR 512
#define LOADED_HIGH 0x01
#define XLF_KERNEL_64 0x0001
#define ENTRY64_OFFSET 0x200 /* boot.rst "64-bit Boot Protocol" */

/* The first protocol that says whether there is a 64-bit entry (Linux 3.8). */
#define VERSION_MIN 0x020C

struct setup {
	uint64_t code_offset; /* the protected-mode code in the file */
	uint64_t code_len;
	uint64_t pref_address;
	uint32_t init_size;
	uint32_t alignment;
	uint32_t initrd_addr_max;
	uint32_t cmdline_size;
	uint32_t header_end;
	uint16_t version;
	uint16_t xloadflags;
	uint8_t loadflags;
	uint8_t relocatable;
};

/* False when the header ends before a field. */
static bool read_fields(struct bytes head, struct setup *s)
{
	uint8_t sects;
	uint32_t syssize;

	if (!bytes_u8(head, SETUP_SECTS, &sects) || !bytes_u32(head, SYSSIZE, &syssize) ||
	    !bytes_u8(head, LOADFLAGS, &s->loadflags) ||
	    !bytes_u32(head, INITRD_ADDR_MAX, &s->initrd_addr_max) ||
	    !bytes_u32(head, KERNEL_ALIGNMENT, &s->alignment) ||
	    !bytes_u8(head, RELOCATABLE_KERNEL, &s->relocatable) ||
	    !bytes_u16(head, XLOADFLAGS, &s->xloadflags) ||
	    !bytes_u32(head, CMDLINE_SIZE, &s->cmdline_size) ||
	    !bytes_u64(head, PREF_ADDRESS, &s->pref_address) ||
	    !bytes_u32(head, INIT_SIZE, &s->init_size))
		return false;
	/* boot.rst "setup_sects": 0 means 4; the boot sector is not counted. */
	s->code_offset = ((sects == 0 ? 4ULL : sects) + 1) * SECTOR;
	s->code_len = syssize * 16ULL;
	return true;
}

/* `head` is the start of the file, HEADER_END_MAX bytes where it has as many. */
static int read_setup(struct bytes head, struct setup *s, struct verr *e)
{
	uint32_t magic;
	uint8_t jump;

	if (!bytes_u32(head, HEADER, &magic) || magic != HEADER_MAGIC)
		return verr_invalid(e, "not a bzImage: no Linux boot header");
	if (!bytes_u16(head, VERSION, &s->version) || !bytes_u8(head, JUMP_OFFSET, &jump))
		return verr_invalid(e, "cut short: ends in its boot header, after %zu bytes",
				    head.len);
	if (s->version < VERSION_MIN)
		return verr_invalid(e,
				    "boot protocol %u.%02u: too old, must be 2.12 or newer (Linux "
				    "3.8, 2013)",
				    s->version >> 8, s->version & 0xFF);
	s->header_end = HEADER + jump;
	if (s->header_end > HEADER_END_MAX || s->header_end < INIT_SIZE + sizeof(s->init_size))
		return verr_invalid(e,
				    "its boot header ends at %#x: must be %#zx to %#x in boot "
				    "protocol %u.%02u",
				    s->header_end, INIT_SIZE + sizeof(s->init_size), HEADER_END_MAX,
				    s->version >> 8, s->version & 0xFF);
	if (s->header_end > head.len || !read_fields(head, s))
		return verr_invalid(e, "cut short: ends in its boot header, after %zu bytes",
				    head.len);
	return 0;
}

static int check_setup(const struct setup *s, uint64_t size, struct verr *e)
{
	if (!(s->loadflags & LOADED_HIGH))
		return verr_invalid(e, "a zImage, which loads below 1 MiB: build a bzImage");
	if (!(s->xloadflags & XLF_KERNEL_64))
		return verr_invalid(e, "a 32-bit bzImage: the kernel must be an x86-64 one");
	if (s->alignment == 0 || (s->alignment & (s->alignment - 1)) != 0)
		return verr_invalid(e, "kernel_alignment %#x is not a power of two", s->alignment);
	if (s->code_len <= ENTRY64_OFFSET)
		return verr_invalid(e,
				    "its boot header announces %" PRIu64 " bytes of code: too few "
				    "to hold an entry",
				    s->code_len);
	if (!range_within(s->code_offset, s->code_len, size))
		return verr_invalid(e,
				    "cut short: its boot header announces %" PRIu64
				    " bytes, but the file has %" PRIu64,
				    s->code_offset + s->code_len, size);
	return 0;
}

/*
 * Where the code goes, and the first address after all that it uses. A relocatable kernel prefers
 * pref_address and runs where it was loaded, aligned; any other is loaded at 1 MiB and moves
 * itself to pref_address (boot.rst "pref_address", "init_size"). To load a relocatable one lower
 * when memory is short gains nothing: it does not run below pref_address.
 */
static int place_code(const struct mem *mem, const struct setup *s, uint64_t *load, uint64_t *end,
		      struct verr *e)
{
	uint64_t run = MAX(s->pref_address, LAYOUT_HIGH_RAM);

	*load = LAYOUT_HIGH_RAM;
	if (s->relocatable != 0) {
		if (!align_up_u64(run, s->alignment, &run))
			return verr_invalid(e,
					    "pref_address %#" PRIx64 " wraps around when aligned",
					    s->pref_address);
		*load = run;
	}
	if (!add_u64(run, MAX(s->init_size, s->code_len), end))
		return verr_invalid(e, "pref_address %#" PRIx64 " and init_size %#x wrap around",
				    s->pref_address, s->init_size);
	if (*end > boot_low_end(mem))
		return boot_too_small(mem, "what it needs to unpack itself", *end, e);
	return 0;
}

/* The header as the zero page shall have it. */
static void copy_header(const uint8_t *head, const struct setup *s, uint64_t load,
			struct boot_kernel *k)
{
	k->setup_header_len = s->header_end - BOOT_SETUP_HEADER_OFFSET;
	memcpy(k->setup_header, head + BOOT_SETUP_HEADER_OFFSET, k->setup_header_len);
	/* boot.rst "relocatable_kernel": obligatory when loaded anywhere else than at 1 MiB */
	put_le32(&k->setup_header[CODE32_START - BOOT_SETUP_HEADER_OFFSET], (uint32_t)load);
}

int bzimage_load(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
		 struct boot_kernel *out, struct verr *e)
{
	uint8_t head[HEADER_END_MAX];
	size_t head_len = (size_t)MIN(size, sizeof(head));
	struct boot_kernel k = {.entry = BOOT_ENTRY_LINUX64};
	struct setup s = {0};
	uint64_t load;

	if (sys_pread_full(fd, head, head_len, 0, e) < 0 ||
	    read_setup(bytes_of(head, head_len), &s, e) < 0 || check_setup(&s, size, e) < 0)
		return -1;
	if (want == BOOT_ENTRY_PVH)
		return verr_invalid(e, "a bzImage has no PVH entry: use --entry linux64, or the "
				       "vmlinux in it (volt kernel extract)");
	if (place_code(mem, &s, &load, &k.end_gpa, e) < 0 ||
	    mem_load(mem, load, fd, s.code_offset, s.code_len, e) < 0)
		return -1;
	k.entry_gpa = load + ENTRY64_OFFSET;
	/* boot.rst "initrd_addr_max": the last address, not the one after it */
	k.initrd_limit = s.initrd_addr_max + 1ULL;
	k.cmdline_max = (uint32_t)MIN(s.cmdline_size, LAYOUT_LOW_RAM_END - LAYOUT_CMDLINE - 1);
	copy_header(head, &s, load, &k);
	*out = k;
	return 0;
}
