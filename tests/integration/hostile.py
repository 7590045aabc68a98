# SPDX-License-Identifier: Apache-2.0
"""A disk under attack: a volt-vmm built with ASan and UBSan, by both of its engines."""
import ctypes
import os
import subprocess

import pytest

import volt
from virtio_driver import OK, Disk, Program

ASAN = volt.ROOT / "build-asan"
SANITIZERS = {"ASAN_OPTIONS": "detect_stack_use_after_return=1:exitcode=99",
              "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"}
# ASan looks for leaks from a process of its own, and at files of /proc: with the sandbox it could not.
UNCONFINED = [] if "VOLT_VMM" in os.environ else ["--sandbox", "off"]
DISK_SIZE = 1 << 20
SYS_IO_URING_SETUP = 425


def asan_vmm():
    """Where it is; built, unless the unit tests' build is there."""
    if "VOLT_VMM" in os.environ:
        return volt.VMM
    if not (ASAN / "vmm/main/volt-vmm").exists():
        subprocess.run(["tests/host/configure", ASAN, "-Db_sanitize=address,undefined"], cwd=volt.ROOT, check=True)
        subprocess.run(["ninja", "-C", ASAN, "vmm/main/volt-vmm"], check=True)
    return ASAN / "vmm/main/volt-vmm"


def has_io_uring():
    """Whether this process may have a ring; the descriptor is not worth closing: nothing holds it."""
    params = ctypes.create_string_buffer(120)
    return ctypes.CDLL(None, use_errno=True).syscall(SYS_IO_URING_SETUP, 1, params) >= 0


def sector(number):
    """What the disk's sectors have in them at first."""
    return bytes([number & 0xFF, number >> 8 & 0xFF, 0x5A, 0xA5]) * 128


class Attack:
    """A guest's program against one disk, number 0, and how it ended."""

    def __init__(self, folder, engine, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch
        self.drive = f"id=victim,engine={engine}"
        self.image = folder / "disk"
        self.image.write_bytes(b"".join(map(sector, range(DISK_SIZE // 512))))
        self.program = Program()
        self.disk = Disk(self.program)

    def options(self):
        return [*UNCONFINED, "--drive", f"path={self.image},{self.drive}", "--metrics-path", self.folder / "metrics"]

    def prepare(self):
        self.monkeypatch.setattr(volt, "VMM", asan_vmm())
        for name, value in SANITIZERS.items():
            self.monkeypatch.setenv(name, value)

    def run(self, *options):
        """The guest does it all and powers off, and the monitor ends well; returns what was read."""
        self.prepare()
        result = self.program.run(self.folder, *self.options(), *options)
        assert result.status == 0, result
        assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
        self.log = result.err
        self.metrics = volt.metrics(self.folder / "metrics")
        return self.program.values(result.out)

    def survive(self, *options, at=None):
        """As run(), and the disk works after a reset."""
        self.disk.works(**({} if at is None else {"at": at}))
        values = self.run(*options)
        assert values["works"] == OK
        assert values["works data"] == int.from_bytes(sector(3)[:4], "little")
        return values

    def count(self, name):
        return self.metrics["disks"]["victim"][name]


@pytest.fixture(params=["sync", "io_uring"])
def attack(request, tmp_path, monkeypatch):
    if request.param == "io_uring" and not has_io_uring():
        pytest.skip("this host refuses io_uring")
    return Attack(tmp_path, request.param, monkeypatch)
