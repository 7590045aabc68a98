#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of stream_fuzz, stale_fuzz and dhcp_fuzz to corpus/stream, corpus/stale and corpus/dhcp."""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"


def frame(length, content=None):
    return struct.pack(">I", length) + bytes(length if content is None else content)


def pieces(data, *sizes):
    """In pieces of these sizes, the last one as often as it takes."""
    out, sizes = b"", list(sizes)
    while data:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        out += bytes([min(size, len(data))]) + data[:size]
        data = data[size:]
    return out


STREAM = {
    "frames": pieces(frame(14) + frame(60) + frame(200), 255),
    "byte-by-byte": pieces(frame(14) + frame(1), 1),
    "empty": pieces(frame(0) * 20, 7),
    "huge": pieces(frame(14) + frame(1 << 31, 20) + frame(14), 50),
    "just-too-long": pieces(frame(65535 + 19, 20), 255),
    "longest": pieces(frame(65535 + 18, 400), 255),
    "length-in-parts": pieces(frame(300) * 2, 3, 1, 255),
}


def packet(kind, options, address=b"\x0a\0\0\2", head=b""):
    message = bytes([2, 1, 6, 0]) + bytes(12) + address + bytes(8) + b"\2\0\0\0\0\x09" + bytes(202)
    message += bytes.fromhex("63825363") + bytes([53, 1, kind]) + options
    udp = struct.pack(">HHHH", 67, 68, 8 + len(message), 0) + message
    return struct.pack(">BBHIBBH", 0x45 + len(head) // 4, 0, 20 + len(head) + len(udp), 0, 64, 17, 0) + bytes(8) + head + udp


SERVER = b"\x36\4\x0a\0\0\1"
ALL = SERVER + b"\1\4\xff\xff\xff\0\3\4\x0a\0\0\1\6\x08\x09\x09\x09\x09\1\1\1\1\x1a\2\5\x78\x33\4\0\0\x0e\x10"
DHCP = {
    "offer": packet(2, ALL + b"\xff"),
    "ack": packet(5, b"\0\0" + ALL + b"\x3a\4\0\0\3\x84\x3b\4\0\0\x0b\xb8\xff"),
    "nak": packet(6, b"\xff", bytes(4)),
    "for-ever": packet(5, SERVER + b"\x33\4\xff\xff\xff\xff\xff"),
    "ip-options": packet(2, ALL + b"\xff", head=b"\1\1\1\1"),
    "mask-with-holes": packet(2, SERVER + b"\1\4\xff\0\xff\0\xff"),
    "option-beyond-the-end": packet(2, SERVER + b"\x0c\xff"),
    "option-cut-off": packet(2, SERVER + b"\x0c"),
}



def segment(flags, to_guest=False, ipv6=False, options=b""):
    """A segment of the one connection that these are of, behind its direction and length."""
    ports = (80, 1024) if to_guest else (1024, 80)
    tcp = struct.pack(">HHIIBBHHH", *ports, 1, 2, 0x50, flags, 0, 0, 0)
    ends = [bytes([10 + end]) * (16 if ipv6 else 4) for end in ((1, 0) if to_guest else (0, 1))]
    if ipv6:
        packet = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64) + b"".join(ends) + tcp
    else:
        packet = struct.pack(">BBHIBBH", 0x45 + len(options) // 4, 0, 40 + len(options), 0x4000, 64, 6, 0) + b"".join(ends) + \
            options + tcp
    whole = bytes([2] * 6 + [3] * 6) + (b"\x86\xdd" if ipv6 else b"\x08\0") + packet
    return bytes([0x80 * to_guest + len(whole)]) + whole


SYN, RST, ACK = 2, 4, 16
STALE = {
    "old": segment(ACK) * 2,
    "old-ipv6": segment(ACK, ipv6=True) * 2,
    "old-with-options": segment(ACK, options=bytes(40)),
    "begun-by-the-guest": segment(SYN) + segment(ACK),
    "begun-by-the-other": segment(SYN, True) + segment(SYN | ACK) + segment(ACK),
    "reset": segment(RST) + segment(RST | ACK) + segment(ACK),
}

for name, seeds in (("stream", STREAM), ("stale", STALE), ("dhcp", DHCP)):
    (CORPUS / name).mkdir(parents=True, exist_ok=True)
    for seed, content in seeds.items():
        (CORPUS / name / seed).write_bytes(content)
