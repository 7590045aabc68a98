# SPDX-License-Identifier: Apache-2.0
"""Snapshots whose making is ended by force, or fails, at each call that changes something."""
import http.client
import os
import pathlib
import re
import subprocess
import threading

import api
import pytest
import volt
from snapshots import SNAPS, request, restore, save, start, tree

CALLS = "mkdirat openat2 ftruncate pwrite64 copy_file_range ioctl fsync renameat2 unlinkat".split()
DRIVE = ["--drive", "path=disk,id=disk,engine=sync"]
LOG = "strace.log"


def traced(*inject, options=()):
    return start(*DRIVE, *options, prefix=["strace", "-D", "-f", "-qq", "-o", LOG, "-e", f"trace={','.join(CALLS)}", *inject])


def stop_writing(vm):
    """So that each run makes the same calls."""
    vm.stop()


def points():
    """(call, n): what the thread that makes snapshots calls in one run that succeeds."""
    with traced() as vm:
        stop_writing(vm)
        save("snaps/probe")
        vm.process.kill()
    subprocess.run(["rm", "-r", "snaps/probe"], check=True)
    counts, lines = {}, pathlib.Path(LOG).read_text().splitlines()
    maker = next(line.split()[0] for line in lines if " mkdirat(" in line)
    for line in lines:
        found = re.match(r"(\d+) +(\w+)\((.*)", line)
        if found and found[1] == maker and (found[2] != "ioctl" or "FICLONE" in found[3]):
            counts[found[2]] = counts.get(found[2], 0) + 1
    assert {"mkdirat", "openat2", "ftruncate", "pwrite64", "fsync", "renameat2"} <= set(counts), counts
    counts.pop("ioctl", None)  # others make some, too: a refusal of that one is tried by itself
    # The first ones and the last ones of what is done again and again.
    return [(call, n) for call, count in counts.items() for n in range(1, count + 1) if n <= 4 or n > count - 4]


@pytest.fixture
def old(here):
    """A snapshot that is there already, and what is in it."""
    os.makedirs(SNAPS)
    pathlib.Path("disk").write_bytes(os.urandom(8192) + bytes(1 << 20) + os.urandom(4096))
    with start(*DRIVE) as vm:
        stop_writing(vm)
        save("snaps/old")
    return tree("snaps/old")


def check_new():
    """There is no half of a snapshot: with its name it is whole."""
    if os.path.exists("snaps/new"):
        with restore("snaps/new") as clone:
            clone.ask(b"c", rb"whole [0-9a-f]{8}\n")
        subprocess.run(["rm", "-r", "snaps/new"], check=True)


def test_nothing_changes_while_it_is_made(here):
    """The thread that makes it reads what describes the disks; it takes its time here."""
    os.makedirs(SNAPS)
    pathlib.Path("disk").write_bytes(bytes(8192))
    with traced("-e", "inject=fsync:delay_enter=3000000:when=1") as vm:
        made = []
        maker = threading.Thread(target=lambda: made.append(request("snaps/a")))
        maker.start()
        refused = None
        while refused is None and not made:
            with api.Client() as client:
                status, body = client.call("PATCH", "/v1/vm/drives/disk", {"rate": "1M"})
            assert status in (200, 409), body
            refused = body if status == 409 else None
        maker.join()
        assert refused and "a snapshot of the machine is being made" in refused["fault_message"]
        assert made[0][0] == 200, made
        vm.check()


def test_ended_by_force(old):
    tried = points()
    for call, n in tried:
        with traced("-e", f"inject={call}:signal=KILL:when={n}") as vm:
            stop_writing(vm)
            with pytest.raises((http.client.HTTPException, ConnectionError)):
                request("snaps/new")
            vm.process.wait()
        check_new()
        assert tree("snaps/old") == old, (call, n)
    # What is left goes with the next one.
    with start(*DRIVE) as vm:
        save("snaps/last")
    assert sorted(os.listdir(SNAPS)) == ["last", "old"]
    print(f"{len(tried)} points")


def test_refused(old):
    for call, n in points():
        error = "EIO" if call in ("fsync", "renameat2", "copy_file_range") else "ENOSPC"
        # The tracer makes a call that there is none of in place of this one: no filter would have it.
        with traced("-e", f"inject={call}:error={error}:when={n}", options=["--sandbox-skip", "seccomp"]) as vm:
            stop_writing(vm)
            status, body = request("snaps/new")
            if status == 200:  # what can be done without is: a leftover, sharing blocks, copying them
                assert call in ("unlinkat", "copy_file_range", "openat2"), (call, n)
            else:
                assert (status, list(body)) in ((500, ["fault_message"]), (400, ["fault_message"])), body
                message = body["fault_message"]
                assert ("No space left" in message) == (error == "ENOSPC") or "somebody else" in message, message
            named = os.path.exists("snaps/new")
            assert named == (status == 200) or (call, named) == ("fsync", True), (call, n)
            # The machine goes on, and can be saved.
            vm.check()
            save("snaps/again")
        check_new()
        assert sorted(os.listdir(SNAPS)) == ["again", "old"], (call, n)
        subprocess.run(["rm", "-r", "snaps/again"], check=True)
        assert tree("snaps/old") == old, (call, n)


def test_a_full_disk(old):
    """A file system that has no room for all of it."""
    script = "mount -t tmpfs -o size=3m none full && exec \"$0\" \"$@\""
    os.mkdir("full")
    with start(*DRIVE, "--snapshot-dir", "full", prefix=[*volt.OWN_MOUNTS, "sh", "-c", script]) as vm:
        volt.wait_until(lambda: vm.check() > 1, "all pages written")
        status, body = request("full/new")
        assert status == 500 and "No space left on device" in body["fault_message"], body
        vm.check()
        vm.power_off()
