#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the target `state` to corpus/state: state files (vmm/state/file.h), whose checksums it makes fit.

RUNS is memory here, from FUZZ_DESC on (virtio_fuzz.h); of a difference they are what they are.
The seed `machine` is the state of a real snapshot with two disks, "d" and a read-only one, by

    volt-vmm --kernel tests/guests/steps --memory 16M --cpus 2 --pit on --drive id=d,path=D --drive id=ro,path=R,readonly=on
"""
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus/state"

U8, U16, U32, U64, BOOL, CHAR, RECORD = range(1, 8)
SIZES = {U8: "B", U16: "H", U32: "I", U64: "Q", BOOL: "B", CHAR: "B"}
SNAPSHOT, CONFIG, MEMORY, RUNS, DISK, VM, CPUID = 1, 2, 3, 4, 5, 16, 17
SERIAL, I8042, POWER, REPORT, VIRTIO, NET = 32, 33, 34, 35, 48, 49

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
    """In ascending order; one kind's count from 0."""
    body = b""
    for n, (kind, content) in enumerate(sections):
        instance = sum(k == kind for k, _ in sections[:n])
        body += struct.pack("<IIQQ", kind, instance, len(content), 0) + content + bytes(-len(content) % 8)
    return b"VOLT\r\n\x1a\0" + struct.pack("<IIQIIQ", 1, 62, 40 + len(body), len(sections), 0, 0) + body


SERIAL_STATE = fields((U8, 5), (U8, 0xC1), (U8, 3), (U8, 0x0B), (U8, 0xB0), (U8, 0), (U8, 12, 0), (U8, 0x41, 0x42),
                      (BOOL, 0), (BOOL, 1), (U8, 3))
KEYBOARD = record(fields((BOOL, 0), (U8, 0xED), (U8, 0xFA), (U8, 1, 2, 3)))
I8042_STATE = fields((U8, 0x65), (U8, 0xCF), (U8, 0), (BOOL, 1), (BOOL, 0), (U8, 0), (U8, 0xFA), (U8,),
                     (RECORD, KEYBOARD))
CPUIDS = fields((RECORD, record(fields((U32, 0), (U32, 0), (U32, 0), (U32, 1, 0x68747541, 0x444D4163, 0x69746E65))),
                 record(fields((U32, 1), (U32, 0), (U32, 0), (U32, 0, 0, 0x80000000, 0x07FFFFFF)))))
ID = bytes(range(16))


def text(value):
    return (CHAR, *value.encode())


def snapshot(*sections, base=b"", path="", drives=(), config=None, disks=()):
    said = {"memory": "2M", "cpus": 1, "drives": list(drives), **(config or {})}
    return file((SNAPSHOT, fields((U8, *ID), (BOOL, bool(base)), (U8, *base), text(path), (U64, 1), text("1"))),
                (CONFIG, json.dumps(said).encode()),
                (MEMORY, fields((U64, 2 << 20), (RECORD, record(fields((U64, 0), (U64, 2 << 20)))), text("memory"),
                                (U8, *bytes(32)))),
                *sections, *((DISK, d) for d in disks))


def disk(name, copied, path):
    return fields(text(name), (BOOL, copied), (U64, 1 << 16), text(path), (U8, *bytes(32)))


FEATURES = 1 << 32 | 1 << 28 | 1 << 29


def virtio(status, features, *queues, device=4, config=()):
    rows = [(U32, device), (U32, status), (U32, 7), (U32, 0), (U64, features), (U64, features), (U32, 0), (U32, 1), (U32, 0),
            (U8, *config), (RECORD, *(record(fields(*queue)) for queue in queues))]
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
    "virtio": file((RUNS, memory()), (VIRTIO, virtio(15, FEATURES, queue()))),
    "virtio-new": file((VIRTIO, virtio(0, 0, queue(ready=0, runs=0, size=0, desc=0, avail=0, used=0)))),
    "virtio-broken": file((VIRTIO, virtio(0x4F, FEATURES, queue(runs=0)))),
    "virtio-wild": file((VIRTIO, virtio(15, FEATURES, queue(next_avail=0x8000, next_used=0xFFFF)))),
    "virtio-outside": file((VIRTIO, virtio(15, FEATURES, queue(desc=1 << 40)))),
    "net": file((RUNS, memory()),
                (VIRTIO, virtio(15, 1 << 32 | 1 << 5 | 1 << 17, queue(), queue(desc=0x2000, avail=0x3800, used=0x5800),
                                queue(ready=0, runs=0, size=0, desc=0, avail=0, used=0),
                                queue(ready=0, runs=0, size=0, desc=0, avail=0, used=0),
                                queue(ready=0, runs=0, size=0, desc=0, avail=0, used=0),
                                device=1, config=(2, 0, 0, 0, 0, 1, 1, 0, 2, 0, 0xDC, 5))),
                (NET, fields((U8, 2, 0, 0, 0, 0, 1), (U16, 1)))),
    "snapshot": snapshot(drives=[{"id": "d", "path": "/d"}, {"id": "r", "path": "/r", "readonly": True}],
                         disks=[disk("d", 1, "disks/d"), disk("r", 0, "/r")]),
    "difference": snapshot((RUNS, struct.pack("<QQQQ", 0, 4096, 8192, 65536)), base=ID, path="base"),
    "own-base": snapshot((RUNS, b""), base=ID, path="."),
    "empty": file(),
    "passed-over": file((0x80000063, b"what is to come")),
}


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, content in SEEDS.items():
        (CORPUS / name).write_bytes(content)


main()
