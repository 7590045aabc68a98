# SPDX-License-Identifier: Apache-2.0
"""Snapshots in a store: made by a machine that runs, gone on from by several, damaged, ended by force."""
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
import store
import volt
from snapshots import SAVING, Machine, refuse_restore, restore, start, tree
from stellar import names, ok, verify
from virtio_driver import BLK_FLUSH, DATA, RINGS, T_FLUSH, T_IN, T_OUT, VERSION_1, Disk, Program, Queue

VOLT = volt.BUILD / "bin/volt"
STORE = ["--cas-store", "s"]
CALLS = ("write pwrite64 pwritev fsync fdatasync msync rename renameat renameat2 unlink unlinkat linkat ftruncate openat openat2 "
         "mkdir mkdirat fchown flock").split()


def command(*words, prefix=(), status=0):
    """`volt snapshot`: what it printed, or said."""
    done = subprocess.run(list(map(str, [*prefix, VOLT, "snapshot", *words])), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=volt.LIMIT_S)
    assert status is None or done.returncode == status, done
    return done.stdout if done.returncode == 0 else done.stderr


def create(name, *options, **more):
    return json.loads(command("create", "--api", "api", *STORE, "--dir", "snaps", *options, name, **more))


def dry(name, prefix=(), status=0):
    """What volt-vmm would go on from, without a machine; what it says where that fails."""
    result = volt.run("--restore", name, *STORE, "--dry-run", kernel=None, prefix=prefix)
    assert status is None or result.status == status, result
    return result.err


def unpacked():
    return sorted(os.listdir("s/unpacked")) if os.path.exists("s/unpacked") else []


@pytest.fixture
def made(here):
    """A store "s" with a snapshot "first" of a machine, and the rounds between which that was."""
    ok("init", "s")
    with start() as vm:
        before = vm.check()
        create("first")
        after = vm.check()
    return before, after


# --- the way there and back ---

def test_a_machine_goes_on_from_a_store(here):
    ok("init", "s")
    with start() as vm:
        before = vm.check()
        said = create("first")
        after = vm.check()
        assert os.listdir("snaps") == []
        assert re.fullmatch("[0-9a-f]{32}", said["id"]) and said["kind"] == "full" and said["name"] == "first"
        assert said["size"] > 16 << 20 and 0 < said["stored_new"] < said["raw_new"] < 16 << 20, said
        vm.stop()
        create("second", "--pause")
        said = create("third")  # nothing has changed but the state
        assert said["raw_new"] < 1 << 20, said
    assert names() == [f"snapshot/{name}/{part}" for name in ("first", "second", "third") for part in ("memory", "state")]
    assert [line.split()[:2] for line in command("ls", *STORE).splitlines()[1:]] == [[name, "16"] for name in ("first", "second", "third")]
    command("rm", *STORE, "second", "third")
    assert names() == ["snapshot/first/memory", "snapshot/first/state"]
    ok("gc", "s")
    with restore("first", *STORE) as one, restore("first", *STORE) as two:
        for _ in range(2):
            assert before <= one.check() and before <= two.check()
        folder, = unpacked()
        saved = tree(f"s/unpacked/{folder}")
        ok("gc", "s")  # in use, it stays
        one.power_off()
        with restore("first", *STORE, "--log-level", "info") as three:
            assert before <= three.check()
            three.stop()
            three.type(b"q")
            assert "is read and verified" not in three.finish().err  # the store has done that
        ok("gc", "s")
        assert unpacked() == [folder] and tree(f"s/unpacked/{folder}") == saved
        command("rm", *STORE, "first")  # who has it goes on
        ok("gc", "s")
        two.check()
        two.power_off()
    ok("gc", "s")
    assert unpacked() == [] and names() == []
    assert "there is no such snapshot in the store" in dry("first", status=2)


def test_a_folder_and_back(made):
    command("export", *STORE, "first", "out")
    assert sorted(tree("out")) == ["memory", "state", "verified"]
    ok("init", "other")
    said = json.loads(command("import", "--cas-store", "other", "out", "again"))
    assert said["name"] == "again" and said["stored_new"] > 0
    command("export", "--cas-store", "other", "again", "out2")
    for part in ("memory", "state"):
        assert pathlib.Path("out", part).read_bytes() == pathlib.Path("out2", part).read_bytes()
    with restore("out2", "--log-level", "info") as clone:
        assert made[0] <= clone.check()
        clone.stop()
        clone.type(b"q")
        assert "is read and verified" not in clone.finish().err
    with pathlib.Path("out/memory").open("r+b") as file:
        file.seek(0x800000)
        file.write(b"x")
    assert "is not what it was" in command("import", *STORE, "out", "bad", status=1)
    assert not any("bad" in name for name in names())


def test_what_is_refused(made):
    with start() as vm:
        for words, status, message in (
                (["--base", "x", "next"], 2, "a store keeps only what it has not yet"),
                (["first"], 1, "there is a snapshot of this name in the store"),
                (["a/b"], 2, "has no / in it"), ([".a"], 2, "begins with a letter or a digit"),
                (["x" * 101], 2, "at most 100 letters")):
            said = command("create", "--api", "api", *STORE, "--dir", "snaps", *words, status=status)
            assert message in said, said
        assert "expected --dir DIR" in command("create", "--api", "api", *STORE, "next", status=2)
        assert "a folder of --snapshot-dir" in command("create", "--api", "api", *STORE, "--dir", ".", "next", status=1)
        assert "expected --cas-store" in command("create", "--api", "api", "--dir", "snaps", "next", status=2)
        vm.check()
    with volt.Vm("--cmdline", "!", "--api-socket", "plain") as plain:
        plain.wait_for()
        assert "--snapshot-dir" in command("create", "--api", "plain", *STORE, "next", status=2)
    assert "expected --cas-store" in command("ls", status=2)
    assert "there is no such snapshot" in command("rm", *STORE, "next", status=2)
    assert [name for name in os.listdir(".") if name.startswith(".")] == [] and os.listdir("snaps") == []
    assert "no such snapshot" in refuse_restore("next", *STORE)


def test_by_the_folder_that_the_machine_tells(here):
    ok("init", "s")
    with start("--snapshot-dir", here / "snaps") as vm:
        command("create", "--api", "api", *STORE, "first")
        vm.check()
    dry("first")


# --- disks ---

def test_disks_belong_to_it(here):
    ok("init", "s")
    content = os.urandom(64 << 10) + bytes(1 << 20)
    pathlib.Path("rw").write_bytes(content)
    with start("--drive", "path=rw,id=rw,engine=sync"):
        create("first")
    os.unlink("rw")
    assert "snapshot/first/disks/rw" in names()
    with restore("first", *STORE) as one, restore("first", *STORE, "--drive", "id=rw,path=new") as two:
        one.check()
        two.check()
        assert pathlib.Path("new").read_bytes() == content


def program():
    """Writes to a disk, waits for a letter, reads it back, writes once more and reads."""
    p = Program()
    disk = Disk(p, 0)
    disk.queue = Queue(disk, at=RINGS)
    disk.start_disk(VERSION_1 | BLK_FLUSH)
    p.write(DATA, 0x11111111)
    disk.ask("written", T_OUT, 5, data=[(DATA, 512)])
    disk.ask("flushed", T_FLUSH, 0, data=[])
    p.words += ["!", "x"]
    disk.ask("answer", T_IN, 5, data=[(DATA, 512)])
    p.read("five", DATA)
    disk.ask("answer of six", T_IN, 6, data=[(DATA, 512)])
    p.read("six", DATA)
    p.write(DATA, 0x22222222)
    disk.ask("written again", T_OUT, 5, data=[(DATA, 512)])
    disk.ask("answer again", T_IN, 5, data=[(DATA, 512)])
    p.read("five again", DATA)
    return p


def values(p, out):
    return p.values(out.replace(b"ready", b""))


def go_on(vm):
    vm.type(b"g")
    result = vm.finish()
    assert result.status == 0, result
    return result.out


def test_a_volume_and_its_image_stay(here):
    """Whatever becomes of the volume and the image's name; and what a clone writes is its own."""
    data = store.sectors(1, 4096)
    ok("init", "s")
    store.put("debian", data)
    p = program()
    pathlib.Path("words").write_bytes(p.text(volt.POWEROFF))
    os.mkdir("snaps")
    with Machine(*SAVING, "--initrd", "words", "--volume", "web", *STORE, kernel="do") as vm:
        vm.wait_for()
        head = vm.seen
        create("first")
        assert values(p, head + go_on(vm)[len(head):])["five"] == 0x11111111
    ok("volume", "rm", "s", "web")
    ok("rm", "s", "debian")
    store.put("debian", data[::-1])
    ok("gc", "s")
    assert {"snapshot/first/disks/volume0", "snapshot/first/images/volume0"} <= set(names()) and store.references() == []
    six = int.from_bytes(data[6 * 512:6 * 512 + 4], "little")
    for options in ((), (), ("--drive", "id=volume0,overlay=kept")):
        with restore("first", *STORE, *options) as clone:
            found = values(p, head + go_on(clone))
        assert (found["five"], found["six"], found["five again"]) == (0x11111111, six, 0x22222222), found
        assert len(store.references()) == len(options) // 2
    # What was kept is a volume that needs the snapshot no more.
    command("rm", *STORE, "first")
    ok("gc", "s")
    verify()
    after = store.content_of_volume("kept")
    assert after[5 * 512:5 * 512 + 4] == b"\x22" * 4 and after[6 * 512:] == data[6 * 512:]
    ok("volume", "rm", "s", "kept")
    assert store.references() == [] and "snapshot" not in "".join(names())


# --- damage ---

def test_a_flipped_bit_in_a_pack(made):
    folder, refused = None, set()
    dry("first")
    folder, = unpacked()
    right = {name: data for name, (_, data) in tree(f"s/unpacked/{folder}").items() if name in ("memory", "state")}
    for pack in sorted(pathlib.Path("s/packs").iterdir()):
        whole = pack.read_bytes()
        for at in range(17, len(whole), 397):
            pack.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1:])
            shutil.rmtree("s/unpacked")
            said = dry("first", status=None)
            if said.startswith("volt-vmm: "):  # that byte is of something that is needed
                found = re.search(r"snapshot/first/(memory|state): (?:tree [0-9a-f]{16}: )?chunk [0-9a-f]{16}", said)
                assert found and unpacked() == [], said
                refused.add(found[1])
            else:
                files = tree(f"s/unpacked/{folder}")
                assert all(files[name][1] == data for name, data in right.items()), (pack, at)
        pack.write_bytes(whole)
    assert refused == {"memory", "state"}


# --- ended by force, or refused, at each call that changes something ---

def points(run):
    """(call, n): the first ones and the last ones of each kind, of a run that succeeds."""
    run(["strace", "-f", "-qq", "-o", "trace", "-e", f"trace={','.join(CALLS)}"])
    counts = {}
    for line in pathlib.Path("trace").read_text().splitlines():
        if (found := re.match(r"\d+ +(\w+)\(", line)) and "O_RDONLY" not in line:
            counts[found[1]] = counts.get(found[1], 0) + 1
    return [(call, n) for call, count in counts.items() for n in range(1, count + 1) if n <= 2 or n > count - 2]


def inject(call, what, n):
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:{what}:when={n}"]


def test_create_ended_by_force_or_refused(made):
    with start() as vm:
        vm.stop()
        tried = points(lambda prefix: create("probe", prefix=prefix))
        assert len(tried) > 20
        command("rm", *STORE, "probe")
        for what in ("signal=KILL", "error=ENOSPC"):
            for call, n in tried:
                said = command("create", "--api", "api", *STORE, "--dir", "snaps", "new", prefix=inject(call, what, n), status=None)
                there = [name for name in names() if name.startswith("snapshot/new/")]
                assert there in ([], ["snapshot/new/memory", "snapshot/new/state"]), (call, n, said)
                if there:
                    command("rm", *STORE, "new")
        create("last")
        assert os.listdir("snaps") == []  # what was left is recognised
        vm.check()
    ok("gc", "s")
    verify()
    with restore("first", *STORE) as one, restore("last", *STORE) as two:
        one.check()
        two.ask(b"c", rb"whole ")


def test_restore_ended_by_force_or_refused(made):
    tried = points(lambda prefix: dry("first", prefix=prefix))
    shutil.rmtree("s/unpacked")
    assert len(tried) > 8
    for what in ("signal=KILL", "error=ENOSPC"):
        for call, n in tried:
            said = dry("first", prefix=inject(call, what, n), status=None)
            dry("first")
            assert len(unpacked()) == 1, (call, what, n, said)
            ok("gc", "s")
            assert unpacked() == [], (call, what, n, said)
    verify()
