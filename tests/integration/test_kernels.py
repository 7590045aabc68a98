# SPDX-License-Identifier: Apache-2.0
"""Kernels and initrds that are none: refused with the file's name and the reason, never a crash."""
import os
import random
import struct

import pytest

import strace
import volt
from volt import STATUS_CONFIGURATION, assert_fault, run

# Prints "64" and powers off; runs at any address.
CODE64 = (b"\x66\xba\xf8\x03" b"\xb0\x36\xee" b"\xb0\x34\xee"  # mov $0x3f8, %dx; out '6'; out '4'
          b"\x66\xba\x00\x06" b"\xb0\x34\xee" b"\xf4\xeb\xfd")  # mov $0x600, %dx; out $0x34; hlt

SECTOR = 512
SETUP_SECTORS = 1


def make_bzimage(code=CODE64, init_size=1 << 20, version=0x20F, loadflags=1, xloadflags=1):
    """The boot header of the Linux/x86 boot protocol, and `code` at its 64-bit entry."""
    payload = bytes(0x200) + code
    payload += bytes(-len(payload) % 16)
    head = bytearray((SETUP_SECTORS + 1) * SECTOR)
    struct.pack_into("<BHI", head, 0x1F1, SETUP_SECTORS, 0, len(payload) // 16)
    struct.pack_into("<HBB4sH", head, 0x1FE, 0xAA55, 0xEB, 0x66, b"HdrS", version)
    head[0x211] = loadflags
    struct.pack_into("<I", head, 0x22C, 0x7FFFFFFF)  # initrd_addr_max
    struct.pack_into("<IBBHI", head, 0x230, 0x200000, 1, 21, xloadflags, 2047)
    struct.pack_into("<QI", head, 0x258, 0x1000000, init_size)
    return bytes(head) + payload


@pytest.fixture
def kernel(here):
    """Writes a kernel file and gives its path."""
    def write(data):
        path = here.parent / "kernel"
        path.write_bytes(data)
        return path
    return write


def refused(path, here, *words, options=()):
    """No output file is made, whichever of them was asked for."""
    result = run("--log-path", "log", "--metrics-path", "metrics", *options, kernel=path)
    assert_fault(result, STATUS_CONFIGURATION, "--kernel", path, *words)
    return result


def test_bzimage(kernel):
    result = run(kernel=kernel(make_bzimage()))
    assert (result.status, result.out) == (0, b"64"), result


@pytest.mark.parametrize("make, words", [
    (lambda path: None, ["cannot read", "No such file or directory"]),
    (lambda path: path.mkdir(), ["is not a regular file"]),
    (lambda path: os.mkfifo(path), ["is not a regular file"]),
    (lambda path: path.symlink_to("/dev/zero"), ["is not a regular file"]),
    (lambda path: path.symlink_to(path), ["cannot read", "Too many levels of symbolic links"]),
])
@pytest.mark.parametrize("setting", ["--kernel", "--initrd", "--config-file"])
def test_not_a_file(here, setting, make, words):
    """A FIFO without a writer, too: it must not wait for one. Nothing is created."""
    path = here.parent / "thing"
    make(path)
    result, calls = strace.trace(here.parent, "openat", "--log-path", "log", "--metrics-path", "metrics",
                                 "--console", "file=console", setting, path)
    assert_fault(result, STATUS_CONFIGURATION, setting, path, *words)
    assert list(here.iterdir()) == []
    assert not any("/dev/kvm" in call.arguments for call in calls)


@pytest.mark.parametrize("setting", ["--kernel", "--initrd", "--config-file"])
def test_unreadable(here, setting):
    path = here.parent / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    result = run("--log-path", "log", setting, path, prefix=volt.POWERLESS)
    assert_fault(result, STATUS_CONFIGURATION, setting, path, "cannot read", "Permission denied")
    assert list(here.iterdir()) == []


def name_of(value):
    """A name for a test whose value is a file's content."""
    return f"{len(value)}-bytes" if isinstance(value, bytes) else None


@pytest.mark.parametrize("data, words", [
    (b"", ["the file is empty"]),
    (b"x", ["1 bytes that are neither"]),
    (b"\x7fELF", ["cut short", "the ELF header is 64 bytes", "the file has 4"]),
    (b"\x1f\x8b" + bytes(1000), ["a gzip file: unpack it first"]),
    (b"#!/bin/sh\n", ["a script"]),
    (b"070701" + bytes(1000), ["a cpio archive: is this the initrd?"]),
    (b"MZ" + bytes(1000), ["an EFI program without Linux's boot header"]),
    (bytes(4096), ["4096 bytes that are neither an x86-64 ELF file (vmlinux) nor a bzImage"]),
    (make_bzimage(version=0x200), ["boot protocol 2.00: too old"]),
    (make_bzimage(loadflags=0), ["a zImage"]),
    (make_bzimage(xloadflags=0), ["a 32-bit bzImage"]),
    (make_bzimage(init_size=0x7FFFFFFF), ["it takes --memory 2064M at least"]),
], ids=name_of)
def test_no_kernel(kernel, here, data, words):
    refused(kernel(data), here, *words)


@pytest.mark.parametrize("length", [1, 63, 64, 100, 175, 176, 4095, 4096, 4200])
def test_truncated_elf(kernel, here, length):
    data = volt.guest("do").read_bytes()[:length]
    word = "neither" if length < 4 else "cut short"
    refused(kernel(data), here, word)


@pytest.mark.parametrize("length", [0x206, 0x258, 0x263, 0x3FF, 0x400, 0x500, 0x60F])
def test_truncated_bzimage(kernel, here, length):
    refused(kernel(make_bzimage()[:length]), here, "cut short")


def no_crash(result):
    """It ran or it was refused, in one line."""
    assert result.status in (0, volt.STATUS_FAILED, STATUS_CONFIGURATION), result
    assert result.status != STATUS_CONFIGURATION or len(result.lines) == 1, result


@pytest.mark.parametrize("seed", range(10))
def test_random_bytes(kernel, here, seed):
    data = random.Random(seed).randbytes(20000)
    refused(kernel(data), here, "neither")
    refused(kernel(b"\x7fELF\x02\x01\x01" + data), here)


@pytest.mark.parametrize("seed", range(20))
def test_changed_headers(kernel, seed):
    """Bytes changed where each format keeps its lengths and offsets; --dry-run loads all and runs nothing."""
    chance = random.Random(seed)
    for original, span in ((volt.guest("do").read_bytes(), 176), (make_bzimage(), 0x264)):
        data = bytearray(original)
        for _ in range(3):
            data[chance.randrange(span)] = chance.randrange(256)
        no_crash(run("--dry-run", kernel=kernel(bytes(data))))


def test_memory_too_small_for_the_kernel(kernel, here):
    refused(kernel(make_bzimage()), here, "it takes --memory 17M at least", options=["--memory", "16M"])


@pytest.mark.parametrize("size, words", [
    (126 << 20, ["do not fit between the kernel's end", "it takes --memory", "at least"]),
    (3 << 30, ["do not fit", "the most that the kernel can reach: make it smaller"]),
    (0, ["the file is empty"]),
])
def test_initrd_that_does_not_fit(here, size, words):
    path = here.parent / "initrd"
    with open(path, "wb") as file:
        file.truncate(size)
    assert_fault(run("--initrd", path, "--memory", "64M"), STATUS_CONFIGURATION, "--initrd", path, *words)


def test_the_named_memory_is_enough(here):
    """What the message about an initrd asks for, works."""
    path = here.parent / "initrd"
    path.write_bytes(bytes(10 << 20))
    result = run("--initrd", path, "--memory", "8M")
    least = int(result.err.partition("--memory ")[2].partition("M")[0])
    assert run("--initrd", path, "--memory", f"{least + least % 2}M").status == 0
