# SPDX-License-Identifier: Apache-2.0
"""Machines that are saved and go on by requests of Firecracker's API only."""
import os
import pathlib

import fcclient
import volt
from snapshots import Machine
from virtio_driver import DATA, OK, T_IN, T_OUT, Disk, Program


class Process:
    """One that answers Firecracker's API on a socket of its own, and its client."""

    count = 0

    def __init__(self, *options, **more):
        Process.count += 1
        self.socket = f"api{Process.count}"
        self.vm = Machine("--personality", "firecracker", "--api-socket", self.socket, *options, kernel=None, **more)
        fcclient.wait_for_socket(self.socket)
        self.client = fcclient.GoClient(self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.__exit__()
        self.vm.__exit__(None, None, None)

    def boot(self, memory=16, tracks=False, drives=(), nets=(), guest="steps", words="a", initrd=None):
        self.client.put("/machine-config", {"vcpu_count": 1, "mem_size_mib": memory, "track_dirty_pages": tracks})
        self.client.put("/boot-source", {"kernel_image_path": str(volt.guest(guest) if isinstance(guest, str) else guest), "boot_args": words,
                                         **({"initrd_path": str(initrd)} if initrd else {})})
        for name, path, readonly in drives:
            self.client.put(f"/drives/{name}", {"drive_id": name, "path_on_host": str(path), "is_root_device": False,
                                                "is_read_only": readonly})
        for name, tap in nets:
            self.client.put(f"/network-interfaces/{name}", {"iface_id": name, "host_dev_name": tap})
        self.client.put("/actions", {"action_type": "InstanceStart"})
        return self

    def state(self, state):
        self.client.patch("/vm", {"state": state})

    def save(self, name, kind="Full", **more):
        self.client.put("/snapshot/create", {"snapshot_path": f"{name}.state", "mem_file_path": f"{name}.mem",
                                             "snapshot_type": kind, **more})

    def load(self, name, **more):
        self.client.put("/snapshot/load", {
            "snapshot_path": f"{name}.state", "mem_backend": {"backend_type": "File", "backend_path": f"{name}.mem"},
            **more})
        return self


def blocks(name):
    """The bytes of a memory file that are not holes."""
    return os.stat(f"{name}.mem").st_blocks * 512


# --- a guest that writes its disk, step by step ---

SECTOR, SECTORS = 512, 64
STEPS = 8
SPARE = DATA + 0x1000  # where sectors are read to


def mark(step):
    """What a step writes to the sector of its number."""
    return 0x10000000 + step


def make_stepper():
    """A guest, its `words`, and its `disk`: at each byte on the serial line: a sector is written, and the one before is read."""
    program = Program()
    disk = Disk(program)
    disk.start_disk()
    for number in range(1, STEPS + 1):
        program.words += ["!", "x"]
        program.write(DATA, mark(number))
        disk.ask("written", T_OUT, number)
        disk.ask("read", T_IN, number - 1, data=((SPARE, SECTOR),))
        program.read("there", SPARE)
    pathlib.Path("words").write_bytes(program.text("!"))
    pathlib.Path("disk").write_bytes(mark(0).to_bytes(4, "little") + os.urandom(SECTORS * SECTOR - 4))


def boot_stepper(**more):
    make_stepper()
    process = Process().boot(drives=[("d", "disk", False)], guest="do", initrd="words", **more)
    process.vm.wait_for()
    return process


def step(process, number, check=True):
    """The machine does what it would do as its step `number`: how the write and the read ended, and what was read."""
    process.vm.seen = b""
    process.vm.type(b".")
    process.vm.wait_for()
    told = [int(word, 16) for word in process.vm.seen.split()[:-1]]
    assert not check or told == [OK, OK, mark(number - 1)], told
    return told


def steps_on(disk):
    """What was written to a disk: the steps whose sectors have their mark."""
    data = pathlib.Path(disk).read_bytes()
    assert len(data) == SECTORS * SECTOR
    return [i for i in range(SECTORS) if data[i * SECTOR:][:4] == mark(i).to_bytes(4, "little")]
