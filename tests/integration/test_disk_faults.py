# SPDX-License-Identifier: Apache-2.0
"""Disks when the monitor is killed, and when the host's disk is full: nothing that was flushed is lost."""
import os
import re

import pytest

import disks

pytestmark = pytest.mark.linux

ROUNDS = 10  # each engine
WRITERS = 3


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return disks.records_initrd(tmp_path_factory.mktemp("initrd") / "initrd.cpio")


def file_in(image, path, target):
    """A file of an ext4 image."""
    disks.run("debugfs", "-R", f"dump {path} {target}", image)
    return target


@pytest.mark.parametrize("engine", ["sync", "io_uring"])
def test_killed_under_load(tmp_path, initrd, engine):
    """An acknowledged record does not wait in the monitor; the guest's file system is whole; the lock is free."""
    image = disks.sparse(tmp_path / "image", 64)
    disks.run("mkfs.ext4", "-q", image)
    for n in range(ROUNDS):
        files = [f"/mnt/{n}-{writer}" for writer in range(WRITERS)]
        guest = disks.RecordsGuest(tmp_path, initrd, "--drive", f"path={image},engine={engine}", writers=WRITERS,
                                   files=files, prepare="mkdir -p /mnt && mount -t ext4 /dev/vda /mnt")
        with guest:
            guest.wait_for_acks(10 + 7 * n)
        found = disks.acked(guest.text)
        # 1: it has replayed the journal.
        disks.run("e2fsck", "-p", image, ok=(0, 1))
        disks.run("e2fsck", "-fn", image)
        for writer, count in found.items():
            dumped = file_in(image, f"/{n}-{writer}", tmp_path / "dumped")
            assert disks.missing_in_file(dumped, writer, count) == [], f"round {n}, writer {writer}"


@pytest.mark.parametrize("engine", ["sync", "io_uring"])
def test_full_host_disk(tmp_path, initrd, engine):
    """I/O errors for the guest, a line for the log; what was flushed stays, and can be read by the guest."""
    disks.need_root("losetup")
    host, place = disks.sparse(tmp_path / "host", 4), tmp_path / "place"
    disks.run("mkfs.ext4", "-q", "-O", "^has_journal", host)
    with disks.mounted(host, place, "-o", "loop"):
        image = disks.sparse(place / "disk", 64)
        with disks.RecordsGuest(tmp_path, initrd, "--drive", f"path={image},engine={engine},id=full", writers=1) as guest:
            result = guest.finish()
        count = disks.acked(result.out)[0]
        assert re.search(rf"^error 0 {count} 5$", result.out, re.M), result.out  # EIO
        assert result.status == 1, result.log
        assert "the guest powered off" in result.log
        assert result.metrics["disks"]["full"]["errors"] > 0
        lines = [line for line in result.log.splitlines() if "disk full: " in line]
        assert 1 <= len(lines) <= 20 and "No space left on device" in lines[0], result.log
        assert count > 200
        assert disks.missing_in_file(image, 0, count) == []
        os.sync()
    disks.run("e2fsck", "-fn", host)
