#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the device fuzz targets to corpus/serial and corpus/i8042.

Both targets take pairs of bytes: what to do, and a value (serial_fuzz.c, i8042_fuzz.c).
"""
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"

RECEIVE, SERVE = 0xE0, 0xF8


def out(reg, value):
    return bytes([reg, value])


def get(reg):
    return bytes([0x80 + reg, 0])


def receive(length):
    return bytes([RECEIVE, length])


SERVED = bytes([SERVE, 0])
LISTEN = out(2, 0x81) + out(4, 0x0B) + out(1, 0x05)

SERIAL = {
    "probe": out(1, 0) + get(1) + out(1, 0x0F) + get(1) + out(1, 0) + out(4, 0x1A) + get(6) + out(4, 0)
    + out(3, 0xBF) + out(2, 0) + out(3, 0) + out(2, 1) + get(2),
    "count-fifo": out(2, 7) + out(4, 0x10) + out(3, 3) + b"".join(out(0, i) for i in range(20))
    + (get(5) + get(0)) * 18,
    "divisor": out(3, 0x83) + out(0, 1) + out(1, 0) + get(0) + get(1) + out(3, 3),
    "input": LISTEN + receive(5) + SERVED + receive(31) + SERVED + receive(20) + get(0) * 17,
    "output": LISTEN + out(1, 0x07) + (get(2) + out(0, 0x41) * 16) * 3 + out(1, 5) + SERVED,
    "kernel-messages": LISTEN + receive(3) + (out(1, 0) + get(5) + out(0, 0x2A) + out(1, 5)) * 5 + SERVED,
    "polling": get(5) * 20 + receive(1) + get(5) + get(0),
    "modem": out(1, 8) + out(4, 0x1F) + out(4, 0x10) + get(2) + get(6) + out(4, 8) + SERVED,
}

DATA, COMMAND, READ, KEYS, STATUS = 0, 3, 5, 6, 7


def op(what, value=0):
    return bytes([what, value])


def ctr(value):
    return op(COMMAND, 0x60) + op(DATA, value)


def key(*values):
    return b"".join(op(DATA, v) + op(STATUS) + op(READ) for v in values)


I8042 = {
    "probe": op(COMMAND, 0xAA) + op(READ) + op(COMMAND, 0x20) + op(READ) + ctr(0x74) + op(COMMAND, 0xD3)
    + op(DATA, 0x5A) + op(COMMAND, 0xA9) + op(READ) + ctr(0x65) + key(0xF2) + op(READ) * 2
    + key(0xF5, 0xED, 0, 0xF3, 0, 0xF4),
    "ctrl-alt-del": ctr(0x65) + key(0xF4) + op(KEYS) + op(READ) * 9 + op(KEYS),
    "untranslated": ctr(0x25) + key(0xFF) + op(READ) + op(KEYS) + op(READ) * 4 + ctr(0x65),
    "scan-code-set": key(0xF0, 0) + op(READ) + key(0xF0, 2, 0xF0, 3, 0xFE, 0xEE, 0xF6),
    "flood": op(DATA, 0xF2) * 20 + op(KEYS) * 3,
    "disabled": ctr(0x65) + key(0xF4) + op(COMMAND, 0xAD) + op(KEYS) + op(DATA, 0xEE) + op(COMMAND, 0xAE),
    "reply-before-key": ctr(0x65) + op(DATA, 0xEE) + op(COMMAND, 0x20) + op(READ) * 2,
    "reset": op(COMMAND, 0xFE) + op(COMMAND, 0xD1) + op(DATA, 0) + op(COMMAND, 0xD0) + op(READ),
}


def main():
    for name, seeds in (("serial", SERIAL), ("i8042", I8042)):
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, content in seeds.items():
            (folder / seed).write_bytes(content)


if __name__ == "__main__":
    main()
