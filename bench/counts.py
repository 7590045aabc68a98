# SPDX-License-Identifier: Apache-2.0
"""What a monitor costs its host: exits of its guest and system calls, from the kernel's own counters."""
import glob
import pathlib
import re
import subprocess

TRACING = pathlib.Path("/sys/kernel/tracing")
HIST = re.compile(r"\{ id: *(\d+) \} hitcount: *(\d+)")


def exits(pid):
    """(exits of the guest, those that reached the monitor) by KVM's debugfs; None where it is not to be had."""
    for folder in glob.glob(f"/sys/kernel/debug/kvm/{pid}-*"):
        read = lambda name: int(pathlib.Path(folder, name).read_text())
        return read("exits"), read("io_exits") + read("mmio_exits")
    return None, None


def call_names():
    """Numbers of system calls by the kernel's headers, as {number: name}."""
    found = {}
    for line in pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text().splitlines():
        match = re.match(r"#define __NR_(\w+) (\d+)", line)
        if match:
            found[int(match[2])] = match[1]
    return found


class Nothing:
    def __init__(self, pid):
        pass

    def read(self):
        return {}

    def close(self):
        pass


class Counter:
    """Exits and system calls of a process and all threads that it starts; one at a time."""

    def __init__(self, pid):
        self.pid, self.names = pid, call_names()
        if not (TRACING / "events").is_dir():
            subprocess.run(["mount", "-t", "tracefs", "tracefs", TRACING], check=True)
        self.folder = TRACING / "instances/volt-bench"
        self.folder.mkdir(exist_ok=True)
        self.trigger = self.folder / "events/raw_syscalls/sys_enter/trigger"
        (self.folder / "options/event-fork").write_text("1")
        (self.folder / "set_event_pid").write_text(" ".join(p.name for p in pathlib.Path(f"/proc/{pid}/task").iterdir()))
        self.trigger.write_text("hist:keys=id:size=1024")

    def read(self):
        total, to_monitor = exits(self.pid)
        found = {"exits": total, "to_monitor": to_monitor}
        for number, count in HIST.findall((self.trigger.parent / "hist").read_text()):
            found["call " + self.names.get(int(number), number)] = int(count)
        return found

    def close(self):
        self.trigger.write_text("!hist:keys=id:size=1024")
        (self.folder / "set_event_pid").write_text("")
        self.folder.rmdir()
