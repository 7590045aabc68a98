#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the target `state` to corpus/state: state files (vmm/state/file.h), whose checksums it makes fit.

RUNS is memory here, from FUZZ_DESC on (virtio_fuzz.h).
"""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus/state"

U8, U16, U32, U64, BOOL, CHAR, RECORD = range(1, 8)
SIZES = {U8: "B", U16: "H", U32: "I", U64: "Q", BOOL: "B", CHAR: "B"}
RUNS, VM, CPUID, SERIAL, I8042, POWER, REPORT, VIRTIO = 4, 16, 17, 32, 33, 34, 35, 48

DESC, AVAIL, USED = 0x1000, 0x3000, 0x5000


def field(tag, kind, *values):
    value = b"".join(v if kind == RECORD else struct.pack("<" + SIZES[kind], v) for v in values)
    return struct.pack("<HBBI", tag, kind, 0, len(value)) + value


def record(*fields):
    body = b"".join(fields)
    return struct.pack("<I", len(body)) + body


def fields(*rows):
    """Tags from 1 on, of (type, value...)."""
    return b"".join(field(tag, *row) for tag, row in enumerate(rows, 1))


def file(*sections):
    body = b""
    for kind, content in sections:
        body += struct.pack("<IIQQ", kind, 0, len(content), 0) + content + bytes(-len(content) % 8)
    return b"VOLT\r\n\x1a\0" + struct.pack("<IIQIIQ", 1, 62, 40 + len(body), len(sections), 0, 0) + body


SERIAL_STATE = fields((U8, 5), (U8, 0xC1), (U8, 3), (U8, 0x0B), (U8, 0xB0), (U8, 0), (U8, 12, 0), (U8, 0x41, 0x42),
                      (BOOL, 0), (BOOL, 1), (U8, 3))
KEYBOARD = record(fields((BOOL, 0), (U8, 0xED), (U8, 0xFA), (U8, 1, 2, 3)))
I8042_STATE = fields((U8, 0x65), (U8, 0xCF), (U8, 0), (BOOL, 1), (BOOL, 0), (U8, 0), (U8, 0xFA), (U8,),
                     (RECORD, KEYBOARD))
CPUIDS = fields((RECORD, record(fields((U32, 0), (U32, 0), (U32, 0), (U32, 1, 0x68747541, 0x444D4163, 0x69746E65))),
                 record(fields((U32, 1), (U32, 0), (U32, 0), (U32, 0, 0, 0x80000000, 0x07FFFFFF)))))
FEATURES = 1 << 32 | 1 << 28 | 1 << 29


def virtio(status, features, *queue):
    rows = [(U32, 4), (U32, status), (U32, 7), (U32, 0), (U64, features), (U64, features), (U32, 0), (U32, 1), (U32, 0),
            (U8,), (RECORD, record(fields(*queue)))]
    return fields(*rows)


def queue(ready=1, runs=1, size=16, desc=DESC, avail=AVAIL, used=USED, next_avail=0, next_used=0):
    return ((BOOL, ready), (BOOL, runs), (U16, size), (U64, desc), (U64, avail), (U64, used), (U16, next_avail),
            (U16, next_used))


def memory():
    """One buffer of 64 bytes is available."""
    m = bytearray(USED + 0x200 - DESC)
    struct.pack_into("<QIHH", m, 0, 0x8000, 64, 2, 0)
    struct.pack_into("<HHH", m, AVAIL - DESC, 0, 1, 0)
    return bytes(m)


SEEDS = {
    "devices": file((VM, fields((U32, 1), (U64, 1 << 20), (U32, 0), (BOOL, 0))), (SERIAL, SERIAL_STATE),
                    (I8042, I8042_STATE), (POWER, fields((U8, 0x14))), (REPORT, fields((U8, 42)))),
    "cpuid": file((CPUID, CPUIDS)),
    "virtio": file((RUNS, memory()), (VIRTIO, virtio(15, FEATURES, *queue()))),
    "virtio-new": file((VIRTIO, virtio(0, 0, *queue(ready=0, runs=0, size=0, desc=0, avail=0, used=0)))),
    "virtio-broken": file((VIRTIO, virtio(0x4F, FEATURES, *queue(runs=0)))),
    "virtio-wild": file((VIRTIO, virtio(15, FEATURES, *queue(next_avail=0x8000, next_used=0xFFFF)))),
    "virtio-outside": file((VIRTIO, virtio(15, FEATURES, *queue(desc=1 << 40)))),
    "empty": file(),
    "passed-over": file((0x80000063, b"what is to come")),
}


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, content in SEEDS.items():
        (CORPUS / name).write_bytes(content)


main()
