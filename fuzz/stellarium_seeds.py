#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of the stellarium_*_fuzz.c targets to corpus/: parts of a small store."""
import pathlib
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
STELLARIUM = HERE.parent / "build/bin/stellarium"
PAGE = 4096


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def segment(store, codec):
    data = b"".join(b"%d," % i for i in range(1500)) + bytes(3 * PAGE) + b"end"
    subprocess.run([STELLARIUM, "init", store, "--codec", codec], check=True)
    subprocess.run([STELLARIUM, "import", store, "a", "-"], input=data, check=True, capture_output=True)
    return next((store / "packs").iterdir()).read_bytes()[PAGE:]


def entries(part):
    """(kind, stored bytes) of each entry of a segment."""
    count = struct.unpack_from("<I", part, 8)[0]
    for i in range(count):
        stored, at, _, kind = struct.unpack_from("<IIBB", part, 64 + 64 * i + 44)
        yield kind, part[at:at + stored]


def set_name(name, number):
    return bytes([1, len(name)]) + name + struct.pack("<QQ", 1234567890, number) + bytes([number]) * 32


def overlay(folder):
    """A volume's first page, and the slots of its only block; and the page's body."""
    store = folder / "zstd"
    subprocess.run([STELLARIUM, "volume", "create", store, folder / "v"], check=True)
    page = (folder / "v/overlay").read_bytes()[:PAGE]
    length = struct.unpack_from("<I", page, 12)[0]
    write("stellarium_overlay", "page", page.rstrip(b"\0"))
    write("stellarium_overlay", "body", page[40:40 + length])
    write("stellarium_overlay", "map", b"\x41\x12" + bytes(40) + b"\x55" * 8 + b"\xaa" * 8)
    write("stellarium_overlay", "slot", struct.pack("<QQQQ", 6, 0, 3, 0) + b"\x55" * 64)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for codec in ("zstd", "lz4", "none"):
            part = segment(pathlib.Path(folder) / codec, codec)
            write("stellarium_pack", codec, part.rstrip(b"\0") + bytes(8))
        overlay(pathlib.Path(folder))
        for i, (kind, stored) in enumerate(entries(part)):
            if kind == 2:
                write("stellarium_manifest", f"tree-{i}", stored)
    inner = b"STELNODE" + struct.pack("<IB3xQ", 2, 1, 12288) + struct.pack("<Q", 8192) + b"a" * 32 + \
        struct.pack("<Q", 4096) + b"b" * 32
    write("stellarium_manifest", "inner", inner)
    write("stellarium_index", "sound", b"")
    for page in range(16):
        write("stellarium_index", f"page-{page}", struct.pack("<BHB", page, 10, 2) + struct.pack("<BHB", page, 16, 0x30))
    write("stellarium_index", "short", b"\4")
    write("stellarium_index", "empty", b"file")
    write("stellarium_names", "set", set_name(b"debian/12", 1) + set_name(b"a", 2))
    write("stellarium_names", "replace", set_name(b"a", 1) + b"\2\1b" + set_name(b"a", 2) + b"\2\1a" + set_name(b"c", 3))


main()
