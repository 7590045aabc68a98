/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF-64 kernels: a vmlinux, or a bare guest.
 *
 * All headers are read and checked before the first byte is loaded. Segments go to their physical
 * address (p_paddr), one read each, straight from the file. What a segment takes beyond its bytes
 * in the file (bss) is not written: the memory is fresh, hence zero. Segments must not share an
 * address with each other or with anything else that starts a guest, all of which is below 1 MiB.
 *
 * The entry is that of the Xen note PHYS32_ENTRY (PVH, 32-bit) or else e_entry (the 64-bit one).
 */
#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/own.h"
#include "base/sys.h"
#include "vmm/arch/x86_64/layout.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/boot_priv.h"

/* Linux has five program headers and half a KiB of notes. */
#define PHDRS_MAX 64
#define NOTES_MAX KIB(64)

/* Xen's public/elfnote.h */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

/* A vmlinux has no header that says these; every x86-64 bzImage says the same. */
#define LINUX_INITRD_LIMIT 0x80000000ULL
#define LINUX_CMDLINE_MAX 2047

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are used as the file has them");

struct elf {
	struct mem *mem;
	int fd;
	uint64_t size;
	Elf64_Ehdr head;
	Elf64_Phdr ph[PHDRS_MAX];
};

static const char *type_name(unsigned type)
{
	switch (type) {
	case ET_REL:
		return "an object file that is not linked yet";
	case ET_DYN:
		return "a position-independent program or a library, which nobody relocates here: "
		       "link a kernel with -no-pie at a fixed address";
	case ET_CORE:
		return "a core dump";
	default:
		return "an ELF file that is not executable";
	}
}

static int check_head(const Elf64_Ehdr *h, struct verr *e)
{
	if (h->e_ident[EI_CLASS] == ELFCLASS32)
		return verr_invalid(e, "a 32-bit ELF file: the kernel must be a 64-bit one");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_VERSION] != EV_CURRENT)
		return verr_invalid(e, "not an ELF-64 file: class %u, version %u",
				    h->e_ident[EI_CLASS], h->e_ident[EI_VERSION]);
	if (h->e_ident[EI_DATA] != ELFDATA2LSB)
		return verr_invalid(e, "a big-endian ELF file: the kernel must be an x86-64 one");
	if (h->e_machine != EM_X86_64)
		return verr_invalid(e,
				    "an ELF file for another processor (machine %u%s): the kernel "
				    "must be an x86-64 one",
				    h->e_machine, h->e_machine == EM_AARCH64 ? ", arm64" : "");
	if (h->e_type != ET_EXEC)
		return verr_invalid(e, "not a kernel but %s", type_name(h->e_type));
	if (h->e_phentsize != sizeof(Elf64_Phdr))
		return verr_invalid(e, "program headers of %u bytes: those of ELF-64 have %zu",
				    h->e_phentsize, sizeof(Elf64_Phdr));
	if (h->e_phnum == 0 || h->e_phnum > PHDRS_MAX)
		return verr_invalid(e, "%u program headers: must be 1 to %u", h->e_phnum,
				    PHDRS_MAX);
	return 0;
}

static int check_present(const struct elf *f, const char *what, uint64_t offset, uint64_t len,
			 struct verr *e)
{
	if (range_within(offset, len, f->size))
		return 0;
	return verr_invalid(e,
			    "cut short: %s is %" PRIu64 " bytes at offset %" PRIu64
			    ", but the file has %" PRIu64,
			    what, len, offset, f->size);
}

static int read_headers(struct elf *f, struct verr *e)
{
	uint64_t len;

	if (check_present(f, "the ELF header", 0, sizeof(f->head), e) < 0 ||
	    sys_pread_full(f->fd, &f->head, sizeof(f->head), 0, e) < 0)
		return -1;
	if (memcmp(f->head.e_ident, ELFMAG, SELFMAG) != 0)
		return verr_invalid(e, "not an ELF file");
	if (check_head(&f->head, e) < 0)
		return -1;
	len = f->head.e_phnum * sizeof(Elf64_Phdr);
	if (check_present(f, "the program header table", f->head.e_phoff, len, e) < 0)
		return -1;
	return sys_pread_full(f->fd, f->ph, len, f->head.e_phoff, e);
}

static bool takes_memory(const Elf64_Phdr *p)
{
	return p->p_type == PT_LOAD && p->p_memsz > 0;
}

static int check_segment(const struct elf *f, const Elf64_Phdr *p, struct verr *e)
{
	uint64_t end;

	if (p->p_filesz > p->p_memsz)
		return verr_invalid(
			e, "has %" PRIu64 " bytes in the file and only %" PRIu64 " in memory",
			p->p_filesz, p->p_memsz);
	if (p->p_filesz > 0 && check_present(f, "it", p->p_offset, p->p_filesz, e) < 0)
		return -1;
	if (p->p_paddr < LAYOUT_HIGH_RAM)
		return verr_invalid(e,
				    "goes to %#" PRIx64 ", but what starts a guest is below "
				    "%#llx: link the kernel at that address or above",
				    p->p_paddr, LAYOUT_HIGH_RAM);
	if (!add_u64(p->p_paddr, p->p_memsz, &end))
		return verr_invalid(e, "goes to %#" PRIx64 " and wraps around", p->p_paddr);
	return 0;
}

static bool overlap(const Elf64_Phdr *a, const Elf64_Phdr *b)
{
	return a->p_paddr < b->p_paddr + b->p_memsz && b->p_paddr < a->p_paddr + a->p_memsz;
}

/* Check all loadable segments; `*end` is the first address after them. */
static int check_segments(const struct elf *f, uint64_t *end, struct verr *e)
{
	*end = 0;
	for (size_t i = 0; i < f->head.e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];

		if (p->p_type != PT_LOAD || (p->p_memsz == 0 && p->p_filesz == 0))
			continue;
		if (check_segment(f, p, e) < 0)
			return verr_note(e, "segment %zu", i);
		for (size_t j = 0; j < i; j++) {
			if (takes_memory(&f->ph[j]) && overlap(&f->ph[j], p))
				return verr_invalid(e,
						    "segments %zu and %zu overlap in memory at "
						    "%#" PRIx64,
						    j, i, MAX(p->p_paddr, f->ph[j].p_paddr));
		}
		*end = MAX(*end, p->p_paddr + p->p_memsz);
	}
	if (*end == 0)
		return verr_invalid(e, "has no segment to load");
	if (*end > boot_low_end(f->mem))
		return boot_too_small(f->mem, "it", *end, e);
	return 0;
}

enum note_result { NOTE_FOUND, NOTE_NONE, NOTE_BAD };

/*
 * Find the PVH entry among notes. ELF-64 "Note Section" pads name and descriptor to 8 bytes where
 * the segment is aligned so, and to 4 as everybody does. Sizes have 32 bits: no sum here wraps.
 */
static enum note_result find_pvh_note(struct bytes notes, uint64_t align, uint64_t *entry)
{
	uint64_t at = 0;
	Elf64_Nhdr n;

	while (bytes_copy(notes, at, &n, sizeof(n))) {
		uint64_t name = at + sizeof(n);
		uint64_t desc = (name + n.n_namesz + align - 1) & ~(align - 1);
		uint32_t entry32;

		if (!range_within(desc, n.n_descsz, notes.len))
			return NOTE_BAD;
		at = (desc + n.n_descsz + align - 1) & ~(align - 1);
		if (n.n_type != XEN_ELFNOTE_PHYS32_ENTRY || n.n_namesz != sizeof("Xen") ||
		    memcmp(notes.at + name, "Xen", sizeof("Xen")) != 0)
			continue;
		if (n.n_descsz == sizeof(*entry) && bytes_u64(notes, desc, entry))
			return NOTE_FOUND;
		if (n.n_descsz != sizeof(entry32) || !bytes_u32(notes, desc, &entry32))
			return NOTE_BAD;
		*entry = entry32;
		return NOTE_FOUND;
	}
	return NOTE_NONE;
}

static int read_notes(const struct elf *f, const Elf64_Phdr *p, bool *found, uint64_t *entry,
		      struct verr *e)
{
	auto_free uint8_t *buf = NULL;
	enum note_result result;

	if (p->p_filesz > NOTES_MAX)
		return verr_invalid(e, "%" PRIu64 " bytes: at most %" PRIu64, p->p_filesz,
				    NOTES_MAX);
	if (check_present(f, "it", p->p_offset, p->p_filesz, e) < 0)
		return -1;
	buf = malloc(p->p_filesz);
	if (buf == NULL)
		return verr_host(e, "out of memory");
	if (sys_pread_full(f->fd, buf, p->p_filesz, p->p_offset, e) < 0)
		return -1;
	result = find_pvh_note(bytes_of(buf, p->p_filesz), p->p_align == 8 ? 8 : 4, entry);
	if (result == NOTE_BAD)
		return verr_invalid(e, "a note runs past its end, or the PVH entry has not 4 or "
				       "8 bytes");
	*found = result == NOTE_FOUND;
	return 0;
}

static int find_pvh_entry(const struct elf *f, bool *found, uint64_t *entry, struct verr *e)
{
	*found = false;
	for (size_t i = 0; i < f->head.e_phnum && !*found; i++) {
		if (f->ph[i].p_type != PT_NOTE || f->ph[i].p_filesz == 0)
			continue;
		if (read_notes(f, &f->ph[i], found, entry, e) < 0)
			return verr_note(e, "note segment %zu", i);
	}
	return 0;
}

/*
 * Is `address` among bytes that the file brings, by their physical addresses (*gpa = address) or,
 * for one in the upper half, by their virtual ones (*gpa = where that is)? A vmlinux gives its
 * entry as a physical address, whatever ELF-64 says about e_entry; other kernels obey.
 */
static bool find_loaded(const struct elf *f, uint64_t address, uint64_t *gpa)
{
	bool high = address >> 63 != 0;

	for (size_t i = 0; i < f->head.e_phnum; i++) {
		const Elf64_Phdr *p = &f->ph[i];
		uint64_t start = high ? p->p_vaddr : p->p_paddr;

		if (p->p_type == PT_LOAD && address >= start && address - start < p->p_filesz) {
			*gpa = p->p_paddr + (address - start);
			return true;
		}
	}
	return false;
}

static int find_entry(const struct elf *f, enum boot_entry want, struct boot_kernel *out,
		      struct verr *e)
{
	uint64_t address = f->head.e_entry;
	bool pvh = false;

	if (want != BOOT_ENTRY_LINUX64 && find_pvh_entry(f, &pvh, &address, e) < 0)
		return -1;
	if (want == BOOT_ENTRY_PVH && !pvh)
		return verr_invalid(e, "has no PVH entry: use --entry linux64, or a kernel built "
				       "with CONFIG_PVH=y");
	out->entry = pvh ? BOOT_ENTRY_PVH : BOOT_ENTRY_LINUX64;
	if (!find_loaded(f, address, &out->entry_gpa))
		return verr_invalid(e, "its %s entry %#" PRIx64 " is outside what it loads",
				    pvh ? "PVH" : "64-bit", address);
	return 0;
}

int elf_load(struct mem *mem, int fd, uint64_t size, enum boot_entry want, struct boot_kernel *out,
	     struct verr *e)
{
	struct elf f = {.mem = mem, .fd = fd, .size = size};
	struct boot_kernel k = {.initrd_limit = LINUX_INITRD_LIMIT,
				.cmdline_max = LINUX_CMDLINE_MAX};

	if (read_headers(&f, e) < 0 || check_segments(&f, &k.end_gpa, e) < 0 ||
	    find_entry(&f, want, &k, e) < 0)
		return -1;
	for (size_t i = 0; i < f.head.e_phnum; i++) {
		const Elf64_Phdr *p = &f.ph[i];

		if (p->p_type == PT_LOAD && p->p_filesz > 0 &&
		    mem_load(mem, p->p_paddr, fd, p->p_offset, p->p_filesz, e) < 0)
			return verr_note(e, "segment %zu", i);
	}
	*out = k;
	return 0;
}
