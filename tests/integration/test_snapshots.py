# SPDX-License-Identifier: Apache-2.0
"""Bare guests that are saved while they run, and go on in other processes."""
import os
import pathlib
import shutil
import subprocess

import api
import pytest
import store
import volt
from snapshots import SNAPS, Machine, refuse, refuse_restore, request, restore, save, start, tree

MIB = 1 << 20
GENERATIONS = int(os.environ.get("VOLT_GENERATIONS", "12"))
DISK = os.urandom(64 << 10) + bytes(MIB)


def test_a_machine_goes_on_where_it_was(here):
    with start() as vm:
        before = vm.check()
        made = save("snaps/a")
        assert made["kind"] == "full" and 4 * MIB < made["memory"] < 40 * MIB, made
        after = vm.check()
    for _ in range(2):  # a snapshot is not used up
        with restore("snaps/a") as clone:
            assert before <= clone.check() <= after
            clone.power_off()


def test_the_machine_itself_goes_on(here):
    with start() as vm:
        rounds = []
        for i in range(3):
            save(f"snaps/{i}")
            rounds.append(vm.check())
        assert rounds == sorted(rounds)
        vm.power_off()


def test_many_at_once(here):
    with start() as vm:
        save("snaps/a")
        vm.power_off()
    saved = tree("snaps/a")
    with restore("snaps/a") as one, restore("snaps/a") as two:
        for _ in range(3):
            one.check()
            two.check()
        one.power_off()
        two.check()
        two.power_off()
    assert tree("snaps/a") == saved


def test_pages_are_shared_with_the_file(here):
    """What a clone has not written is the page cache's."""
    with start("--memory", "128M") as vm:
        vm.stop()
        save("snaps/a")
        vm.power_off()
    with restore("snaps/a", *([] if os.geteuid() == 0 else ["--sandbox-skip", "limits"])) as clone:
        clone.ask(b"s", b"stopped\n")
        own = sum(int(line.split()[1]) for line in pathlib.Path(f"/proc/{clone.pid}/smaps").read_text().splitlines()
                  if line.startswith(("Private_Dirty", "Private_Clean")))
    assert own < 2500, own


def test_only_what_changed(here):
    with start("--track-dirty", "on") as vm:
        vm.stop()
        save("snaps/a")
        made = save("snaps/b", base="snaps/a")
        assert made["kind"] == "diff" and made["memory"] < 256 << 10, made
        vm.type(b"g")
        rounds = vm.check()
        made = save("snaps/c", base="snaps/b")
        assert 4096 < made["memory"] < 20 * MIB, made
        after = vm.check()
        message = refuse(400, "snaps/d", base="snaps/a")
        assert "the last snapshot of this machine, which it is not" in message
        vm.power_off()
    with restore("snaps/b") as clone:
        clone.ask(b"s", b"stopped\n")
        clone.check()
    with restore("snaps/c", "--track-dirty", "on", "--snapshot-dir", "snaps", "--api-socket", "api") as clone:
        assert rounds <= clone.check() <= after
        # A difference can follow what it was restored from.
        save("snaps/d", base="snaps/c")
        clone.power_off()
    subprocess.run([volt.BUILD / "bin/volt", "snapshot", "merge", "snaps/d", "snaps/whole"], check=True)
    for name in "abcd":
        if name != "d":
            os.rename(f"snaps/{name}", f"snaps/-{name}")
    assert "its base" in refuse_restore("snaps/d")
    with restore("snaps/whole") as clone:
        assert clone.check() >= rounds
        clone.power_off()


def test_generations(here):
    """Each saved by the one before; whole and by differences."""
    with start("--track-dirty", "on") as vm:
        rounds = vm.check()
        save("snaps/0")
        vm.power_off()
    for i in range(1, GENERATIONS + 1):
        with restore(f"snaps/{i - 1}", "--track-dirty", "on", "--snapshot-dir", "snaps", "--api-socket", "api") as vm:
            now = vm.check()
            assert now >= rounds
            rounds = now
            save(f"snaps/{i}", **({} if i % 3 == 0 else {"base": f"snaps/{i - 1}"}))
            vm.power_off()


def test_what_was_left_goes(here):
    """Of a snapshot whose maker was ended by force."""
    left = here / SNAPS / ".gone.volt-new/disks"
    left.mkdir(parents=True)
    (left / "disk").write_bytes(b"x")
    with start():
        save("snaps/one")
    assert os.listdir(SNAPS) == ["one"]


def test_a_paused_machine_stays_paused(here):
    with start() as vm, api.Client() as client:
        assert client.act("pause")[0] == 200
        save("snaps/a")
        assert client.state() == "paused"
        assert client.act("resume")[0] == 200
        vm.check()
        save("snaps/b", resume=False)
        assert client.state() == "paused"
        assert client.act("resume")[0] == 200
        vm.check()


def test_restored_to_wait(here):
    with start() as vm:
        save("snaps/a")
    with restore("snaps/a", "--paused", "--api-socket", "other") as clone, api.Client("other") as client:
        api.wait_for_socket("other")
        assert client.state() == "paused"
        assert client.act("resume")[0] == 200
        clone.check()
    assert "--paused" in refuse_restore("snaps/a", "--paused")


def test_what_is_refused_while_it_runs(here):
    with start() as vm:
        save("snaps/a")
        assert "there is something of this name" in refuse(400, "snaps/a")
        assert "a folder of --snapshot-dir" in refuse(400, "/tmp/elsewhere")
        assert "ends with a name" in refuse(400, "snaps/..")
        assert "cannot open" in refuse(400, "snaps/missing/b")
        os.symlink("/tmp", "snaps/link")
        assert "leads through a link" in refuse(400, "snaps/link/b")
        assert "--track-dirty" in refuse(400, "snaps/b", base="snaps/a")
        with api.Client() as client:
            for body in ({}, {"path": 1}, {"path": "snaps/b", "more": 1}, {"path": "snaps/b", "resume": "no"}):
                assert client.call("PUT", "/v1/snapshot", body)[0] == 400
            assert client.call("PUT", "/v1/snapshot")[0] == 400
        assert sorted(os.listdir(SNAPS)) == ["a", "link"]
        vm.check()
    with volt.Vm("--cmdline", "!", "--api-socket", "plain") as plain:
        plain.wait_for()
        assert "--snapshot-dir" in request("snaps/x", "plain")[1]["fault_message"]


# --- disks ---

def disks():
    pathlib.Path("rw").write_bytes(DISK)
    pathlib.Path("ro").write_bytes(DISK[::-1])
    return ["--drive", "path=rw,id=rw,engine=sync", "--drive", "path=ro,id=ro,readonly=on"]


def test_disks_belong_to_it(here):
    with start(*disks()) as vm:
        save("snaps/a")
        vm.power_off()
    assert pathlib.Path("snaps/a/disks/rw").read_bytes() == DISK
    assert os.listdir("snaps/a/disks") == ["rw"]
    # The machine's own disk is nobody's any more.
    os.unlink("rw")
    with restore("snaps/a") as one, restore("snaps/a", "--drive", "id=rw,path=new") as two:
        one.check()
        two.check()
        assert pathlib.Path("new").read_bytes() == DISK
    assert "there is a file of this name" in refuse_restore("snaps/a", "--drive", "id=rw,path=new")
    assert "the snapshot has none" in refuse_restore("snaps/a", "--drive", "id=other,path=new2")
    assert "it is read-only, and was not when" in refuse_restore("snaps/a", "--drive", "id=rw,readonly=on")
    os.rename("ro", "elsewhere")
    assert "cannot open" in refuse_restore("snaps/a")
    with restore("snaps/a", "--drive", "id=ro,path=elsewhere") as clone:
        clone.check()
    data = bytearray(DISK[::-1])
    data[12345] ^= 1
    pathlib.Path("ro").write_bytes(data)
    assert "is not what it was" in refuse_restore("snaps/a")
    pathlib.Path("ro").write_bytes(DISK[::-1] + bytes(512))
    assert "bytes, and" in refuse_restore("snaps/a")
    os.rename("elsewhere", "ro")
    # A path that is said is a new file's, even where the disk was called so.
    with restore("snaps/a", "--drive", f"id=rw,path={here.resolve()}/rw") as clone:
        clone.check()
        assert pathlib.Path("rw").read_bytes() == DISK
    with pathlib.Path("snaps/a/disks/rw").open("r+b") as file:
        file.write(b"x")
    assert "is not what it was" in refuse_restore("snaps/a")
    os.unlink("snaps/a/disks/rw")
    assert "cannot open" in refuse_restore("snaps/a")


def test_what_came_with_a_snapshot_verifies_nothing(here):
    """It says of a file of this host's that it is verified: as if whoever wrote that knew what is in it."""
    with start(*disks()) as vm:
        save("snaps/a")
        vm.power_off()
    pathlib.Path("ro").write_bytes(bytes(len(DISK)))
    now = os.stat("ro")
    lines = pathlib.Path("snaps/a/verified").read_text().splitlines()
    lines = [f"{now.st_dev} {now.st_ino} {now.st_size} {now.st_ctime_ns} ro" if line.endswith(" ro") else line for line in lines]
    os.unlink("snaps/a/verified")
    pathlib.Path("snaps/a/verified").write_text("\n".join(lines) + "\n")
    assert "is not what it was" in refuse_restore("snaps/a")


def test_the_second_generation_has_new_files_by_io_uring(here):
    with start(*disks()) as vm:
        save("snaps/a")
        vm.power_off()
    with restore("snaps/a", "--snapshot-dir", "snaps", "--api-socket", "api") as vm:
        vm.check()
        save("snaps/b")
        vm.power_off()
    assert volt.run("--restore", "snaps/b", "--drive", "id=rw,path=new,engine=io_uring", "--dry-run", kernel=None).status == 0


def test_volumes_belong_to_it(here):
    """What was written over an image is copied; the image stays in the store."""
    store.ok("init", "s")
    store.put("image", DISK)
    options = ["--volume", "v,image=image,id=v", "--cas-store", "s"]
    with start(*options) as vm:
        save("snaps/a")
        vm.power_off()
    assert store.content_of_volume("v") == DISK
    os.chdir("snaps")  # paths are no longer those of the first one's folder
    try:
        with restore("a") as one, restore("a", "--drive", "id=v,overlay=kept") as two:
            one.check()
            two.check()
    finally:
        os.chdir("..")
    assert os.path.exists("snaps/kept")
    assert "there is a file of this name" in refuse_restore("snaps/a", "--drive", "id=v,overlay=snaps/kept")
    with restore("snaps/a", "--snapshot-dir", SNAPS, "--api-socket", "api") as clone:
        clone.check()
        save("snaps/b")
        clone.power_off()
    with restore("snaps/b") as clone:
        clone.check()
    with open("snaps/b/disks/v", "r+b") as file:
        file.write(b"x")
    assert "is not what it was" in refuse_restore("snaps/b")


# --- refusals of what is damaged ---

@pytest.fixture
def saved(here):
    with start() as vm:
        volt.wait_until(lambda: vm.check() > 1, "a second round")
        save("snaps/a")
        vm.power_off()
    return pathlib.Path("snaps/a")


def test_settings_that_are_the_snapshots(saved):
    for options in (["--memory", "32M"], ["--cpus", "2"], ["--cmdline", "x"], ["--rootfs", "x"], ["--tap", "x"]):
        assert "it is the snapshot's" in refuse_restore(saved, *options)
    assert "it is the snapshot's" in volt.run("--restore", saved, kernel="hello").err
    assert "the snapshot has none" in refuse_restore(saved, "--net", "id=net0,tap=x")
    assert "expected id=" in refuse_restore(saved, "--drive", "path=x")
    assert "cannot open" in refuse_restore("/proc")
    assert "No such file" in refuse_restore("missing")


def test_memory_that_is_damaged(saved):
    memory = saved / "memory"
    size = memory.stat().st_size
    good = memory.read_bytes()
    for at in (0, 1, 4096 * 3 + 17, size // 2, size - 1):
        with memory.open("r+b") as file:
            file.seek(at)
            file.write(bytes([good[at] ^ 1 << at % 8]))
        assert "memory is not what it was" in refuse_restore(saved)
        with memory.open("r+b") as file:
            file.seek(at)
            file.write(good[at:at + 1])
    with restore(saved) as clone:  # read once more, and found to be whole
        clone.check()
    for cut in (0, 1, size // 2, size - 1, size + 1):
        os.truncate(memory, cut)
        assert "bytes, and" in refuse_restore(saved)
    memory.unlink()
    assert "cannot open" in refuse_restore(saved)


def test_memory_that_is_a_device(saved):
    """One that never ends, in place of a file."""
    (saved / "memory").unlink()
    (saved / "memory").symlink_to("/dev/zero")
    assert "is no regular file" in refuse_restore(saved)


def test_state_that_is_damaged(saved):
    state = saved / "state"
    good = state.read_bytes()
    step = max(1, len(good) * 8 // 150)
    for bit in range(0, len(good) * 8, step):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        state.write_bytes(bad)
        assert "snaps/a/state" in refuse_restore(saved)
    for cut in (0, 1, 7, 8, 40, len(good) // 2, len(good) - 1):
        state.write_bytes(good[:cut])
        assert "snaps/a/state" in refuse_restore(saved)
    state.write_bytes(good)
    with restore(saved) as clone:
        clone.check()


def test_what_was_verified_is_not_read_again(saved):
    """Restoring reads no more of memory than the guest does, until somebody touches the file."""
    def reads(path):
        log = pathlib.Path("strace")
        with restore(path, prefix=["strace", "-f", "-o", log, "-e", "trace=pread64"]) as clone:
            clone.check()
            clone.power_off()
        return len(log.read_text().splitlines())

    few = reads(saved)
    assert few < 10, few
    shutil.copytree(saved, "snaps/copy")
    assert reads("snaps/copy") > few + 10
    assert reads("snaps/copy") < few + 5
    stamp = saved / "verified"
    stamp.chmod(0o666)  # anybody may have written it
    assert reads(saved) > few + 10
    for text in ("", "volt-verified 1\n", stamp.read_text()[:-2]):
        stamp.write_text(text)
        assert reads(saved) > few + 10
        assert reads(saved) < few + 5
