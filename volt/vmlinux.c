/* SPDX-License-Identifier: Apache-2.0 */
#include "volt/vmlinux.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/own.h"
#include "base/sys.h"

/* Linux has five program headers and half a KiB of notes. */
#define PHDRS_MAX 64
#define NOTES_MAX KIB(64)

/* Xen's public/elfnote.h */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are used as the file has them");

static int check_head(const Elf64_Ehdr *h, struct verr *e)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
		return verr_invalid(e, "not an ELF file");
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return verr_invalid(e, "not an x86-64 ELF file: class %u, machine %u",
				    h->e_ident[EI_CLASS], h->e_machine);
	if (h->e_type != ET_EXEC)
		return verr_invalid(e, "not a kernel but another kind of ELF file: type %u",
				    h->e_type);
	if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > PHDRS_MAX)
		return verr_invalid(e, "%u program headers of %u bytes: must be 1 to %d of %zu",
				    h->e_phnum, h->e_phentsize, PHDRS_MAX, sizeof(Elf64_Phdr));
	return 0;
}

/* Lengths in notes are 32-bit, so these sums do not overflow. */
static uint64_t align_to(uint64_t n, uint64_t power)
{
	return (n + power - 1) & ~(power - 1);
}

static bool has_pvh_note(struct bytes notes, uint64_t align)
{
	uint64_t at = 0;
	Elf64_Nhdr n;

	while (bytes_copy(notes, at, &n, sizeof(n))) {
		uint64_t name = at + sizeof(n), desc = align_to(name + n.n_namesz, align);

		if (n.n_type == XEN_ELFNOTE_PHYS32_ENTRY && n.n_namesz == sizeof("Xen") &&
		    range_within(desc, n.n_descsz, notes.len) &&
		    memcmp(notes.at + name, "Xen", sizeof("Xen")) == 0)
			return true;
		at = align_to(desc + n.n_descsz, align);
	}
	return false;
}

static int read_notes(int fd, const Elf64_Phdr *p, bool *pvh, struct verr *e)
{
	auto_free uint8_t *buffer = NULL;

	if (p->p_filesz > NOTES_MAX)
		return verr_invalid(e, "%llu bytes of notes: at most %llu",
				    (unsigned long long)p->p_filesz, (unsigned long long)NOTES_MAX);
	buffer = malloc(p->p_filesz + 1);
	if (buffer == NULL)
		return verr_host(e, "out of memory");
	if (sys_pread_full(fd, buffer, p->p_filesz, p->p_offset, e) < 0)
		return -1;
	*pvh = *pvh || has_pvh_note(bytes_of(buffer, p->p_filesz), p->p_align == 8 ? 8 : 4);
	return 0;
}

static int check_segment(int fd, uint64_t size, const Elf64_Phdr *p, struct vmlinux *out,
			 struct verr *e)
{
	if (p->p_type != PT_LOAD && p->p_type != PT_NOTE)
		return 0;
	if (!range_within(p->p_offset, p->p_filesz, size))
		return verr_invalid(e, "cut short: a segment ends past the file's %llu bytes",
				    (unsigned long long)size);
	return p->p_type == PT_NOTE ? read_notes(fd, p, &out->pvh, e) : 0;
}

int vmlinux_inspect(int fd, uint64_t size, struct vmlinux *out, struct verr *e)
{
	Elf64_Phdr headers[PHDRS_MAX];
	Elf64_Ehdr head;
	bool loads = false;

	*out = (struct vmlinux){0};
	if (size < sizeof(head))
		return verr_invalid(e, "not an ELF file: %llu bytes", (unsigned long long)size);
	if (sys_pread_full(fd, &head, sizeof(head), 0, e) < 0 || check_head(&head, e) < 0)
		return -1;
	if (!range_within(head.e_phoff, head.e_phnum * sizeof(headers[0]), size))
		return verr_invalid(e, "cut short: the program headers are past its end");
	if (sys_pread_full(fd, headers, head.e_phnum * sizeof(headers[0]), head.e_phoff, e) < 0)
		return -1;
	for (size_t i = 0; i < head.e_phnum; i++) {
		if (check_segment(fd, size, &headers[i], out, e) < 0)
			return -1;
		loads = loads || (headers[i].p_type == PT_LOAD && headers[i].p_filesz > 0);
	}
	if (!loads)
		return verr_invalid(e, "an ELF file with nothing to load");
	return 0;
}
