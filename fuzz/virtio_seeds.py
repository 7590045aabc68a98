#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the virtio fuzz targets to corpus/virtqueue, corpus/block_request and corpus/virtio_mmio.

The inputs are what virtqueue_fuzz.c, block_request_fuzz.c and virtio_mmio_fuzz.c read, in this order.
"""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"
NEXT, WRITE, INDIRECT = 1, 2, 4


def memory(at, data):
    return at.to_bytes(3, "little") + bytes([len(data)]) + data


def desc(slot, address, length, flags=0, following=0):
    return bytes([slot]) + struct.pack("<QIHH", address, length, flags, following)


# --- virtqueue ---

def op(number, content=b""):
    return bytes([number]) + content


def queue(log2=3, features=0, places=b""):
    return bytes([log2, features]) + places


def add(*args):
    return op(1, desc(*args))


def add_indirect(*args):
    return op(2, desc(*args))


def offer(head=0):
    return op(3, struct.pack("<H", head))


def index(value):
    return op(4, struct.pack("<H", value))


TAKE, UNDO, ASK, DISARM, ARM = op(5), op(7), op(8), op(9), op(10)
GIVE = op(6, struct.pack("<I", 512))
CHAIN = add(0, 0x8000, 16, NEXT, 1) + add(1, 0x9000, 512, NEXT | WRITE, 2) + add(2, 0xA000, 1, WRITE)

VIRTQUEUE = {
    "chain": queue() + CHAIN + offer() + DISARM + TAKE + TAKE + GIVE + ASK + ARM,
    "events": queue(features=2) + CHAIN + (offer() + TAKE + GIVE + ASK + ARM) * 12,
    "undo": queue() + CHAIN + offer() + TAKE + UNDO + TAKE + GIVE,
    "loop": queue() + add(0, 0x8000, 0, NEXT, 1) + add(1, 0x8000, 0, NEXT, 0) + offer() + TAKE + ARM,
    "jump": queue() + CHAIN + index(9) + TAKE + index(8) + TAKE,
    "head": queue() + offer(8) + TAKE,
    "indirect": queue(features=1) + add_indirect(0, 0x8000, 16, NEXT, 1) + add_indirect(1, 0x9000, 8, WRITE)
    + add(0, 0x10000, 32, INDIRECT) + offer() + TAKE + GIVE,
    "nested": queue(features=1) + add_indirect(0, 0x10000, 16, INDIRECT) + add(0, 0x10000, 16, INDIRECT) + offer() + TAKE,
    "own table": queue(features=1) + add(0, 0x1000, 128, INDIRECT) + offer() + TAKE,
    "wraps": queue() + add(0, (1 << 64) - 4, 8) + offer() + TAKE,
    "end": queue() + add(0, (1 << 20) - 4, 4, NEXT, 1) + add(1, (1 << 20) - 4, 5) + offer() + TAKE,
    "placed": queue(0, 7 << 2, struct.pack("<QQQ", 0x100, 0x200, 0x300)) + add(0, 0, 1, WRITE) + offer() + TAKE + GIVE,
    "overlapping": queue(4, 7 << 2, struct.pack("<QQQ", 0x100, 0x100, 0x100)) + offer() * 3 + TAKE + GIVE + TAKE,
    "odd size": b"\xff\x00" + struct.pack("<H", 257) + CHAIN + op(11, queue()) + offer() + TAKE,
    "memory": queue() + op(0, memory(0x1000, desc(0, 0x8000, 4)[1:])) + offer() + TAKE,
}

# --- block requests ---

WRITABLE = 0x80


def limits(sectors=2048, flags=6):
    """One byte: read-only, discard, write-zeroes, and by how much the number of sectors is shifted."""
    return bytes([flags]) + sectors.to_bytes(7, "little")


def buffer(content):
    return bytes([len(content) - 1]) + content


def sectors(count, how=0):
    return bytes([how | 64]) + struct.pack("<H", count - 1)


def header(kind, sector=0):
    return buffer(struct.pack("<IIQ", kind, 0, sector))


STATUS = bytes([WRITABLE])
RANGE = struct.pack("<QII", 8, 16, 0)

REQUESTS = {
    "read": limits() + header(0, 8) + sectors(8, WRITABLE) + STATUS,
    "write": limits() + header(1, 8) + sectors(3) + sectors(5) + STATUS,
    "parts": limits() + b"".join(buffer(b"\0") for _ in range(16)) + sectors(1, WRITABLE) + STATUS,
    "flush": limits() + header(4) + STATUS,
    "id": limits() + header(8) + bytes([WRITABLE | 9, 19]) + STATUS,
    "discard": limits() + header(11) + buffer(RANGE) + STATUS,
    "zeroes": limits() + header(13) + buffer(RANGE[:12] + b"\1\0\0\0") + STATUS,
    "range in parts": limits() + header(13) + buffer(RANGE[:5]) + buffer(RANGE[5:]) + STATUS,
    "unknown": limits() + header(5) + STATUS,
    "read-only": limits(flags=7) + header(1) + sectors(1) + STATUS,
    "beyond": limits() + header(0, (1 << 64) - 1) + sectors(1, WRITABLE) + STATUS,
    "long": limits(1 << 40) + header(0) + bytes([WRITABLE | 65]) + struct.pack("<I", (1 << 28) - 1) + STATUS,
    "no answer": limits() + header(1) + sectors(1),
    "no header": limits() + STATUS,
    "together": limits() + buffer(struct.pack("<IIQ", 1, 0, 0) + bytes(32)) + STATUS,
}

# --- registers ---

QUEUE_1 = 10  # added to an operation that concerns a queue
READ, SET_ANY, SET, MEMORY, DESC, HEADER, OFFER, KICK, TURN, INIT = range(10)
LENGTHS = {4: 0, 1: 1, 2: 2, 8: 3}


def read(register, length=4):
    return bytes([READ, LENGTHS[length]]) + struct.pack("<H", register)


def set_any(register, value, length):
    return bytes([SET_ANY, LENGTHS[length]]) + struct.pack("<HQ", register, value)


def put(register, value):
    return bytes([SET, register // 4]) + struct.pack("<I", value)


def request(kind, sector, length, q=0):
    flags = NEXT | (WRITE if kind in (0, 8) else 0)
    return (bytes([HEADER, q, kind]) + struct.pack("<H", sector) + bytes([DESC + QUEUE_1 * q])
            + desc(0, 0x8000 + 16 * q, 16, NEXT, 1) + bytes([DESC + QUEUE_1 * q]) + desc(1, 0x20000, length, flags, 2)
            + bytes([DESC + QUEUE_1 * q]) + desc(2, 0x9000 + q, 1, WRITE) + bytes([OFFER + QUEUE_1 * q, 0, 0]))


def kick(q=0):
    return bytes([KICK + QUEUE_1 * q])


TURNS = bytes([TURN])
ALL, NO_EVENTS = bytes([INIT, 0]), bytes([INIT, 2])
OLD_STEPS = put(0x70, 1) + put(0x70, 3) + put(0x24, 1) + put(0x20, 1) + put(0x70, 11)
SET_UP = put(0x38, 16) + put(0x80, 0x1000) + put(0x90, 0x3000) + put(0xA0, 0x5000) + put(0x44, 1)

MMIO = {
    "by hand": b"".join(read(register) for register in (0, 4, 8, 12, 16)) + OLD_STEPS + put(0x30, 0) + read(0x34) + SET_UP
    + put(0x70, 15) + request(0, 3, 512) + kick() + TURNS + read(0x60) + put(0x64, 1),
    "read": ALL + request(0, 3, 512) + kick() + TURNS,
    "write": NO_EVENTS + request(1, 3, 4096) + kick() + TURNS + TURNS,
    "both queues": ALL + request(0, 0, 512) + request(1, 8, 512, 1) + kick(1) + kick() + TURNS,
    "flush and id": ALL + request(4, 0, 512) + kick() + TURNS + request(8, 0, 20) + kick() + TURNS,
    "reset in flight": ALL + request(1, 0, 65536) + kick() + TURNS + put(0x70, 0) + ALL + TURNS,
    "queue ends": ALL + request(1, 0, 65536) + kick() + TURNS + put(0x30, 0) + put(0x44, 0) + put(0x44, 1) + TURNS,
    "broken": ALL + bytes([OFFER, 16, 0]) + kick() + TURNS + read(0x70) + put(0x70, 79) + kick() + TURNS + ALL,
    "moved": ALL + put(0x30, 0) + SET_UP + put(0x38, 256) + put(0x84, 1) + request(0, 0, 512) + kick() + TURNS,
    "odd accesses": ALL + b"".join(read(at, n) + set_any(at, 0x41, n) for at in (0x101, 0x70, 0x50, 0x1FF, 0x138)
                                   for n in (1, 2, 4, 8)),
    "rings nowhere": OLD_STEPS + put(0x38, 16) + put(0x84, 1) + put(0x44, 1) + put(0x70, 15) + TURNS + read(0x70),
    "discard": ALL + bytes([MEMORY]) + memory(0x20000, RANGE) + request(11, 0, 16) + kick() + TURNS,
    "zeroes": ALL + bytes([MEMORY]) + memory(0x20000, RANGE) + request(13, 0, 16) + kick() + TURNS,
    "over the rings": ALL + request(0, 0, 512) + bytes([DESC]) + desc(1, 0x1000, 8192, NEXT | WRITE, 2) + kick() + TURNS,
}


def main():
    for name, seeds in (("virtqueue", VIRTQUEUE), ("block_request", REQUESTS), ("virtio_mmio", MMIO)):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, content in seeds.items():
            (folder / seed.replace(" ", "-")).write_bytes(content)


if __name__ == "__main__":
    main()
