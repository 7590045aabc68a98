# SPDX-License-Identifier: Apache-2.0
"""Linux under load, saved and gone on with in other processes: clocks, disks, a TCP connection."""
import contextlib
import os
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

import api
import disks
from linux import BIN, BUILD, ROOT, Guest, make_initramfs

pytestmark = pytest.mark.linux

COMPLAINTS = "clocksource|unstable|lockup|stall|hung|skew|BUG|WARNING|I/O error|EXT4-fs|virtio|warp"
GENERATIONS = int(os.environ.get("VOLT_GENERATIONS", "4"))
LOAD = BUILD / "tests/guests/load"


class Echo(threading.Thread):
    """Sends back numbers, each of which must be the one after the last."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("", 0))
        self.port = self.socket.getsockname()[1]
        self.numbers, self.wrong = 0, []
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        with contextlib.suppress(ConnectionResetError):
            self.serve(connection)

    def serve(self, connection):
        data = b""
        while part := connection.recv(65536):
            connection.sendall(part)
            data += part
            while len(data) >= 8:
                number, data = struct.unpack("<Q", data[:8])[0], data[8:]
                if number != self.numbers:
                    self.wrong.append(number)
                self.numbers = number + 1


@pytest.fixture
def tap():
    """A TAP device that stays when a machine ends."""
    for words in ("tuntap add tap9 mode tap", "address add 10.9.0.1/24 dev tap9", "link set tap9 up"):
        subprocess.run(["ip", *words.split()], check=True)
    yield "tap9"
    subprocess.run(["ip", "link", "delete", "tap9"], check=True)


class Machine:
    """A guest that loads its machine; its generations, one process each."""

    def __init__(self, folder, initrd, cpus, backend, echo):
        self.folder, self.generation, self.last, self.late = folder, 0, {}, None
        (folder / "snaps").mkdir()
        if initrd is None:
            self.boot_debian(cpus, backend, echo)
            return
        disk = disks.sparse(folder / "disk", 32)
        disks.run("mkfs.ext4", "-q", disk)
        words = ("mkdir /mnt && mount -t ext4 /dev/vda /mnt && dmesg -c > /dev/null; load /mnt/records 10.9.0.1 "
                 f"{echo.port}; dmesg; echo that was all; umount /mnt")
        self.guest = Guest(folder, disks.own_kernel(), initrd, "--drive", f"path={disk},id=data", "--memory", "64M",
                           "--cpus", cpus, "--net", f"tap=tap9,ip=10.9.0.2/24,backend={backend}", *self.saving(),
                           command=["sh", "-c", words], stdin=subprocess.PIPE)

    def boot_debian(self, cpus, backend, echo):
        made = disks.run(ROOT / "tests/host/debian-image")
        disk = self.folder / "disk"
        disks.run("cp", "--sparse=always", made, disk)
        disks.run("debugfs", "-w", "-R", f"write {LOAD} load", disk)
        disks.run("debugfs", "-w", "-R", "set_inode_field load mode 0100755", disk)
        words = f"dmesg -C; /load /records 10.9.0.1 {echo.port}; dmesg; echo that was all; sync"
        self.guest = Guest(self.folder, disks.own_kernel(), None, "--drive", f"path={disk},id=data,root=on", "--memory", "128M",
                           "--cpus", cpus, "--net", f"tap=tap9,ip=10.9.0.2/24,backend={backend}", *self.saving(),
                           command=["sh", "-c", words], stdin=subprocess.PIPE)

    def saving(self):
        return ["--api-socket", self.folder / f"api{self.generation}", "--snapshot-dir", self.folder / "snaps",
                "--track-dirty", "on"]

    def type(self, text):
        self.guest.process.stdin.write(text)
        self.guest.process.stdin.flush()

    def ask(self):
        """The guest's figures; and its wall clock is as far from the host's as ever: it may begin with a loaded host's delay."""
        self.guest.seen = b""
        before = time.time()
        self.type(b"\n")
        self.guest.wait_for(" wall=")
        while not (found := re.search(rb"load (records=.*) wall=([0-9.]+)\r?\n", self.guest.seen)):
            self.guest.seen += os.read(self.guest.process.stdout.fileno(), 65536)
        after = time.time()
        figures = {name: int(value) for name, value in (word.split("=") for word in found[1].decode().split())}
        assert (figures["back"], figures["bad"]) == (0, 0), figures
        late = float(found[2]) - before
        self.late = late if self.late is None else self.late
        assert self.late - 0.5 - (after - before) < late < self.late + 0.5 + (after - before), (self.late, late, after - before)
        return figures

    def wait_for_work(self):
        """More of each kind of work than there was."""
        before = self.ask()
        while True:
            now = self.ask()
            if all(now[kind] > before[kind] + 3 for kind in ("records", "exchanged")):
                self.last = now
                return now
            time.sleep(0.1)

    def move(self, diff, *options, kill=True):
        """Save it, end it, and go on in another process."""
        name = self.folder / "snaps" / str(self.generation)
        wish = {"path": str(name), "resume": False}
        if diff:
            wish["base"] = str(self.folder / "snaps" / str(self.generation - 1))
        with api.Client(self.folder / f"api{self.generation}") as client:
            status, made = client.call("PUT", "/v1/snapshot", wish)
        assert status == 200 and made["kind"] == ("diff" if diff else "full"), made
        self.guest.process.kill()
        self.guest.process.communicate()
        checked = subprocess.run([BIN / "volt", "snapshot", "check", name], capture_output=True, text=True)
        assert (checked.returncode, checked.stdout) == (0, "this host can restore it\n"), checked
        self.generation += 1
        self.guest.process = subprocess.Popen(
            list(map(str, [BIN / "volt-vmm", "--restore", name, "--log-level", "info", *self.saving(), *options])),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return made


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio", binaries={"bin/load": LOAD})


def test_debian_goes_on(tmp_path, tap):
    test_a_machine_under_load_goes_on(tmp_path, None, tap, 2, "virtio-net", moves=2)


@pytest.mark.parametrize("cpus, backend", [(1, "virtio-net"), (2, "virtio-net"), (4, "virtio-net"), (2, "vhost-net")])
def test_a_machine_under_load_goes_on(tmp_path, initrd, tap, cpus, backend, moves=GENERATIONS):
    echo = Echo()
    machine = Machine(tmp_path, initrd, cpus, backend, echo)
    differs = backend != "vhost-net"  # nobody notes what that writes
    machine.guest.wait_for("load records=")
    machine.wait_for_work()
    for n in range(moves - 1):
        made = machine.move(differs and n % 2 == 1)
        print(cpus, made)
        machine.wait_for_work()
    machine.move(differs and moves % 2 == 0, "--drive", f"id=data,path={tmp_path / 'last'}")
    machine.wait_for_work()
    machine.type(b"q\n")
    result = machine.guest.finish()
    assert result.status == 0, result.out + result.log
    # What its kernel has said since before the first move.
    said = [line for line in result.out.split("that was all")[0].splitlines() if line.startswith("[")]
    assert [line for line in said if re.search(COMPLAINTS, line)] == [], result.out
    assert echo.wrong == [] and echo.numbers >= machine.last["exchanged"]
    disks.run("e2fsck", "-fn", tmp_path / "last")
