# SPDX-License-Identifier: Apache-2.0
"""Runs volt-init as a real PID 1, in namespaces of this machine or in a machine of QEMU's."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUSYBOX = "/bin/busybox"
APPLETS = ("sh ls wc cat ps sleep echo kill id tty stty mount poweroff reboot halt grep env printf od "
           "true false setsid mkdir dd head seq sync test stat readlink chmod usleep pwd ip").split()
PLAIN = b"_./:=@,+-"


def binary():
    """The program under test: $VOLT_INIT, or what "make build" left."""
    path = os.environ.get("VOLT_INIT", TOP / "build/bin/volt-init")
    assert os.path.isfile(path), f"{path} is not built"
    return path


def encode(argv):
    """An argument vector as one word of the kernel command line, as contract/workload.h has it."""
    def byte(value):
        plain = bytes([value]).isalnum() or value in PLAIN
        return chr(value) if plain else f"%{value:02x}"
    vector = [arg if isinstance(arg, bytes) else arg.encode() for arg in argv]
    return "%00".join("".join(byte(value) for value in arg) for arg in vector)


def populate(root, files, shell=True):
    """A root directory with volt-init, busybox and `files`: path -> text, or (text, mode)."""
    root = pathlib.Path(root)
    for folder in "bin etc/volt proc sys dev run root".split():
        (root / folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(binary(), root / "init")
    shutil.copy(BUSYBOX, root / "bin/busybox")
    for applet in APPLETS:
        if shell or applet != "sh":
            (root / "bin" / applet).symlink_to("busybox")
    for path, content in files.items():
        text, mode = content if isinstance(content, tuple) else (content, 0o644)
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text if isinstance(text, bytes) else text.encode())
        target.chmod(mode)


class Ended:
    """How a guest ended and what it wrote."""

    def __init__(self, output, seconds, status, ending):
        self.output, self.seconds, self.status, self.ending = output, seconds, status, ending

    def lines(self):
        return self.output.replace("\r\n", "\n").splitlines()

    def own_lines(self):
        """What volt-init said, but for what namespaces alone make it say."""
        known = ("cannot mount devtmpfs", "cannot report exit status",
                 "cannot unmount / or make")
        return [line for line in self.lines()
                if line.startswith("volt-init: ") and not any(text in line for text in known)]


# Builds the world around volt-init that a kernel would: a /proc with the command line wanted, and a
# /dev with what cannot be made in a user namespace.
WORLD = """
set -e
mount --bind "$1" "$1"; cd "$1"
mount -t proc proc proc
mount --bind cmdline proc/cmdline; rm -f cmdline
for node in null zero full random urandom tty; do : > dev/$node; mount --bind /dev/$node dev/$node; done
: > dev/console; mount --bind "$2" dev/console
[ -z "$5" ] || "$5" "$6" "$PWD"
[ -z "$4" ] || exec <&- >&- 2>&-
exec env -i HOME=/ TERM=linux $3 "$(command -v chroot || echo /usr/sbin/chroot)" . /init
"""


class Namespaces:
    """volt-init as PID 1 of new namespaces, on a pseudo terminal. Needs no privilege. `before` is a Python program that
    is started first, with the root directory as its argument, and has to leave a process behind if it is to go on."""

    def __init__(self, cmdline, files=None, shell=True, environ="", closed=False,
                 limit=30, before=None):
        self.directory = tempfile.TemporaryDirectory(prefix="volt-init-")
        root = self.directory.name
        populate(root, dict(files or {}), shell)
        pathlib.Path(root, "cmdline").write_bytes(cmdline.encode("latin-1") + b"\n")
        self.terminal, slave = pty.openpty()
        self.started, self.limit, self.output = time.monotonic(), limit, b""
        self.process = subprocess.Popen(
            ["unshare", "-Urpfmnu", "-C", "--", "/bin/sh", "-c", WORLD, "world", root,
             os.ttyname(slave), environ, "closed" if closed else "",
             *((sys.executable, before) if before else ("", ""))],
            stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.terminal)
        self.directory.cleanup()

    def _read(self, seconds):
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                data = os.read(self.terminal, 65536)
            except OSError:
                data = b""
            self.output += data
            return bool(data)
        return None

    def expect(self, text):
        """Reads until `text` has come; what came before is taken out of the way."""
        wanted = text.encode()
        end = time.monotonic() + self.limit
        while wanted not in self.output:
            assert time.monotonic() < end, f"no {text!r} in {self.output!r}"
            assert self._read(1) is not False, f"ended without {text!r}: {self.output!r}"
        before, self.output = self.output.split(wanted, 1)
        return (before + wanted).decode(errors="replace")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def wait(self):
        end = self.started + self.limit
        while self._read(0.2) is not False:
            if self.process.poll() is not None and self._read(0) is None:
                break
            assert time.monotonic() < end, f"does not end: {self.output!r}"
        code = self.process.wait(timeout=5)
        output = self.output.decode(errors="surrogateescape")
        status = re.search(r"cannot report exit status (\d+)", output)
        # What the kernel makes of reboot() in a PID namespace.
        ending = {-signal.SIGINT: "power off", -signal.SIGHUP: "restart"}.get(code, code)
        return Ended(output, time.monotonic() - self.started,
                     int(status.group(1)) if status else None, ending)


def in_namespaces(argv=None, cmdline="quiet", **options):
    """Runs `argv` to its end."""
    if argv is not None:
        cmdline += " -- " + encode(argv)
    with Namespaces(cmdline, **options) as guest:
        return guest.wait()
