# SPDX-License-Identifier: Apache-2.0
"""No flush is answered before the host's kernel has answered it: counted, on the kernel's own trace.

The guest has one request in flight at a time, so an interrupt of its disk answers what came last. From
the trace of one run: each flush of the guest's is one fdatasync (or fsync operation of io_uring), and
between its begin and its end the disk raises no interrupt, but one afterwards.
"""
import contextlib
import pathlib
import re
import subprocess

import pytest

import disks

pytestmark = pytest.mark.linux

TRACING = pathlib.Path("/sys/kernel/tracing")
GSI = 5  # of the first virtio device
FSYNC = ("FSYNC", "3")  # as newer kernels say it, and older ones
ROUNDS = 12

EVENTS = {"sync": ["syscalls/sys_enter_fdatasync", "syscalls/sys_exit_fdatasync"],
          "io_uring": ["io_uring/io_uring_submit_*", "io_uring/io_uring_complete"]}


class Trace:
    """The kernel's events, in a buffer of our own."""

    def __init__(self, events):
        self.folder = TRACING / "instances/volt-flush"
        self.folder.mkdir()
        (self.folder / "trace_clock").write_text("global")
        for event in events:
            for file in (self.folder / "events").glob(f"{event}/enable"):
                file.write_text("1")

    def lines(self):
        (self.folder / "tracing_on").write_text("0")
        text = (self.folder / "trace").read_text()
        return [line for line in text.splitlines() if not line.startswith("#")]


@contextlib.contextmanager
def tracing(events):
    if not (TRACING / "events").is_dir():
        disks.run("mount", "-t", "tracefs", "tracefs", TRACING)
    trace = Trace(events)
    try:
        yield trace
    finally:
        trace.folder.rmdir()


def steps(lines):
    """"begin", "end" of a flush and "interrupt", in order."""
    found, waiting = [], set()
    for line in lines:
        submitted = re.search(r"io_uring_submit_\w+: .*user_data (0x[0-9a-f]+), opcode (\w+)", line)
        completed = re.search(r"io_uring_complete: .*user_data (0x[0-9a-f]+), result (-?\d+)", line)
        if "sys_fdatasync(" in line or submitted and submitted[2] in FSYNC:
            found.append("begin")
            waiting.add(submitted and submitted[1])
        elif "sys_fdatasync -> 0x0" in line or completed and completed[1] in waiting:
            found.append("end")
            waiting.clear()
        elif f"kvm_set_irq: gsi {GSI} level 1" in line:
            found.append("interrupt")
    return found


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return disks.records_initrd(tmp_path_factory.mktemp("initrd") / "initrd.cpio")


def traced(tmp_path, initrd, engine, cache):
    disks.need_root("losetup")
    image, file = disks.sparse(tmp_path / "image", 64), tmp_path / "host/disk"
    disks.run("mkfs.ext4", "-q", image)
    with disks.mounted(image, tmp_path / "host", "-o", "loop"), tracing([*EVENTS[engine], "kvm/kvm_set_irq"]) as trace:
        disks.sparse(file, 16)
        guest = disks.RecordsGuest(tmp_path, initrd, "--drive",
                                   f"path={file},engine={engine},cache={cache},id=d", writers=1, rounds=ROUNDS, most=1)
        result = guest.finish()
        assert result.status == 0, result.out + result.log
        count = disks.acked(result.out)[0]
        assert disks.missing_in_file(file, 0, count) == []
        return steps(trace.lines()), result.metrics["disks"]["d"]


@pytest.mark.parametrize("engine", EVENTS)
def test_no_answer_before_the_hosts(tmp_path, initrd, engine):
    order, metrics = traced(tmp_path, initrd, engine, "writeback")
    assert metrics["engine"] == engine
    assert metrics["flushes"] >= ROUNDS
    assert order.count("begin") == order.count("end") == metrics["flushes"]
    for n, step in enumerate(order):
        if step == "begin":
            assert order[n + 1:n + 3] == ["end", "interrupt"], order[n:n + 4]


def test_unsafe_asks_for_nothing(tmp_path, initrd):
    """And the trace above would show it."""
    order, metrics = traced(tmp_path, initrd, "sync", "unsafe")
    assert metrics["flushes"] >= ROUNDS
    assert "begin" not in order
    assert order.count("interrupt") >= metrics["flushes"]
