# SPDX-License-Identifier: Apache-2.0
"""What a flush promises when the host loses its power.

The guest's image lies on an ext4 of a device that logs what is written to it, in the order in which it
became durable (dm-log-writes): a write that no flush of the host's followed is not in the log. After each
flush that the guest was answered, the log gets a mark. Then the device is made anew, as it would have
been had the power gone at that mark, or at any other moment; the host's file system must come up
and hold all that the guest had been promised.
"""
import contextlib
import fcntl
import os
import random
import struct

import pytest

import disks

pytestmark = pytest.mark.linux

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
DM_TARGET_MSG, DM_IOCTL_LEN = 0xC138FD0E, 312  # <linux/dm-ioctl.h>
DEVICE_MIB, IMAGE_MIB, LOG_MIB = 16, 16, 256
WRITERS, RECORDS, RANDOM_POINTS, LEAST_MARKS = 2, 60, 20, 5


class Log:
    """Entries of a dm-log-writes device: (sector, sectors, flags, where its data is, mark)."""

    def __init__(self, device):
        self.fd = os.open(device, os.O_RDONLY)
        magic, version, count, self.sector = struct.unpack("<QQQI", os.pread(self.fd, 28, 0))
        assert (magic, version) == (MAGIC, 1)
        self.entries = list(self._read(count))

    def _read(self, count):
        at = self.sector
        for _ in range(count):
            sector, sectors, flags, length = struct.unpack("<QQQQ", os.pread(self.fd, 32, at))
            mark = os.pread(self.fd, length, at + 32).rstrip(b"\0").decode() if flags & MARK else None
            at += self.sector
            yield sector, sectors, flags, at, mark
            if not flags & DISCARD:
                at += sectors * self.sector

    def replay(self, content, first, last):
        """Do entries first to last - 1 to what a device holds. What was discarded stays: it may."""
        for sector, sectors, flags, at, _ in self.entries[first:last]:
            if not flags & DISCARD:
                start, length = sector * self.sector, sectors * self.sector
                content[start:start + length] = os.pread(self.fd, length, at)


@contextlib.contextmanager
def logged(device, log, sectors):
    """A mapped device over `device` that writes to `log` all that happens to it."""
    name = f"volt-log-{os.getpid()}"
    disks.run("dmsetup", "create", name, "--noudevrules", "--noudevsync", "--table", f"0 {sectors} log-writes {device} {log}")
    try:
        disks.run("dmsetup", "mknodes", name)
        yield name
    finally:
        disks.run("dmsetup", "remove", "--noudevrules", "--noudevsync", name)


def mark(name, text):
    """What "dmsetup message NAME 0 mark TEXT" does, without the time that a program needs to start."""
    message = struct.pack("<Q", 0) + f"mark {text}".encode() + b"\0"
    head = struct.pack("<3IIIIiIIIQ128s129s7x", 4, 0, 0, DM_IOCTL_LEN + len(message), DM_IOCTL_LEN, 0, 0, 0, 0, 0, 0,
                       name.encode(), b"")
    with open("/dev/mapper/control", "rb") as control:
        fcntl.ioctl(control, DM_TARGET_MSG, bytearray(head + message))


def mark_of(promised):
    return ",".join(f"{writer}:{count}" for writer, count in sorted(promised.items()))


def promised_by(mark):
    """{} where there is no mark, or not one of ours."""
    if not mark or ":" not in mark:
        return {}
    return {int(writer): int(count) for writer, _, count in (word.partition(":") for word in mark.split(","))}


def run_guest(tmp_path, initrd, settings, name, place):
    """Records on two raw disks, each acknowledgement marked in the log of what the host wrote."""
    options = []
    for writer in range(WRITERS):
        file = disks.sparse(place / f"disk{writer}", IMAGE_MIB)
        options += ["--drive", f"path={file},{settings}"]
    os.sync()
    marks, promised = 0, {}
    with disks.RecordsGuest(tmp_path, initrd, *options, writers=WRITERS) as guest:
        while sum(promised.values()) < RECORDS:
            assert guest.read_more(), guest.text + guest.process.stderr.read().decode()
            if disks.acked(guest.text) != promised:
                promised = disks.acked(guest.text)
                mark(name, mark_of(promised))
                marks += 1
    return marks


def missing(device, content, place, promised):
    """With this content the device comes up; (writer, record) of each promised record that is not there."""
    with open(device, "wb") as f:
        f.write(content)
    with disks.mounted_ext4(device, place):
        return [(writer, n) for writer, count in promised.items()
                for n in disks.missing_in_file(place / f"disk{writer}", writer, count)]


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return disks.records_initrd(tmp_path_factory.mktemp("initrd") / "initrd.cpio")


def cut(tmp_path, initrd, engine, cache):
    """What is missing after a loss of power, for each moment: {entry of the log: missing()}."""
    disks.need_root("dmsetup", "losetup", "e2fsck")
    disks.run("modprobe", "dm-log-writes")
    place, base = tmp_path / "place", disks.sparse(tmp_path / "base", DEVICE_MIB)
    disks.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", base)
    content = bytearray(base.read_bytes())
    with disks.loop(base) as device, disks.loop(disks.sparse(tmp_path / "log", LOG_MIB)) as log:
        with logged(device, log, DEVICE_MIB * (1 << 20) // SECTOR) as name:
            with disks.mounted(f"/dev/mapper/{name}", place):
                marks = run_guest(tmp_path, initrd, f"engine={engine},cache={cache}", name, place)
        written = Log(log)
    acked = [n + 1 for n, entry in enumerate(written.entries) if promised_by(entry[4])]
    assert len(acked) == marks >= LEAST_MARKS
    anywhere = range(acked[0], len(written.entries))
    points = sorted({*acked, *random.Random(1).sample(anywhere, min(RANDOM_POINTS, len(anywhere)))})
    done, promised, found = 0, {}, {}
    with disks.loop(disks.sparse(tmp_path / "anew", DEVICE_MIB)) as device:
        for point in points:
            written.replay(content, done, point)
            for entry in written.entries[done:point]:
                promised = promised_by(entry[4]) or promised
            done = point
            found[point] = missing(device, content, place, promised)
        disks.run("e2fsck", "-fn", device)
    return found


@pytest.mark.parametrize("engine", ["sync", "io_uring"])
def test_what_was_flushed_survives(tmp_path, initrd, engine):
    found = cut(tmp_path, initrd, engine, "writeback")
    assert len(found) >= LEAST_MARKS + RANDOM_POINTS // 2
    assert {point: lost for point, lost in found.items() if lost} == {}


def test_without_flushes_it_is_lost(tmp_path, initrd):
    """cache=unsafe promises nothing; so the test above can tell."""
    found = cut(tmp_path, initrd, "sync", "unsafe")
    assert any(found.values())
