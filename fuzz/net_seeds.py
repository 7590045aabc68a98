#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of net_fuzz to corpus/net; the inputs are what net_fuzz.c reads, in this order."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus/net"
MEMORY, DESC, HEADER, OFFER, KICK, ARRIVE, TURN, REGISTER, INIT, OPS = range(10)
NEXT, WRITE, INDIRECT = 1, 2, 4
RX, TX, RX2, TX2, CONTROL = range(5)
MRG_RXBUF, MQ, EVENT_IDX = 1 << 15, 1 << 22, 1 << 29


def op(number, queue=0, content=b""):
    return bytes([queue * OPS + number]) + content


def desc(queue, slot, address, length, flags=0, following=0):
    return op(DESC, queue, bytes([slot]) + struct.pack("<QIHH", address, length, flags, following))


def offer(queue, head=0):
    return op(OFFER, queue, struct.pack("<H", head))


def header(slot, content):
    return op(HEADER, content=bytes([slot]) + content.ljust(12, b"\0"))


def frame_header(flags=0, kind=0, length=0, size=0, start=0, offset=0):
    return struct.pack("<BBHHHHH", flags, kind, length, size, start, offset, 0)


def arrive(length):
    return op(ARRIVE, content=struct.pack("<I", length - 1))


def init(left_out=0):
    return op(INIT, content=struct.pack("<Q", left_out))


def send(queue=TX, length=100, content=frame_header()):
    return (header(0, content) + desc(queue, 0, 0x8000, 12, NEXT, 1) + desc(queue, 1, 0x9000, length) + offer(queue)
            + op(KICK, queue) + op(TURN))


def receive(count, length, queue=RX):
    return b"".join(desc(queue, i, 0xA000 + 0x100 * i, length, WRITE) + offer(queue, i) for i in range(count)) + op(KICK, queue)


def command(*content, queue=CONTROL):
    data = bytes(content)
    return (header(1, data) + desc(queue, 0, 0x8010, len(data), NEXT, 1) + desc(queue, 1, 0x9000, 1, WRITE) + offer(queue)
            + op(KICK, queue) + op(TURN))


SEEDS = {
    "send": send() + send(length=1500),
    "segments": send(length=60000, content=frame_header(1, 1, 54, 1448, 34, 16)),
    "checksum": send(content=frame_header(1, start=34, offset=6)),
    "bad-checksum": send(content=frame_header(1, start=99, offset=16)) + send(content=frame_header(1, start=0xFFFF, offset=0xFFFF)),
    "bad-segments": b"".join(send(content=frame_header(1, kind, 54, size, 34, 16)) for kind in (1, 3, 4, 5, 0x81, 0x85, 255) for size in (0, 9)),
    "receive": receive(8, 256) + arrive(72) + op(TURN) + arrive(1000) + op(TURN),
    "late-buffers": arrive(3000) + receive(4, 256) + op(TURN) + receive(12, 256) + op(TURN),
    "full": receive(16, 64) + arrive(5000) + op(TURN) + arrive(60) + op(TURN),
    "unmerged": init(MRG_RXBUF) + receive(8, 256) + arrive(200) + op(TURN) + arrive(300) + op(TURN),
    "bad-buffers": receive(1, 11) + op(TURN) + init() + desc(RX, 0, 0xA000, 256) + offer(RX) + op(KICK, RX) + op(TURN),
    "commands": command(0, 0, 1) + command(1, 1, 2, 0, 0, 0, 0, 1) + command(4, 0, 2, 0) + command(4, 0, 9, 0),
    "tables": command(1, 0, 0, 0, 0, 0, 0, 0, 0, 0) + command(1, 0, 255, 255, 255, 255, 0, 0, 0, 0),
    "second-pair": command(4, 0, 2, 0) + receive(8, 256, RX2) + arrive(72) + op(TURN) + send(TX2) + command(4, 0, 1, 0),
    "one-pair": init(MQ) + command(0, 0, 1, queue=RX2) + send(),
    "no-events": init(EVENT_IDX) + send() + receive(4, 256) + arrive(72) + op(TURN),
    "reset-with-a-frame": receive(2, 64) + arrive(3000) + op(TURN) + init() + receive(8, 256) + arrive(100) + op(TURN),
}


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (CORPUS / name).write_bytes(data)


main()
