# SPDX-License-Identifier: Apache-2.0
"""The files of Firecracker's snapshots: what a load reads of them, and what becomes of them whenever the making ends."""
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess

import fcclient
import pytest
import volt
from fcmachine import Process

LOG = "strace.log"


def traced(calls, *more):
    """In front of a process: strace notes these calls of its."""
    return ["strace", "-D", "-f", "-qq", "-y", "-o", LOG, "-e", f"trace={calls}", *more]


def bytes_read(name):
    """How many of a file the traced process has read by its descriptor."""
    return sum(int(n) for n in re.findall(rf"pread64\(\d+<[^>]*/{re.escape(name)}>.*\) = (\d+)$", pathlib.Path(LOG).read_text(), re.M))


def read_by_load(name):
    """Bytes of memory, and of the disk's copy, that a load reads."""
    with Process(prefix=traced("pread64")) as two:
        two.load(name, resume_vm=True)
        two.vm.check()
        two.vm.power_off()
    return bytes_read(f"{name}.mem"), bytes_read(f"{name}.state.disks/d")


def test_the_first_load_reads_nothing_again(here):
    (here / "disk").write_bytes(os.urandom(1 << 20))
    with Process().boot(drives=[("d", "disk", False)]) as one:
        one.vm.check()
        one.state("Paused")
        for name in "a", "a":  # new names, and the place of one that is there
            one.save(name)
            assert read_by_load(name) == (0, 0)
        os.unlink("a.state.verified")
        memory, disk = read_by_load("a")
        assert memory >= 4 << 20 and disk == 1 << 20
        assert read_by_load("a") == (0, 0)


def test_a_large_disk_is_not_waited_for(here):
    """A process that is told to end while one is copied does so after the piece that it is at."""
    pieces = 300
    with open("disk", "wb") as disk:
        for i in range(pieces):
            disk.seek(i << 16)
            disk.write(b"x" * 4096)
    # Two looks for each piece, which take so long that a signal comes between.
    with Process(prefix=traced("lseek", "-e", "inject=lseek:delay_exit=20000")) as one:
        one.boot(drives=[("d", "disk", False)])
        one.vm.check()
        one.state("Paused")
        one.client.sock.sendall(fcclient.request("PUT", "/snapshot/create", WISH))
        volt.wait_until(lambda: "lseek" in pathlib.Path(LOG).read_text(), "the first look")
        one.vm.send()
        assert one.vm.finish().status == -signal.SIGTERM
    looks = re.findall(r"^\d+ +lseek\(.*SEEK_(?:DATA|HOLE)", pathlib.Path(LOG).read_text(), re.M)
    assert 0 < len(looks) < pieces, len(looks)
    assert not [name for name in os.listdir() if name.startswith((".", "a."))]


# --- ended by force, or refused, at calls that make, name or remove something ---

CALLS = "mkdirat,openat2,ftruncate,pwrite64,copy_file_range,fsync,renameat2,unlinkat"
CONTENT = ("ftruncate", "pwrite64", "copy_file_range")  # how many there are depends on what the guest had time for
HALF = "are of two snapshots: one was taking the place of the other when it was ended"
WISH = {"snapshot_path": "a.state", "mem_file_path": "a.mem", "snapshot_type": "Full"}


class Saver(Process):
    """One whose memory is another each time, at the point of making a.state and a.mem."""

    def __init__(self, *inject, options=()):
        super().__init__(*options, prefix=traced(CALLS, *inject))
        disk = pathlib.Path(f"{self.socket}.disk")  # of its own: the kernel may hold on to that of one that was killed
        disk.write_bytes(os.urandom(1 << 20))
        self.boot(drives=[("d", disk, False)], words=self.socket)
        self.vm.stop()
        self.state("Paused")


def points():
    """(call, n): what the thread that makes snapshots calls for one in the place of another."""
    with Saver() as one:
        one.save("a")
        one.vm.process.kill()
    counts, lines = {}, pathlib.Path(LOG).read_text().splitlines()
    maker = next(line.split()[0] for line in lines if " mkdirat(" in line)
    for found in re.findall(rf"^{maker} +(\w+)\(", "\n".join(lines), re.M):
        counts[found] = counts.get(found, 0) + 1
    assert counts["renameat2"] == 4, counts  # disks, memory, state; stamp
    return [(call, n) for call, count in counts.items() for n in range(1, count + 1)
            if n == 1 or (n > count - 4 and call not in CONTENT)]


def files():
    """All that is there of the snapshot, without its stamp."""
    return {name: pathlib.Path(name).read_bytes() for name in ("a.state", "a.mem", "a.state.disks/d") if os.path.exists(name)}


@pytest.fixture
def old(here):
    """A snapshot that is there already: its files, and a copy of it to begin anew with."""
    with Saver() as one:
        one.save("a")
    subprocess.run("mkdir kept && cp -a a.* kept", shell=True, check=True)
    return files()


def begin_anew():
    for name in os.listdir():
        if name.startswith(("a.", ".a.")):
            shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)
    subprocess.run("cp -a kept/* .", shell=True, check=True)


def load():
    """What is there, found out by going on with it: the fault, or None."""
    with Process() as two:
        status, body = two.client.call("PUT", "/snapshot/load", {**{key: WISH[key] for key in list(WISH)[:2]}, "resume_vm": True})
        if status == 204:
            two.vm.type(b"g")
            two.vm.check()
            return None
        assert status == 400 and two.vm.finish().status == fcclient.STATUS_FAILED
        return body["fault_message"]


def test_ended_by_force(old):
    halves = []
    for call, n in points():
        begin_anew()
        with Saver("-e", f"inject={call}:signal=KILL:when={n}") as one:
            with pytest.raises((http.client.HTTPException, ConnectionError, IndexError)):
                one.client.call("PUT", "/snapshot/create", WISH)
            one.vm.process.wait()
        now, fault = files(), load()
        changed = [name for name in old if now[name] != old[name]]
        if fault is None:
            assert changed in ([], list(old)), (call, n, changed)
        else:
            assert HALF in fault and "a.state and " in fault and "with new names" in fault, fault
            halves.append((call, n))
            # What is left goes with the next one, which is whole.
            with Saver() as one:
                one.save("a")
            assert not [name for name in os.listdir() if name.startswith(".")], (call, n)
            assert load() is None
    # Between two of the calls that name its parts, and nowhere else.
    assert halves == [("renameat2", 2), ("renameat2", 3)]


def test_refused(old):
    tried = points()
    counts = {call: max(n for name, n in tried if name == call) for call, _ in tried}
    for call, n in tried:
        begin_anew()
        error = "EIO" if call in ("fsync", "renameat2", "copy_file_range") else "ENOSPC"
        with Saver("-e", f"inject={call}:error={error}:when={n}", options=["--sandbox-skip", "seccomp"]) as one:
            status, body = one.client.call("PUT", "/snapshot/create", WISH)
            if status == 204:  # what can be done without: a leftover that is looked for, or stays; the stamp
                assert call in ("openat2", "unlinkat") or (n == counts[call] and call not in CONTENT), (call, n)
            else:
                words = "Input/output error" if error == "EIO" else "(No space left|somebody else is making it)"
                assert status == 400 and re.search(words, body["fault_message"]), body
            # Named it is, but perhaps not durably, where the folders' sync fails.
            named = status == 204 or (call == "fsync" and counts[call] - 2 <= n < counts[call])
            assert (files() == old) != named, (call, n, status)
            one.state("Resumed")
            one.vm.type(b"g")
            one.vm.check()
            one.vm.stop()
            one.state("Paused")
            one.save("a")
        assert not [name for name in os.listdir() if name.startswith(".")], (call, n)
        assert load() is None


def test_the_first_of_its_names_ended_by_force(here):
    """Nothing that it leaves is in the way of the next."""
    for n, there in (3, False), (4, True):  # where there is nothing to exchange with, a second call renames
        with Saver("-e", f"inject=renameat2:signal=KILL:when={n}") as one:
            with pytest.raises((http.client.HTTPException, ConnectionError, IndexError)):
                one.client.call("PUT", "/snapshot/create", WISH)
            one.vm.process.wait()
        assert os.path.exists("a.state.disks/d") and os.path.exists("a.mem") == there
        assert "a.state: No such file" in load()
    with Saver() as one:
        one.save("a")
    assert not [name for name in os.listdir() if name.startswith(".")] and load() is None
