# SPDX-License-Identifier: Apache-2.0
"""Places to run volt-vmm in: as root, as an ordinary user, as in a container, on a host that lacks layers."""
import ctypes
import grp
import os
import struct

import volt

NOBODY = 65534
SYS_UNSHARE, SYS_LANDLOCK_CREATE_RULESET = 272, 444
CLONE_NEWUSER = 0x10000000
EPERM, ENOSYS = 1, 38


class World:
    """`prefix` is put before the command; `prepare` is called in the new process."""

    def __init__(self, name, prefix, prepare=None, lacks=()):
        self.name, self.prefix, self.prepare, self.lacks = name, prefix, prepare, set(lacks)

    def __repr__(self):
        return self.name


def refuse_landlock_and_user_namespaces():
    """By a seccomp filter, as those of containers do."""
    code = [(0x20, 0, 0, 0),                                  # the number
            (0x15, 0, 1, SYS_LANDLOCK_CREATE_RULESET),
            (0x06, 0, 0, 0x00050000 | ENOSYS),
            (0x15, 0, 3, SYS_UNSHARE),
            (0x20, 0, 0, 16),                                 # its first argument
            (0x45, 0, 1, CLONE_NEWUSER),
            (0x06, 0, 0, 0x00050000 | EPERM),
            (0x06, 0, 0, 0x7FFF0000)]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None)
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, header, 0, 0) == 0


def kvm_group():
    try:
        return [str(os.stat("/dev/kvm").st_gid or grp.getgrnam("kvm").gr_gid)]
    except (KeyError, FileNotFoundError):
        return []


ROOT = os.geteuid() == 0
# Namespaces of the test's own, so that an attack that is let through does no harm.
HARMLESS = ["unshare", "--mount", "--uts"] if ROOT else []
USER = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--groups", ",".join(kvm_group()), "--"] if ROOT else []
LACKS = ["landlock", "user"]

WORLDS = [World("user", USER), World("container", [*USER, "unshare", "--user", "--map-root-user", "--mount"]),
          World("poor user", USER, refuse_landlock_and_user_namespaces, LACKS)]
if ROOT:
    WORLDS += [World("root", HARMLESS), World("poor root", HARMLESS, refuse_landlock_and_user_namespaces, LACKS)]


def landlock_abi():
    return ctypes.CDLL(None, use_errno=True).syscall(SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)


def program(name):
    """One of the programs for tests that the build has beside volt-vmm."""
    return volt.BUILD / "vmm/main" / name
