# SPDX-License-Identifier: Apache-2.0
"""Disks of the host's for the tests marked `linux`, and what a guest has left on them.

The guest's program is tests/guests/records.c: it says which of its records are durable.
"""
import contextlib
import ctypes
import functools
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

from linux import BUILD, ROOT, Guest, make_initramfs

RECORD = 4096
ACK = re.compile(r"^ack (\d+) (\d+)$", re.M)
RECORDS = BUILD / "tests/guests/records"
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def run(*command, ok=(0,), **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, stdin=more.pop("stdin", subprocess.DEVNULL),
                          env={**os.environ, "PATH": PATH}, **more)
    assert done.returncode in ok, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def need_root(*programs):
    """Loop devices, device mapper and tracing are root's; in the testbed every test is."""
    if os.geteuid() != 0:
        pytest.skip("needs root: loop devices and mounts")
    for program in programs:
        assert shutil.which(program, path=PATH), f"{program} is missing: make setup"


@contextlib.contextmanager
def loop(file):
    device = run("losetup", "--find", "--show", file)
    try:
        yield pathlib.Path(device)
    finally:
        run("losetup", "-d", device)


@contextlib.contextmanager
def mounted(what, where, *options):
    where.mkdir(exist_ok=True)
    run("mount", *options, what, where)
    try:
        yield where
    finally:
        run("umount", where)


@contextlib.contextmanager
def mounted_ext4(device, where):
    """As mounted(), without the time that two programs need to start."""
    libc = ctypes.CDLL(None, use_errno=True)
    where.mkdir(exist_ok=True)
    if libc.mount(os.fsencode(device), os.fsencode(where), b"ext4", 0, None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {device}")
    try:
        yield where
    finally:
        assert libc.umount2(os.fsencode(where), 0) == 0, f"umount {where}: errno {ctypes.get_errno()}"


def sparse(path, mib):
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    return path


@functools.cache
def own_kernel():
    built = run(ROOT / "kernel/build")
    return pathlib.Path(built) / "vmlinux"


def records_initrd(path):
    return make_initramfs(path, binaries={"bin/records": RECORDS})


def acked(text):
    """{writer: how many of its records are durable} by what the guest has printed."""
    found = {}
    for writer, count in ACK.findall(text.replace("\r", "")):
        found[int(writer)] = max(found.get(int(writer), 0), int(count))
    return found


def record(writer, n):
    return struct.pack("<II", writer, n) * (RECORD // 8)


def missing(read, writer, count):
    """The numbers of the first `count` records that are not there; `read(offset, length)` gives bytes."""
    return [n for n in range(count) if read(n * RECORD, RECORD) != record(writer, n)]


def missing_in_file(path, writer, count):
    with open(path, "rb") as f:
        return missing(lambda offset, length: os.pread(f.fileno(), length, offset), writer, count)


class RecordsGuest(Guest):
    """A guest that runs `records` on files that `prepare`, a shell's words, makes reachable."""

    def __init__(self, folder, initrd, *options, writers, rounds=0, most=4, files=None, prepare="true"):
        files = files or [f"/dev/vd{'abcdefgh'[w]}" for w in range(writers)]
        words = f"{prepare} && exec records {rounds} {most} {' '.join(files)}"
        super().__init__(folder, own_kernel(), initrd, "--memory", "64M", *options, command=["sh", "-c", words])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def text(self):
        return self.seen.decode(errors="replace")

    def read_more(self):
        """What it has printed since; False at the end."""
        part = os.read(self.process.stdout.fileno(), 65536)
        self.seen += part
        return bool(part)

    def wait_for_acks(self, count):
        """Until its writers together have had `count` records acknowledged."""
        while sum(acked(self.text).values()) < count:
            assert self.read_more(), f"ended early:\n{self.text}\n{self.process.stderr.read().decode()}"

    def kill(self):
        """Without a last word; what was printed before is read."""
        self.process.kill()
        while not self.process.stdout.closed and self.read_more():
            pass
        self.process.communicate()
