# SPDX-License-Identifier: Apache-2.0
"""Volumes under machines: what a guest reads and writes, what is left when it is killed, and who is refused.

The guest is the bare one that does what words say (tests/guests/do.S)."""
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess

import pytest

import api
import hostile
import store
import strace
import volt
from store import ok
from virtio_driver import (BLK_DISCARD, BLK_FLUSH, BLK_WRITE_ZEROES, DATA, IOERR, OK, RINGS, T_DISCARD, T_FLUSH, T_IN,
                           T_OUT, T_WRITE_ZEROES, VERSION_1, Disk, Program, Queue)
from volt import STATUS_CONFIGURATION, Vm, assert_fault

SECTORS = 4096
FEATURES = VERSION_1 | BLK_FLUSH | BLK_DISCARD | BLK_WRITE_ZEROES
WAITING = ("--cmdline", "!")  # prints "ready", then halts


@pytest.fixture
def image(here):
    """A store "s" with an image "debian"; its bytes."""
    data = store.sectors(1, SECTORS)
    ok("init", "s")
    store.put("debian", data)
    return data


@pytest.fixture
def sanitized(monkeypatch):
    """The monitor as it is built with ASan and UBSan, which end it with a status of their own."""
    monkeypatch.setattr(volt, "VMM", hostile.asan_vmm())
    monkeypatch.setattr(Guest, "options", hostile.UNCONFINED)
    for name, value in hostile.SANITIZERS.items():
        monkeypatch.setenv(name, value)


class Guest:
    """A program for one or more disks, and what its requests were answered."""

    options = []  # of each run

    def __init__(self, disks=1, readonly=()):
        self.program = Program()
        self.disks = [Disk(self.program, i) for i in range(disks)]
        for i, disk in enumerate(self.disks):
            disk.queue = Queue(disk, at=RINGS + 0x4000 * i)
            disk.start_disk(VERSION_1 | BLK_FLUSH if i in readonly else FEATURES)
        self.count = 0

    def ask(self, kind, sector, length=512, disk=0):
        """Returns the answer's label."""
        self.count += 1
        self.disks[disk].ask(f"answer {self.count}", kind, sector, data=[(DATA, length)] if length else [])
        return f"answer {self.count}"

    def read(self, sector, disk=0):
        """The first four bytes of a sector: the label of the number."""
        label = self.ask(T_IN, sector, disk=disk)
        self.program.read(f"data {label}", DATA)
        return f"data {label}"

    def write(self, sector, value, disk=0):
        self.program.write(DATA, value)
        return self.ask(T_OUT, sector, disk=disk)

    def flush(self, disk=0):
        return self.ask(T_FLUSH, 0, 0, disk=disk)

    def range(self, kind, sector, count, disk=0):
        self.program.fill(DATA, sector.to_bytes(8, "little") + count.to_bytes(4, "little") + bytes(4))
        return self.ask(kind, 0, 16, disk=disk)

    def run(self, *options, folder=None):
        result = self.program.run(folder or pathlib.Path.cwd(), "--metrics-path", "metrics", *self.options, *options)
        assert result.status == 0, result
        self.log, self.metrics = result.err, volt.metrics("metrics")
        pathlib.Path("metrics").unlink()
        return self.program.values(result.out)


def first(data, sector):
    return int.from_bytes(data[sector * 512:sector * 512 + 4], "little")


# -- reading and writing

@pytest.mark.parametrize("codec", ["zstd", "lz4", "none"])
@pytest.mark.parametrize("cut", ["page", "fastcdc", "fixed"])
def test_a_guest_reads_the_image(here, cut, codec):
    data = store.sectors(2, SECTORS)
    ok("init", "s", "--cut", cut, "--codec", codec)
    store.put("debian", data)
    guest = Guest()
    labels = {guest.read(sector): sector for sector in random.Random(3).sample(range(SECTORS), 60)}
    values = guest.run("--volume", "v", "--cas-store", "s")
    assert {label: values[label] for label in labels} == {label: first(data, n) for label, n in labels.items()}


@pytest.mark.parametrize("options", [["--volume", "v", "--cas-store", "s"],
                                     ["--drive", "store=s,image=debian,overlay=v"],
                                     ["--drive", "volume=v,iothreads=2,queues=2", "--cas-store", "s"],
                                     ["--drive", "volume=v,chunk-cache=0,cache=unsafe,store=s"]])
def test_what_is_written_stays(image, sanitized, options):
    expected = bytearray(image)
    for boot in range(3):
        guest, source = Guest(), random.Random(boot)
        for _ in range(15):
            sector = source.randrange(SECTORS)
            kind = source.randrange(4)
            count = source.randrange(1, 30)
            count = min(count, SECTORS - sector)
            if kind == 0:
                guest.range(T_DISCARD, sector, count)
                expected[sector * 512:(sector + count) * 512] = bytes(count * 512)
            elif kind == 1:
                guest.range(T_WRITE_ZEROES, sector, count)
                expected[sector * 512:(sector + count) * 512] = bytes(count * 512)
            else:
                guest.program.fill(DATA, boot.to_bytes(4, "little") * 128)
                guest.ask(T_OUT, sector)
                expected[sector * 512:(sector + 1) * 512] = boot.to_bytes(4, "little") * 128
        labels = {guest.read(sector): sector for sector in source.sample(range(SECTORS), 10)}
        guest.flush()
        values = guest.run(*options)
        assert {values[f"answer {n + 1}"] for n in range(guest.count)} == {OK}
        assert {label: values[label] for label in labels} == {label: first(expected, n) for label, n in labels.items()}
    assert store.content_of_volume("v") == expected
    assert store.content("debian") == image
    ok("gc", "s")
    store.verify()


def test_two_machines_share_an_image_and_write_apart(image):
    guests = {}
    for value, name in ((0x11111111, "v"), (0x22222222, "w")):
        guest = Guest()
        for sector in range(0, 200, 3):
            guest.write(sector, value)
        guest.flush()
        pathlib.Path(f"{name}.words").write_bytes(guest.program.text("!"))
        guests[name] = Vm("--initrd", f"{name}.words", "--volume", f"{name},image=debian", "--cas-store", "s")
    with guests["v"] as v, guests["w"] as w:
        v.wait_for()
        w.wait_for()
        assert_fault(volt.run("--volume", "v", "--cas-store", "s"), STATUS_CONFIGURATION, "--volume",
                     f"v: in use by process {v.pid} (volt-vmm)")
        assert_fault(volt.run("--volume", "v,readonly=on", "--cas-store", "s"), STATUS_CONFIGURATION, "in use")
        refused = store.run("commit", "s", "v", "new")
        assert refused.status == 2 and "in use" in refused.err
        assert store.as_json("volume", "info", "s", "v")["in_use"]
    for value, name in ((0x11111111, "v"), (0x22222222, "w")):
        found = store.content_of_volume(name)
        for sector in range(300):
            written = sector < 200 and sector % 3 == 0
            assert first(found, sector) == (value if written else first(image, sector))


def test_commit_and_boot_again(image):
    guest = Guest()
    guest.write(5, 0xABCDEF01)
    guest.flush()
    guest.run("--volume", "v", "--cas-store", "s")
    made = store.as_json("commit", "s", "v", "debian/2")
    assert made["chunks_new"] <= 3 and made["raw_new"] < 200_000
    again = store.put("imported", store.content("debian/2"))
    assert again["id"] == made["id"] and again["stored_new"] == 0
    guest = Guest(2, readonly=[1])
    new, old = guest.read(5), guest.read(5, disk=1)
    values = guest.run("--volume", "w,image=debian/2", "--drive", "image=debian,overlay=none", "--cas-store", "s")
    assert values[new] == 0xABCDEF01 and values[old] == first(image, 5)


def test_nothing_is_written(image):
    """By overlay=none and readonly=on; and overlay=discard forgets."""
    ok("volume", "create", "s", "v")
    before = pathlib.Path("v/overlay").read_bytes()
    guest = Guest(3, readonly=[0, 1])
    answers = [guest.write(5, 1, disk=0), guest.write(5, 1, disk=1), guest.write(5, 7, disk=2)]
    again = guest.read(5, disk=2)
    values = guest.run("--drive", "image=debian,overlay=none", "--drive", "volume=v,readonly=on",
                       "--drive", "image=debian,overlay=discard", "--cas-store", "s")
    assert [values[label] for label in answers] == [IOERR, IOERR, OK] and values[again] == 7
    assert pathlib.Path("v/overlay").read_bytes() == before
    assert sorted(p.name for p in pathlib.Path().iterdir()) == ["s", "v", "words"]


def test_reading_ahead_and_the_cache(image, sanitized):
    """A guest that reads on and on gets what is there, whatever the size of the cache."""
    for cache in ("0", "64K", "16M"):
        guest = Guest()
        labels = {}
        for sector in range(0, 1024, 64):
            label = guest.ask(T_IN, sector, 64 * 512)
            guest.program.read(f"data {label}", DATA + 63 * 512)
            labels[f"data {label}"] = sector + 63
        values = guest.run("--drive", f"volume=v,chunk-cache={cache}", "--cas-store", "s")
        assert {label: values[label] for label in labels} == {label: first(image, n) for label, n in labels.items()}


# -- the end of things

def test_killed_under_load(image):
    """Every write that a flush followed is there; the volume opens."""
    for round in range(4):
        guest, value = Guest(), 0x5A000000 + round
        for n in range(400):
            guest.write((round * 7 + n * 5) % SECTORS, value + (n << 8))
            guest.flush()
        pathlib.Path("words").write_bytes(guest.program.text("!"))
        with Vm("--initrd", "words", "--volume", "v", "--cas-store", "s") as vm:
            while vm.seen.count(b"\n") < 40 + 90 * round:
                part = volt.read_some(vm.process.stdout.fileno())
                assert part, vm.seen
                vm.seen += part
            vm.send(signal.SIGKILL)
            vm.process.wait()
            vm.seen += vm.process.stdout.read()
        answers = vm.seen.split(b"\n")[:-1]
        assert set(answers) == {b"00000000"}
        found = store.content_of_volume("v")
        for n in range(len(answers) // 2):
            sector = (round * 7 + n * 5) % SECTORS
            assert first(found, sector) == value + (n << 8), (round, n)


def changes(round):
    """A guest that writes, discards and flushes, one after the other; and (what, sector) of each."""
    guest, done = Guest(), []
    for n in range(6):
        sector = 40 * n + round
        guest.write(sector, 0x77000000 + round)
        done.append(("write", sector))
        if n % 3 == 2:
            guest.range(T_DISCARD, sector - 36, 24)
            done.append(("discard", sector - 36))
        guest.flush()
        done.append(("flush", None))
    return guest, done


def check_flushed(found, done, answered, value):
    """What the last flush that was answered covers is there."""
    last = max((n for n in range(answered) if done[n][0] == "flush"), default=0)
    for what, sector in done[:last]:
        if what == "write":
            assert first(found, sector) == value
        elif what == "discard":
            assert not any(found[sector * 512:(sector + 24) * 512])


@pytest.mark.parametrize("call", ["pwritev2", "fdatasync", "fallocate"])
def test_killed_at_the_calls_that_change_an_overlay(image, call):
    """Of each of its threads."""
    for when in range(1, 4):
        guest, done = changes(when)
        pathlib.Path("words").write_bytes(guest.program.text(volt.POWEROFF))
        result = volt.run("--initrd", "words", "--volume", f"v{when}", "--cas-store", "s", kernel="do",
                          prefix=["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={when}"])
        answers = result.out.split(b"\n")[:-1]  # the last line may be cut short
        assert set(answers) <= {b"00000000"}, answers
        check_flushed(store.content_of_volume(f"v{when}"), done, answers.count(b"00000000"), 0x77000000 + when)
    store.verify()


@pytest.mark.parametrize("call, error", [("pwritev2", "ENOSPC"), ("pwritev2", "EIO"), ("fdatasync", "EIO")])
def test_errors_of_the_host_are_the_guests(image, call, error):
    """Its writes or flushes fail, and a line says so; it goes on reading, and ends as always."""
    guest, done = changes(1)
    label = guest.read(3)
    pathlib.Path("words").write_bytes(guest.program.text(volt.POWEROFF))
    ok("volume", "create", "s", "v")
    # What strace makes of a call that it lets fail no filter has.
    result = volt.run("--initrd", "words", "--volume", "v", "--cas-store", "s", "--sandbox", "off", kernel="do",
                      prefix=["strace", "-f", "-o", "/dev/null", "-e", f"inject={call}:error={error}:when=2+"])
    assert result.status == 0, result
    values = guest.program.values(result.out)
    answers = [values[f"answer {n + 1}"] for n in range(len(done))]
    assert IOERR in answers and values[label] == first(image, 3)
    assert "disk volume0: " in result.err and ("No space left" if error == "ENOSPC" else "Input/output error") in result.err
    if call == "fdatasync":  # what the kernel lost is not known: no flush succeeds after one that failed
        flushes = [answer for answer, (what, _) in zip(answers, done) if what == "flush"]
        assert flushes[flushes.index(IOERR):].count(OK) == 0
    store.verify()


def test_an_end_without_a_flush_loses_nothing(image):
    guest = Guest()
    guest.write(9, 0x1234)
    guest.run("--volume", "v", "--cas-store", "s")
    assert first(store.content_of_volume("v"), 9) == 0x1234


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x10]))


@pytest.mark.parametrize("codec", ["zstd", "none"])
def test_a_damaged_chunk_is_an_error_and_a_line(here, sanitized, codec):
    data = store.sectors(4, SECTORS)
    ok("init", "s", "--codec", codec)
    store.put("debian", data)
    pack = store.packs()[-1]
    flip(pack, pack.stat().st_size // 2)
    guest = Guest()
    labels = {guest.read(sector): sector for sector in range(0, SECTORS, 8)}
    values = guest.run("--volume", "v", "--cas-store", "s")
    bad = [n for label, n in labels.items() if values[label.removeprefix("data ")] == IOERR]
    assert 1 <= len(bad) <= 512
    for label, n in labels.items():
        if n not in bad:
            assert values[label] == first(data, n)
    lines = [line for line in guest.log.splitlines() if "image debian: the chunk " in line]
    assert lines and "it is damaged" in lines[0] and "disk volume0" in lines[0]
    assert guest.metrics["disks"]["volume0"]["errors"] == len(bad)


def test_garbage_collection_spares_a_machine_that_runs(image):
    """Its image has no name any more, and what it has open is not even moved."""
    guest = Guest()
    pathlib.Path("words").write_bytes(guest.program.text("!"))
    with Vm("--initrd", "words", "--drive", "image=debian,overlay=discard,store=s") as vm:
        vm.wait_for()
        before = [p.name for p in store.packs()]
        ok("rm", "s", "debian")
        collected = store.as_json("gc", "s")
        assert collected["packs_removed"] == collected["packs_rewritten"] == 0
        assert [p.name for p in store.packs()] == before
        vm.send(signal.SIGKILL)
        vm.process.wait()
    assert store.as_json("gc", "s")["packs_removed"] > 0
    assert store.packs() == []


def test_nothing_is_opened_once_the_guest_runs(image):
    """Nor is a thread made: the sandbox allows neither."""
    guest = Guest()
    for sector in range(0, 600, 30):
        guest.read(sector)
        guest.write(sector, 1)
    guest.flush()
    pathlib.Path("words").write_bytes(guest.program.text(volt.POWEROFF))
    result, calls = strace.trace(pathlib.Path.cwd(), "ioctl,open,openat,openat2,clone,clone3,unlink,unlinkat,linkat,rename,renameat2",
                                 "--initrd", "words", "--volume", "v", "--cas-store", "s", kernel="do")
    assert result.status == 0, result
    runs = [n for n, call in enumerate(calls) if call.name == "ioctl" and call.request == "KVM_RUN"]
    assert len(runs) > 20
    after = [call for call in calls[runs[0]:runs[-1]] if call.name != "ioctl"]
    assert after == []


# -- mistakes

def make_mistakes():
    """What the cases below name."""
    ok("volume", "create", "s", "v", "--image", "debian")
    for name in ("cut", "damaged", "foreign", "map"):
        subprocess.run(["cp", "-a", "v", name], check=True)
    os.truncate("cut/overlay", 10000)
    flip("damaged/overlay", 50)
    ok("init", "t")
    store.put("debian", store.content("debian"), store="t")
    pathlib.Path("file").write_bytes(bytes(4096))
    pathlib.Path("empty").mkdir()
    pathlib.Path("full").mkdir()
    pathlib.Path("full/file").touch()
    os.mkfifo("fifo")
    store.put("other", bytes(4096) + b"x" * 4096)
    store.put("nothing", b"")


@pytest.mark.parametrize("options, words", [
    (["--volume", "v"], ["--volume v", "expected --cas-store STORE"]),
    (["--volume", "v", "--cas-store", "none"], ["none: there is no such store"]),
    (["--volume", "v", "--cas-store", "empty"], ["empty: it is not a store"]),
    (["--volume", "v", "--cas-store", "file"], ["file: open: Not a directory"]),
    (["--volume", "new,image=none", "--cas-store", "s"], ["none: there is no such image"]),
    (["--volume", "new", "--cas-store", "s"], ["the store has 3 images, none of them called new"]),
    (["--volume", "new,image=nothing", "--cas-store", "s"], ["image nothing is empty"]),
    (["--volume", "no/new,image=debian", "--cas-store", "s"], ["no/new", "No such file or directory"]),
    (["--volume", "full,image=debian", "--cas-store", "s"], ["full: it has other files in it: file"]),
    (["--volume", "v,image=other", "--cas-store", "s"], ["v: it is of another image than other"]),
    (["--volume", "v", "--cas-store", "t"], ["v: it belongs to another store"]),
    (["--volume", "cut", "--cas-store", "s"], ["cut: it is cut short"]),
    (["--volume", "damaged", "--cas-store", "s"], ["damaged: its first bytes are damaged"]),
    (["--volume", "v,readonly=maybe", "--cas-store", "s"], ["readonly", "expected on or off"]),
    (["--volume", "empty,readonly=on,image=debian", "--cas-store", "s"], ["there is no volume in it"]),
    (["--drive", "image=debian", "--cas-store", "s"], ["overlay: missing"]),
    (["--drive", "image=debian,overlay=file", "--cas-store", "s"], ["file: it does not begin with"]),
    (["--drive", "image=debian,overlay=fifo", "--cas-store", "s"], ["fifo"]),
    (["--drive", "image=other,overlay=v/overlay", "--cas-store", "s"], ["it is of another image than other"]),
    (["--drive", "image=none,overlay=none", "--cas-store", "s"], ["none: there is no such image"]),
    (["--drive", "image=debian,overlay=no/file", "--cas-store", "s"], ["open no: No such file"]),
    (["--drive", "path=file,image=debian", "--cas-store", "s"], ["a file, or something of a store"]),
    (["--drive", "volume=v,overlay=none", "--cas-store", "s"], ["a volume has its own"]),
    (["--drive", "volume=v,engine=io_uring", "--cas-store", "s"], ["only files are served by it"]),
    (["--volume", "new,image=debian", "--drive", "image=debian,overlay=new.img", "--volume", "v,image=none", "--cas-store", "s"],
     ["none: there is no such image"]),
    (["--drive", "id=x"], ["path: missing; expected path=FILE, volume=DIR or image=NAME"]),
])
def test_mistakes_are_one_line(image, options, words):
    make_mistakes()
    before = sorted(str(p) for p in pathlib.Path().rglob("*") if "lease" not in str(p))
    assert_fault(volt.run(*options), STATUS_CONFIGURATION, *words)
    assert sorted(str(p) for p in pathlib.Path().rglob("*") if "lease" not in str(p)) == before


@pytest.mark.parametrize("path, mode", [("v/overlay", 0o400), ("v", 0), ("s", 0), ("s/leases", 0o500), ("s/index/lock.mdb", 0o400),
                                        ("s/packs", 0)])
def test_rights(image, path, mode):
    ok("volume", "create", "s", "v")
    before = os.stat(path).st_mode
    os.chmod(path, mode)
    try:
        result = volt.run("--volume", "v", "--cas-store", "s", prefix=volt.POWERLESS)
    finally:
        os.chmod(path, before)
    assert_fault(result, STATUS_CONFIGURATION, "Permission denied")


@pytest.mark.parametrize("options, kernel, status", [
    (["--dry-run"], "hello", 0),
    (["--drive", "image=debian,overlay=discard", "--dry-run"], "hello", 0),
    (["--drive", "path=missing"], "hello", STATUS_CONFIGURATION),
    ([], pathlib.Path("s/format"), STATUS_CONFIGURATION),
])
def test_a_start_that_ends_early_leaves_a_volume_that_is_there(image, options, kernel, status):
    ok("volume", "create", "s", "v")
    before = store.content_of_volume("v")
    result = volt.run("--volume", "v", "--cas-store", "s", *options, kernel=kernel, prefix=["timeout", "60"])
    assert result.status == status and (status == 0 or len(result.err.splitlines()) == 1), result
    assert store.content_of_volume("v") == before and len(store.references()) == 1


def test_a_dry_run_makes_nothing(image):
    result = volt.run("--volume", "v", "--cas-store", "s", "--dry-run")
    assert result.status == 0 and '"volume": "v"' in result.text, result
    assert not pathlib.Path("v").exists() and store.references() == []
    assert_fault(volt.run("--volume", "v,image=x", "--cas-store", "s", "--dry-run"), STATUS_CONFIGURATION, "no such image")


def test_the_first_volume_is_the_root_disk(image):
    for options, root in ((["--volume", "v", "--volume", "w"], "volume0"), (["--volume", "v", "--rootfs", "r"], "rootfs"),
                          (["--volume", "v", "--drive", "path=r,id=x,root=on"], "x")):
        pathlib.Path("r").write_bytes(bytes(4096))
        result = volt.run(*options, "--cas-store", "s", "--dry-run")
        drives = json.loads(result.text)["drives"]
        assert [drive["id"] for drive in drives if drive["root"]] == [root] == [drives[0]["id"]]
    guest = volt.run("--volume", "v", "--cas-store", "s")
    assert "root=/dev/vda rw init=/sbin/volt-init" in guest.text


def test_by_the_api(image):
    """A disk of a store is configured as any other; its file is not one to be changed."""
    with Vm("--api-socket", "api", kernel=None, stdout=subprocess.PIPE) as vm:
        volt.wait_until(lambda: pathlib.Path("api").exists(), "the socket")
        with api.Client() as client:
            client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!"})
            assert client.call("PUT", "/v1/vm/drives/data", {"image": "debian", "store": "s", "overlay": "v"})[0] == 200
            assert client.act("start")[0] in (200, 204)
            vm.wait_for()
            assert "it is of a store" in client.fault(409, "PATCH", "/v1/vm/drives/data", {"path": "s/format"})
            assert client.call("PATCH", "/v1/vm/drives/data", {"rate": "1M"})[0] == 200
            assert client.get("/v1/vm/config")["drives"][0]["image"] == "debian"
        vm.send(signal.SIGQUIT)
        vm.finish()


# -- killed while a volume is made, looked at, removed or committed

def points_of(words):
    import test_stellarium
    return [(call, n) for call, count in test_stellarium.calls_of(words).items() for n in range(1, count + 1)]


def copy_of(source):
    subprocess.run("rm -rf s v && cp -a " + f"{source}/. .", shell=True, check=True)


def test_of_those_that_make_a_volume_at_once_one_gets_it(image):
    """The others hear of that, and nothing of theirs is left."""
    pathlib.Path("words").write_bytes(Guest().program.text("!"))
    for n in range(4):
        words = ("--initrd", "words", "--drive", f"image=debian,overlay=v{n},store=s")
        with contextlib.ExitStack() as stack:
            vms = [stack.enter_context(Vm(*words)) for _ in range(3)]
            volt.wait_until(lambda: sum(vm.process.poll() is None for vm in vms) <= 1, "the others' end")
            ended = [vm.finish() for vm in vms if vm.process.poll() is not None]
            assert len(ended) == 2
            for result in ended:
                assert_fault(result, STATUS_CONFIGURATION, "in use by process")
        assert [path.name for path in pathlib.Path().glob(f"v{n}*")] == [f"v{n}"]
    assert len(store.references()) == 4


def test_file_systems_without_files_without_a_name(image):
    """And without renames that replace nothing: nothing else is left in the folder, whatever was there."""
    subprocess.run(["strace", "-o", "trace", "-e", "trace=openat", store.STELLARIUM, "volume", "create", "s", "x"], check=True)
    calls = [line for line in pathlib.Path("trace").read_text().splitlines() if line.startswith("openat(")]
    when = next(n for n, line in enumerate(calls, 1) if "O_TMPFILE" in line)
    injected = [f"--inject=openat:error=EOPNOTSUPP:when={when}"]
    for name, more in (("v", []), ("w", ["--inject=renameat2:error=EINVAL"])):
        ok("volume", "create", "s", name, prefix=["strace", "-o", "trace", *injected, *more])
        assert ".new" in pathlib.Path("trace").read_text()
        assert [path.name for path in pathlib.Path(name).iterdir()] == ["overlay"]
        assert store.content_of_volume(name) == image


@pytest.mark.parametrize("what, inject", [("create", "signal=KILL"), ("commit", "signal=KILL"), ("rm", "signal=KILL"),
                                          ("create", "error=ENOSPC"), ("commit", "error=ENOSPC"), ("commit", "error=EIO")])
def test_killed_or_refused_at_any_call_nothing_is_lost(image, what, inject):
    if what != "create":
        guest = Guest()
        for sector in range(3, 700, 50):
            guest.write(sector, sector)
        guest.range(T_DISCARD, 1000, 100)
        guest.flush()
        guest.run("--volume", "v", "--cas-store", "s")
        expected = store.content_of_volume("v")
    words = {"create": ["volume", "create", "s", "v"], "commit": ["commit", "s", "v", "new"],
             "rm": ["volume", "rm", "s", "v"]}[what]
    subprocess.run("mkdir before && cp -a s before/ && (test ! -e v || cp -a v before/)", shell=True, check=True)
    points = points_of(words)
    assert len(points) > 5
    for call, n in points:
        copy_of("before")
        store.run(*words, prefix=["strace", "-o", "/dev/null", "-e", f"inject={call}:{inject}:when={n}"])
        store.verify()
        assert store.content("debian") == image
        if what == "create":
            if not pathlib.Path("v/overlay").exists():
                ok("volume", "create", "s", "v")
            assert volt.run("--volume", "v", "--cas-store", "s").status == 0
            assert len(store.references()) == 1
        if what == "commit":
            assert set(store.names()) <= {"debian", "new"}
            assert "new" not in store.names() or store.content("new") == expected
            assert store.content_of_volume("v") == expected
        if what == "rm" and pathlib.Path("v/overlay").exists():
            ok("volume", "rm", "s", "v")
            assert store.references() == []
    print(f"{what}: {len(points)} points, {inject}: nothing lost")
