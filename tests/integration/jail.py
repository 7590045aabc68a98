# SPDX-License-Identifier: Apache-2.0
"""Jails as Firecracker's jailer makes them: an empty root that is its own mount, few devices, no environment, no privileges."""
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess

import fcclient
from fcmachine import Process
from snapshots import Machine

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 32, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = 155
PR_SET_PDEATHSIG = 1

SOCKET = "run/firecracker.socket"
UID = 48123 if os.geteuid() == 0 else os.geteuid()

LIBC = ctypes.CDLL(None, use_errno=True)


def call(what, *arguments):
    made = [word.encode() if isinstance(word, str) else word for word in arguments]
    if getattr(LIBC, what)(*made) != 0:
        raise OSError(ctypes.get_errno(), what, str(arguments))


class Jail:
    """The folder that becomes a process's root. `mounts` is called in its mount namespace, before that is so."""

    def __init__(self, name, mounts=lambda root: None):
        self.root, self.mounts = pathlib.Path(name).resolve(), mounts
        for folder in (self.root / "dev", self.root / "run"):
            folder.mkdir(parents=True)
        (self.root / "dev/kvm").touch()
        shutil.copy(fcclient.FIRECRACKER, self.root)
        self.give("dev", "run", ".")

    def give(self, *names):
        """They are the machine's user's, as the orchestrator or the jailer makes them."""
        for name in names:
            os.chown(self.root / name, UID, UID if os.geteuid() == 0 else -1)

    def put(self, name, source, link=True):
        """A file that the orchestrator puts there."""
        (os.link if link else shutil.copy)(source, self.root / name)
        self.give(name)

    def files(self):
        """What is in it, without what was there at the start."""
        found = [str(path.relative_to(self.root)) for path in self.root.rglob("*") if not path.is_dir()]
        return sorted(name for name in found if name not in ("dev/kvm", "firecracker", SOCKET, "run/log"))

    def enter(self):
        """In the child, before it becomes Firecracker."""
        user, gid = os.geteuid(), os.getegid()
        call("unshare", CLONE_NEWNS | (CLONE_NEWUSER if user != 0 else 0))
        if user != 0:
            pathlib.Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            pathlib.Path("/proc/self/setgroups").write_text("deny")
            pathlib.Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        call("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
        call("mount", str(self.root), str(self.root), None, MS_BIND | MS_REC, None)
        if user == 0:  # as the jailer: a device of its own, which is the user's
            call("mount", "none", str(self.root / "dev"), "tmpfs", MS_NOSUID, "mode=755")
            os.mknod(self.root / "dev/kvm", 0o20600, os.stat("/dev/kvm").st_rdev)
            os.chown(self.root / "dev/kvm", UID, UID)
        else:
            call("mount", "/dev/kvm", str(self.root / "dev/kvm"), None, MS_BIND, None)
        self.mounts(self.root)
        os.chdir(self.root)
        if LIBC.syscall(SYS_PIVOT_ROOT, b".", b".") != 0:
            raise OSError(ctypes.get_errno(), "pivot_root")
        call("umount2", ".", MNT_DETACH)
        os.chdir("/")
        if user == 0:
            os.setgroups([])
            os.setgid(UID)
            os.setuid(UID)
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # it ends with whoever tests it


class Jailed(Process):
    """A process in a jail, and its client; names are those of its root."""

    def __init__(self, jail, *options):
        socket = jail.root / SOCKET
        socket.unlink(missing_ok=True)
        self.vm = Machine.__new__(Machine)
        self.vm.seen = b""
        self.vm.process = subprocess.Popen(
            ["/firecracker", "--id=x", "--start-time-us=1", "--start-time-cpu-us=2", f"--api-sock=/{SOCKET}",
             "--log-path=/run/log", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, preexec_fn=jail.enter)
        fcclient.wait_for_socket(socket)
        self.client = fcclient.GoClient(socket)


def bind(source, target):
    """A file or folder is another one there."""
    call("mount", str(source), str(target), None, MS_BIND, None)


def make_readonly(mount):
    call("mount", "none", str(mount), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
