#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the kernel loaders' fuzz targets to corpus/elf and corpus/bzimage.

Small files, each a kernel in its own way; the fuzzer has 16 MiB of guest memory.
"""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
PT_LOAD, PT_NOTE = 1, 4
PVH_ENTRY = 18


def note(name, kind, desc, align=4):
    def pad(b):
        return b + bytes(-len(b) % align)

    head = struct.pack("<III", len(name), len(desc), kind)
    return pad(pad(head + name) + desc)


def elf(segments, entry, ident=b"\x7fELF\x02\x01\x01", kind=2, machine=62):
    """segments: (type, physical address, virtual address, bytes, size in memory, alignment)"""
    at = 64 + 56 * len(segments)
    table, content = b"", b""
    for ptype, paddr, vaddr, data, memsz, align in segments:
        table += struct.pack("<IIQQQQQQ", ptype, 7, at + len(content), vaddr, paddr, len(data),
                             memsz, align)
        content += data
    head = ident.ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0,
                                               64, 56, len(segments), 0, 0, 0)
    return head + table + content


def bzimage(code=bytes([0xCC]) * 1024, setup_sects=1, protocol=0x20F, header_end=0x26C, loadflags=1,
            xloadflags=0x7F, alignment=0x200000, relocatable=1, pref=0x200000, init_size=0x300000,
            initrd_max=0x7FFFFFFF, cmdline=2047, truncate=None):
    b = bytearray(((setup_sects or 4) + 1) * 512)
    b[0:2] = b"MZ"

    def put(fmt, offset, value):
        struct.pack_into("<" + fmt, b, offset, value)

    put("B", 0x1F1, setup_sects)
    put("I", 0x1F4, len(code) // 16)
    put("H", 0x1FE, 0xAA55)
    put("H", 0x200, 0xEB | (header_end - 0x202) << 8)
    b[0x202:0x206] = b"HdrS"
    put("H", 0x206, protocol)
    put("B", 0x211, loadflags)
    put("I", 0x214, 0x100000)
    put("I", 0x22C, initrd_max)
    put("I", 0x230, alignment)
    put("B", 0x234, relocatable)
    put("B", 0x235, 21)
    put("H", 0x236, xloadflags)
    put("I", 0x238, cmdline)
    put("Q", 0x258, pref)
    put("I", 0x260, init_size)
    return bytes(b + code)[:truncate]


HIGH = 0xFFFFFFFF80000000
TEXT = bytes([0xF4]) * 64
PVH64 = note(b"Xen\0", PVH_ENTRY, struct.pack("<Q", 0x100010))
PVH32 = note(b"Xen\0", PVH_ENTRY, struct.pack("<I", 0x100010))
OTHER = note(b"GNU\0", 3, bytes(20)) + note(b"Linux\0", 257, b"6.1\0")
BARE = (PT_LOAD, 0x100000, 0x100000, TEXT, 64, 4096)

SEEDS = {
    "elf": {
        "bare": elf([BARE], 0x100000),
        "bss": elf([(PT_LOAD, 0x100000, 0x100000, TEXT, 0x8000, 4096)], 0x100020),
        "vmlinux": elf([(PT_LOAD, 0x200000, HIGH + 0x200000, TEXT, 64, 0x200000),
                        (PT_LOAD, 0x400000, HIGH + 0x400000, TEXT, 4096, 0x200000),
                        (PT_LOAD, 0x401000, 0, TEXT, 64, 0x200000)], 0x200000),
        "virtual-entry": elf([(PT_LOAD, 0x200000, HIGH + 0x200000, TEXT, 64, 0x200000)],
                             HIGH + 0x200010),
        "pvh64": elf([BARE, (PT_NOTE, 0, 0, OTHER + PVH64, 0, 4)], 0x100000),
        "pvh32": elf([BARE, (PT_NOTE, 0, 0, PVH32 + OTHER, 0, 4)], 0x100000),
        "pvh-align8": elf([BARE, (PT_NOTE, 0, 0, note(b"GNU\0", 5, b"12345", 8) +
                                  note(b"Xen\0", PVH_ENTRY, struct.pack("<Q", 0x100010), 8), 0, 8)],
                          0x100000),
        "two-note-segments": elf([BARE, (PT_NOTE, 0, 0, OTHER, 0, 4),
                                  (PT_NOTE, 0, 0, PVH64, 0, 4)], 0x100000),
        "pure-bss": elf([BARE, (PT_LOAD, 0x800000, 0x800000, b"", 0x700000, 4096)], 0x100000),
        "overlap": elf([BARE, BARE], 0x100000),
        "low": elf([(PT_LOAD, 0x1000, 0x1000, TEXT, 64, 4096)], 0x1000),
        "cut-short": elf([BARE], 0x100000)[:-1],
        "elf32": elf([BARE], 0x100000, ident=b"\x7fELF\x01\x01\x01"),
        "dyn": elf([BARE], 0x100000, kind=3),
        "arm64": elf([BARE], 0x100000, machine=183),
        "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    },
    "bzimage": {
        "relocatable": bzimage(),
        "fixed": bzimage(relocatable=0),
        "four-sectors": bzimage(setup_sects=0),
        "long-header": bzimage(header_end=0x281),
        "short-header": bzimage(header_end=0x264, protocol=0x20C),
        "no-preference": bzimage(pref=0, alignment=0x1000),
        "unaligned": bzimage(pref=0x212345),
        "tight": bzimage(pref=0xD00000, alignment=0x100000),
        "beyond-memory": bzimage(pref=0x1000000),
        "small-limits": bzimage(initrd_max=0x5FFFFF, cmdline=255),
        "odd-alignment": bzimage(alignment=0x300000),
        "kernel32": bzimage(xloadflags=0),
        "zimage": bzimage(loadflags=0),
        "old": bzimage(protocol=0x206, header_end=0x23C),
        "cut-short": bzimage(truncate=-16),
        "cut-in-header": bzimage(truncate=0x250),
        "script": b"#!/bin/sh\n",
    },
}

for target, files in SEEDS.items():
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (CORPUS / target / name).write_bytes(content)
