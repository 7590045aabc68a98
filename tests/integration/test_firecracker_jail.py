# SPDX-License-Identifier: Apache-2.0
"""Snapshots in jails, by a user without privileges: made there, and loaded from what an orchestrator puts there."""
import os
import pathlib
import shutil

import pytest

import volt
from fcclient import STATUS_FAILED
from fcmachine import make_stepper, mark, step, steps_on
from jail import UID, Jail, Jailed, bind, call, make_readonly
from virtio_driver import IOERR, OK

SNAPSHOT = ["snap.mem", "snap.state", "snap.state.disks/d", "snap.state.verified"]


def kill(process):
    process.vm.process.kill()
    process.vm.process.wait()


def boot(jail):
    """A machine with a disk that it writes, and one that it does not, as Kata and the SDK put them there."""
    make_stepper()
    pathlib.Path("only").write_bytes(os.urandom(4096))
    for name in "words", "disk", "only":
        jail.put(name, name)
    shutil.copy(volt.guest("do"), jail.root / "kernel")
    process = Jailed(jail).boot(drives=[("d", "/disk", False), ("o", "/only", True)], guest=pathlib.Path("kernel"), initrd="words")
    process.vm.wait_for()
    return process


@pytest.fixture
def saved(here):
    """The jail in which one was made, after its machine was ended by force."""
    jail = Jail("one")
    with boot(jail) as one:
        step(one, 1)
        one.state("Paused")
        one.save("snap")
        kill(one)
    assert jail.files() == sorted([*SNAPSHOT, "words", "disk", "only", "kernel"])
    assert steps_on(jail.root / "snap.state.disks/d") == [0, 1]
    return jail.root


def put(jail, saved, link):
    (jail.root / "snap.state.disks").mkdir()
    jail.give("snap.state.disks")
    for name in [*SNAPSHOT, "only"]:
        jail.put(name, saved / name, link)


def test_loaded_from_links_and_copies(saved):
    """Twice at once, and each is saved again, by its next process, too."""
    jails = [Jail("linked"), Jail("linked2"), Jail("copied")]
    for jail in jails:
        put(jail, saved, jail.root.name != "copied")
    before = {name: (saved / name).read_bytes() for name in SNAPSHOT[:3]}
    machines = [Jailed(jail).load("snap", resume_vm=True) for jail in jails]
    for number in 2, 3:
        for machine in machines:
            step(machine, number)
    for machine, jail in zip(machines, jails):
        machine.state("Paused")
        machine.save("/next")
        assert steps_on(jail.root / "next.state.disks/d") == [0, 1, 2, 3]
        machine.state("Resumed")
        step(machine, 4)
        with machine:
            kill(machine)
        assert jail.files() == sorted([*SNAPSHOT, *(name.replace("snap", "next") for name in SNAPSHOT), "only"])
        with Jailed(jail) as after:
            after.load("next", resume_vm=True)
            step(after, 4)
    assert before == {name: (saved / name).read_bytes() for name in SNAPSHOT[:3]}


def test_loaded_from_a_folder_that_is_mounted_read_only(saved):
    """One snapshot for many; what the machine makes goes to its own root."""
    (saved / "given").mkdir()
    os.chown(saved / "given", UID, -1)
    for name in SNAPSHOT:
        if "/" not in name:
            os.rename(saved / name, saved / "given" / name)
    os.rename(saved / "snap.state.disks", saved / "given/snap.state.disks")
    stamp = (saved / "given/snap.state.verified").stat().st_mtime_ns

    def mounts(root):
        bind(saved / "given", root / "snap")
        make_readonly(root / "snap")

    jail = Jail("two", mounts)
    (jail.root / "snap").mkdir()
    jail.put("only", saved / "only")
    with Jailed(jail) as two:
        two.load("/snap/snap", resume_vm=True)
        step(two, 2)
        two.state("Paused")
        assert "Read-only file system" in two.client.fault("PUT", "/snapshot/create", {"snapshot_path": "/snap/x", "mem_file_path": "/y"})
        two.save("/next")
        two.vm.send()
        two.vm.finish()
    assert jail.files() == sorted(["only", *(name.replace("snap", "next") for name in SNAPSHOT)])
    assert (saved / "given/snap.state.verified").stat().st_mtime_ns == stamp
    assert steps_on(jail.root / "next.state.disks/d") == [0, 1, 2]


def test_what_is_mounted_in_its_root(here):
    """Files that come later are in there, and not in the folder beneath."""
    (here / "given").mkdir()
    os.chown(here / "given", UID, -1)
    jail = Jail("one", lambda root: bind(here / "given", root / "vol"))
    (jail.root / "vol").mkdir()
    jail.give("vol")
    (here / "given/other").write_bytes(bytes(4096))
    with boot(jail) as one:
        one.client.patch("/drives/o", {"drive_id": "o", "path_on_host": "/vol/other"})
        one.state("Paused")
        one.save("/vol/snap")
    assert not os.listdir(jail.root / "vol")
    assert sorted(os.listdir(here / "given")) == ["other", "snap.mem", "snap.state", "snap.state.disks", "snap.state.verified"]


def readonly_root(root):
    """All of it but what the socket is in."""
    bind(root / "run", root / "run")
    make_readonly(root)


def small(options, full=False):
    def mounts(root):
        call("mount", "none", str(root / "var/tmp"), "tmpfs", 0, options)
        if full:
            (root / "var/tmp/full").write_bytes(bytes(4096))

    return mounts


@pytest.mark.parametrize("mounts, words", [
    (readonly_root, "in . (TMPDIR names another folder): Read-only file system"),
    (small("mode=1777,nr_inodes=1"), "in /var/tmp (TMPDIR names another folder): No space left on device"),
    (small("mode=0500"), "in /var/tmp (TMPDIR names another folder): Permission denied"),
])
def test_no_place_for_what_it_writes(saved, mounts, words):
    jail = Jail("two", mounts)
    put(jail, saved, True)
    if mounts is not readonly_root:
        (jail.root / "var/tmp").mkdir(parents=True)
    there = jail.files()
    with Jailed(jail) as two:
        fault = two.client.fault("PUT", "/snapshot/load", {"snapshot_path": "snap.state", "mem_file_path": "snap.mem"})
        assert fault == f"Load snapshot error: --drive id=d: make a temporary file {words}"
        result = two.vm.finish()
    assert (result.status, result.lines) == (STATUS_FAILED, [f"Error: {fault}"])
    assert jail.files() == there


def test_no_room_for_what_it_writes(saved):
    """The guest hears of it, and goes on; so does its next snapshot."""
    jail = Jail("two", small("mode=1777,size=4k", full=True))
    (jail.root / "var/tmp").mkdir(parents=True)
    put(jail, saved, True)
    with Jailed(jail) as two:
        two.load("snap", resume_vm=True)
        assert step(two, 2, check=False) == [IOERR, OK, mark(1)]
        *statuses, there = step(two, 3, check=False)
        assert statuses == [IOERR, OK] and there != mark(2)
        two.state("Paused")
        two.save("/next")
        kill(two)
    assert steps_on(jail.root / "next.state.disks/d") == [0, 1]
    assert "disk d: write at byte 1024: No space left on device" in (jail.root / "run/log").read_text()
