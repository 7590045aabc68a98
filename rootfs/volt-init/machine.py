# SPDX-License-Identifier: Apache-2.0
"""Boots the distribution's kernel under QEMU's software CPU, with volt-init as its PID 1."""

import functools
import glob
import os
import pathlib
import re
import select
import socket
import subprocess
import tempfile
import time

from harness import TOP, Ended, encode, populate

# A restart by triple fault: nothing runs on while QEMU gets round to ending, as after other ways.
CONSOLE = "console=ttyS0 quiet panic=-1 mitigations=off reboot=t"


def stock_kernel():
    found = sorted(glob.glob("/boot/vmlinuz-*-cloud-amd64"))
    assert found, "needs linux-image-cloud-amd64"
    return found[-1]


def archive(root, target):
    """An initramfs of what is under `root`."""
    with open(target, "wb") as output:
        names = subprocess.run(["find", "."], cwd=root, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=root,
                       input=names, stdout=output, check=True)


def disk(root, target, size="64M", options=()):
    """An ext4 image with what is under `root`."""
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "root_owner=0:0", "-d", root, *options, target, size],
                   check=True)


@functools.lru_cache
def imported(name):
    """What "volt kernel import" makes of a kernel in /boot; "vmlinux.initrd" beside it."""
    data = tempfile.TemporaryDirectory(prefix="volt-kernels-")
    done = subprocess.run([TOP / "build/bin/volt", "kernel", "import", "--name", "k", name], check=True,
                          env={**os.environ, "XDG_DATA_HOME": data.name}, stdout=subprocess.PIPE, text=True)
    return data, pathlib.Path(done.stdout.strip())  # the folder lives as long as the first


class Machine:
    """A running machine. The ports of contract/ports.h are two debug consoles that keep each byte."""

    def __init__(self, cmdline, files=None, shell=True, machine="microvm", rootfs=False, second=False,
                 virtio=None, kernel=None, options=(), limit=180):
        self.directory = tempfile.TemporaryDirectory(prefix="volt-machine-")
        self.path = pathlib.Path(self.directory.name)
        root = self.path / "root"
        populate(root, dict(files or {}), shell)
        kernel = kernel or stock_kernel()
        # The machine's clock counts instructions: on a busy host the kernel's calibration of its timers
        # against a clock that runs on without it does not end.
        command = ["qemu-system-x86_64", "-M", machine, "-accel", "tcg", "-icount", "shift=1",
                   "-cpu", "qemu64", "-m", "256", "-nodefaults", "-no-user-config", "-no-reboot",
                   "-display", "none", "-kernel", kernel]
        if virtio:
            # As volt-vmm has it: a disk on virtio-mmio, and the initrd that the kernel was imported with.
            (root / "tmp").mkdir()
            disk(root, self.path / "disk", options=options)
            command += ["-drive", f"if=none,id=disk,format=raw,file={self.path / 'disk'}",
                        "-device", "virtio-blk-device,drive=disk",
                        "-global", "virtio-mmio.force-legacy=false"]
            if virtio == "initrd":
                command += ["-initrd", f"{imported(kernel)[1]}.initrd"]
        elif rootfs:
            (root / "tmp").mkdir()
            disk(root, self.path / "disk")
            command += self.drive("disk")
            if second:
                (self.path / "empty").mkdir()
                disk(self.path / "empty", self.path / "second", options=options)
                command += self.drive("second")
        else:
            archive(root, self.path / "initramfs")
            command += ["-initrd", str(self.path / "initramfs")]
        if machine == "microvm":
            for name, port in (("status", 0x604), ("mark", 0x605)):
                command += ["-chardev", f"file,id={name},path={self.path / name}",
                            "-device", f"isa-debugcon,chardev={name},iobase={port},readback=255"]
        self.monitor, self.qmp = self.path / "monitor", self.path / "qmp"
        command += ["-monitor", f"unix:{self.monitor},server=on,wait=off",
                    "-qmp", f"unix:{self.qmp},server=on,wait=off",
                    "-serial", "stdio", "-append", f"{CONSOLE} {cmdline}"]
        self.started, self.limit, self.output = time.monotonic(), limit, b""
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, bufsize=0)
        self.events = self._listen()

    def _listen(self):
        """A connection on which QEMU tells how the machine ended."""
        events = socket.socket(socket.AF_UNIX)
        while self._left():
            try:
                events.connect(str(self.qmp))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert self.process.poll() is None, self.process.stdout.read()
                time.sleep(0.05)
        events.sendall(b'{"execute": "qmp_capabilities"}\n')
        return events

    def _ending(self):
        """The kernel's last words are not on the console: volt-init hushes them."""
        text = b""
        while data := self.events.recv(65536):
            text += data
        reason = re.search(rb'"SHUTDOWN".*"reason": "([a-z-]+)"', text)
        return {b"guest-shutdown": "Power down", b"guest-reset": "Restarting system"}.get(reason and reason.group(1))

    def drive(self, name):
        return ["-drive", f"if=none,id={name},format=raw,file={self.path / name}",
                "-device", f"nvme,drive={name},serial={name}"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.events.close()
        self.directory.cleanup()

    def _read(self):
        if select.select([self.process.stdout], [], [], 1)[0]:
            data = os.read(self.process.stdout.fileno(), 65536)
            self.output += data
            return bool(data)
        return True

    def _left(self):
        assert time.monotonic() < self.started + self.limit, f"too long: {self.output!r}"
        return True

    def expect(self, text):
        wanted = text.encode()
        while wanted not in self.output and self._left():
            assert self._read(), f"ended without {text!r}: {self.output!r}"
        before, self.output = self.output.split(wanted, 1)
        return (before + wanted).decode(errors="replace")

    def type(self, text):
        os.write(self.process.stdin.fileno(), text.encode())

    def ask_monitor(self, command):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.monitor))
            connection.sendall(command.encode() + b"\n")
            time.sleep(0.5)

    def port(self, name):
        path = self.path / name
        return list(path.read_bytes()) if path.exists() else None

    def wait(self):
        while self._left() and self._read():
            pass
        self.process.wait(timeout=10)
        output = self.output.decode(errors="surrogateescape")
        status = self.port("status")
        return Ended(output, time.monotonic() - self.started, status, self._ending())


def in_machine(argv=None, cmdline="", **options):
    if argv is not None:
        cmdline += " -- " + encode(argv)
    with Machine(cmdline, **options) as machine:
        ended = machine.wait()
        ended.marks = machine.port("mark")
        return ended
