/* SPDX-License-Identifier: Apache-2.0 */
/* Tells kernel images apart by content, and says what a file that is none looks like. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/boot_priv.h"

/* As much of a file as any magic number here needs: up to the end of "HdrS" at 0x202. */
#define HEAD_LEN 0x206

struct magic {
	uint32_t offset;
	uint32_t len;
	const char *bytes;
	const char *is; /* what such a file is, and the remedy */
};

static const struct magic strangers[] = {
	{0, 2, "\x1f\x8b", "a gzip file: unpack it first (gunzip)"},
	{0, 6, "\3757zXZ", "an xz file: unpack it first (unxz)"},
	{0, 3, "BZh", "a bzip2 file: unpack it first (bunzip2)"},
	{0, 4, "\x28\xb5\x2f\xfd", "a zstd file: unpack it first (unzstd)"},
	{0, 4, "\x04\x22\x4d\x18", "an LZ4 file: unpack it first (unlz4)"},
	{0, 4, "\x02\x21\x4c\x18", "an LZ4 file: unpack it first (unlz4)"},
	{56, 4, "ARM\x64", "an arm64 Linux image: this host needs an x86-64 one"},
	{56, 4, "RSC\x05", "a RISC-V Linux image: this host needs an x86-64 one"},
	{0, 4, "\x27\x05\x19\x56", "a U-Boot image: use the vmlinux or bzImage it was made from"},
	{0, 2, "MZ",
	 "an EFI program without Linux's boot header: a bzImage cut short, or a unified kernel "
	 "image (objcopy -O binary -j .linux FILE KERNEL takes its kernel out)"},
	{0, 6, "070701", "a cpio archive: is this the initrd?"},
	{0, 4, "QFI\xfb", "a qcow2 disk image"},
	{0, 7, "!<arch>", "an archive (a .deb package or a library)"},
	{0, 2, "#!", "a script"},
};

static bool has_magic(struct bytes head, uint64_t offset, const void *magic, size_t len)
{
	return range_within(offset, len, head.len) && memcmp(head.at + offset, magic, len) == 0;
}

static int not_a_kernel(struct bytes head, uint64_t size, struct verr *e)
{
	if (size == 0)
		return verr_invalid(e, "the file is empty");
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
		const struct magic *m = &strangers[i];

		if (has_magic(head, m->offset, m->bytes, m->len))
			return verr_invalid(e, "not a kernel but %s", m->is);
	}
	return verr_invalid(e,
			    "%" PRIu64 " bytes that are neither an x86-64 ELF file (vmlinux) nor a "
			    "bzImage",
			    size);
}

int boot_load_kernel(struct mem *mem, int fd, uint64_t size, enum boot_entry want,
		     struct boot_kernel *out, struct verr *e)
{
	uint8_t buf[HEAD_LEN];
	struct bytes head = bytes_of(buf, (size_t)MIN(size, sizeof(buf)));

	if (sys_pread_full(fd, buf, head.len, 0, e) < 0)
		return -1;
	if (has_magic(head, 0, ELFMAG, SELFMAG))
		return elf_load(mem, fd, size, want, out, e);
	if (has_magic(head, 0x202, "HdrS", 4))
		return bzimage_load(mem, fd, size, want, out, e);
	return not_a_kernel(head, size, e);
}

uint64_t boot_low_end(const struct mem *mem)
{
	const struct mem_region *regions;

	(void)mem_regions(mem, &regions);
	return regions[0].gpa + regions[0].len;
}

int boot_too_small(const struct mem *mem, const char *what, uint64_t need, struct verr *e)
{
	if (need > MEM_HOLE_START)
		return verr_invalid(e,
				    "%s ends at %#" PRIx64 ", but memory for it ends at %#llx "
				    "in a guest of any size",
				    what, need, MEM_HOLE_START);
	return verr_invalid(e,
			    "%s ends at %#" PRIx64 ", guest memory at %#" PRIx64
			    ": it takes --memory %" PRIu64 "M at least",
			    what, need, boot_low_end(mem), (need + MIB(1) - 1) >> 20);
}
