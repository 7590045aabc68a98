# SPDX-License-Identifier: Apache-2.0
"""Machines that are saved and go on by requests of Firecracker's API only."""
import os

import fcclient
import volt
from snapshots import Machine


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
        self.client.put("/boot-source", {"kernel_image_path": str(volt.guest(guest)), "boot_args": words,
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
