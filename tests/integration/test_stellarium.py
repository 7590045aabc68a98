# SPDX-License-Identifier: Apache-2.0
"""The store from the outside: no root, no KVM."""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading

import pytest

import volt
from stellar import PAGE, STELLARIUM, as_json, check_after, content, copy_of, crash_scenario, make, names, ok, put, run, verify


@pytest.fixture
def store(here):
    ok("init", "s")
    return here


# -- round trips

@pytest.mark.parametrize("codec", ["zstd", "zstd:9", "lz4", "none"])
@pytest.mark.parametrize("cut", ["page", "fastcdc", "fixed"])
def test_what_goes_in_comes_out(store, cut, codec):
    data = make(1, 9_000_001)
    pathlib.Path("in").write_bytes(data)
    made = as_json("import", "s", "a", "in", "--cut", cut, "--codec", codec)
    assert made["size"] == len(data) and made["chunks"] >= made["chunks_new"] > 0
    assert (made["stored_new"] < made["raw_new"]) == (codec != "none")
    ok("export", "s", "a", "out")
    assert pathlib.Path("out").read_bytes() == data == content("a")
    again = as_json("import", "s", "b", "in", "--cut", cut, "--codec", codec)
    assert again["id"] == made["id"] and again["chunks_new"] == again["stored_new"] == 0
    info = as_json("info", "s", "a")
    assert info["cut"]["method"] == cut and info["size"] == len(data)
    verify()


@pytest.mark.parametrize("size", [0, 1, PAGE - 1, PAGE, PAGE + 1])
@pytest.mark.parametrize("byte", [b"\0", b"x"])
@pytest.mark.parametrize("cut", ["page", "fastcdc", "fixed"])
def test_small_images(store, size, byte, cut):
    put("a", byte * size, "--cut", cut)
    ok("export", "s", "a", "out")
    assert pathlib.Path("out").read_bytes() == byte * size == content("a")
    verify()


def test_sparse_in_sparse_out(store):
    """A terabyte of nothing, and little else, takes no time and no room."""
    with open("in", "wb") as file:
        for at in (5, 300 << 30, (1 << 40) - 3):
            file.seek(at)
            file.write(b"abc")
    made = as_json("import", "s", "a", "in")
    assert made["size"] == 1 << 40 and made["chunks"] == 3
    ok("export", "s", "a", "out")
    assert os.stat("out").st_size == 1 << 40 and os.stat("out").st_blocks <= 24
    with open("out", "rb") as file:
        for at in (5, 300 << 30, (1 << 40) - 3):
            file.seek(at)
            assert file.read(3) == b"abc"
    assert sum(p.stat().st_size for p in pathlib.Path("s/packs").iterdir()) < 64 << 10


@pytest.mark.parametrize("cut", ["page", "fastcdc", "fixed"])
def test_holes_and_zeros_are_the_same(store, cut):
    data = make(2, 6 << 20) + bytes(5 << 20) + make(3, 1_000_000) + bytes(10_000)
    with open("holes", "wb") as file:
        for at in range(0, len(data), PAGE):
            page = data[at:at + PAGE]
            if page.strip(b"\0"):
                file.seek(at)
                file.write(page)
        file.truncate(len(data))
    assert os.stat("holes").st_blocks * 512 < len(data) - (4 << 20)
    ids = {put("dense", data, "--cut", cut)["id"], as_json("import", "s", "h", "holes", "--cut", cut)["id"],
           json.loads(ok("import", "s", "stream", "-", "--cut", cut, "--json", input=data).text)["id"]}
    assert len(ids) == 1


def test_streams_are_imported_and_exported(store):
    data = make(4, 3_000_000)
    ok("import", "s", "a", "-", input=data)
    assert content("a") == data
    os.mkfifo("fifo")
    got = []
    reader = threading.Thread(target=lambda: got.append(pathlib.Path("fifo").read_bytes()))
    reader.start()
    ok("export", "s", "a", "fifo")
    reader.join()
    assert got == [data]


def test_what_moved_is_not_stored_again(store):
    data = random.Random(5).randbytes(8 << 20)
    put("a", data)
    moved = put("b", b"y" * PAGE + data[:4 << 20] + b"x" * (3 * PAGE) + data[4 << 20:])
    assert moved["raw_new"] < 300_000
    put("c", data, "--cut", "fastcdc")
    moved = put("d", data[:1000] + b"!" + data[1000:], "--cut", "fastcdc")
    assert moved["raw_new"] < 600_000


# -- names

def test_clones_are_names(store):
    put("a", make(6, 2 << 20))
    before = sum(p.stat().st_size for p in pathlib.Path("s").rglob("*") if p.is_file())
    ok("clone", "s", "a", "b")
    ok("clone", "s", "a", "c/", "--count", "1000")
    after = sum(p.stat().st_size for p in pathlib.Path("s").rglob("*") if p.is_file())
    assert len(names()) == 1002 and (after - before) / 1001 < 4096
    assert content("c/999") == content("a")
    stat = as_json("stat", "s")
    assert stat["names"] == 1002 and stat["images"] == 1
    refused = run("clone", "s", "a", "c/", "--count", "1001")  # c/0 is there: none of them is made
    assert refused.status == 1 and "c/0: there is such an image already" in refused.err
    assert len(names()) == 1002
    ok("rm", "s", "a", *[f"c/{i}" for i in range(1000)])
    assert names() == ["b"]
    verify()


def test_a_name_is_taken_once(store):
    first = put("a", b"1" * 5000)
    again = run("import", "s", "a", "a.in")
    assert again.status == 1 and "a: there is such an image already" in again.err
    assert put("a", b"2" * 5000, "--replace")["id"] != first["id"]
    assert content("a") == b"2" * 5000
    gone = run("rm", "s", "a", "none")
    assert gone.status == 2 and "none: there is no such image" in gone.err
    assert names() == ["a"]


@pytest.mark.parametrize("name", ["", "-a", "/a", ".a", "a b", "a\n", "ä", "n" * 201])
def test_bad_names_are_refused(store, name):
    put("good", b"x")
    refused = run("clone", "s", "--", "good", name)
    assert refused.status == 2 and ("a name" in refused.err), refused


def test_many_changes_keep_the_log_small(store):
    put("a", b"x")
    for i in range(6):
        ok("clone", "s", "a", "b", "--count", "2000")
        ok("rm", "s", *[f"b{n}" for n in range(2000)])
    assert names() == ["a"] and pathlib.Path("s/names").stat().st_size < 1 << 20
    verify()


# -- wrong use

@pytest.mark.parametrize("words, status, message", [
    (["ls", "none"], 2, "there is no such store; stellarium init makes one"),
    (["ls", "."], 2, "it is not a store"),
    (["init", "s"], 2, "it is a store already"),
    (["init", "."], 2, "it has other files in it"),
    (["init", "n", "--cut", "rope"], 2, "expected page, fastcdc or fixed"),
    (["init", "n", "--codec", "zstd:99"], 2, "zstd's levels are 1 to 19"),
    (["init", "n", "--codec", "gzip"], 2, "expected zstd, zstd:LEVEL, lz4 or none"),
    (["init", "n", "--chunk-size", "5000"], 2, "powers of two"),
    (["import", "s", "a", "missing"], 2, "open missing"),
    (["import", "s", "a", ".", "--raw"], 2, ".: it is a folder"),
    (["import", "s", "a", "file", "--raw", "--tar"], 2, "--raw and --tar exclude each other"),
    (["import", "s", "a", "file", "--tar"], 2, "file: "),
    (["import", "s", "a", "file", "--size", "1G"], 2, "are for a folder or a tar"),
    (["import", "s", "a", ".", "--size", "12Q"], 2, "expected a size such as 512M or 2G"),
    (["import", "s", "a", ".", "--owner", "me"], 2, "expected root, or numbers"),
    (["import", "s", "a", ".", "--size", "64K"], 2, "at least"),
    (["import", "s", "a b", "."], 2, "a name has letters"),
    (["export", "s", "none", "x"], 2, "none: there is no such image"),
    (["info", "s", "none"], 2, "none: there is no such image"),
    (["clone", "s", "none", "x"], 2, "none: there is no such image"),
    (["clone", "s", "none", "x", "--count", "0"], 2, "expected 1 to 1000000"),
])
def test_mistakes_are_one_line(store, words, status, message):
    pathlib.Path("file").touch()
    result = run(*words)
    assert result.status == status and message in result.err and len(result.lines) == 1, result
    verify()


# -- damage

def image_touched(found):
    return {damage["image"] for damage in found["damages"]} - {None}


def flip(path, at, bit=0):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))


def the_pack():
    return next(pathlib.Path("s/packs").iterdir())


@pytest.mark.parametrize("codec", ["zstd", "lz4", "none"])
def test_every_flipped_bit_in_a_pack_is_found(store, codec):
    data = make(7, 200_000)
    put("a", data, "--codec", codec)
    ok("clone", "s", "a", "twin")
    put("other", b"other" * 10)
    pack = max(pathlib.Path("s/packs").iterdir(), key=lambda p: p.stat().st_size)
    source = random.Random(8)
    size = pack.stat().st_size
    for at in sorted({0, 9, 40, 100, PAGE - 1, PAGE, PAGE + 30, PAGE + 70, size - 1, *source.choices(range(size), k=60)}):
        bit = source.randrange(8)
        flip(pack, at, bit)
        found = run("verify", "s", "--json")
        assert found.status == 1 and json.loads(found.text)["damages"], (at, bit)
        assert image_touched(json.loads(found.text)) in [set(), {"a", "twin"}], (at, bit)
        export = run("export", "s", "a", "-")  # the index may lead past what is damaged
        assert export.out == data if export.status == 0 else (export.status == 1 and len(export.lines) == 1), (at, bit)
        flip(pack, at, bit)
    verify()


def test_truncated_missing_and_foreign_packs_are_found(store):
    put("a", make(9, 500_000))
    pack = the_pack()
    whole = pack.read_bytes()
    for size in (0, 100, PAGE, PAGE + 100, len(whole) // 2, len(whole) - 1):
        pack.write_bytes(whole[:size])
        found = run("verify", "s", "--json")
        assert found.status == 1 and image_touched(json.loads(found.text)) == {"a"}, size
    pack.unlink()
    found = run("verify", "s")
    assert found.status == 1 and "image a: " in found.text and "missing" in found.text
    ok("init", "t")
    put("a", make(9, 500_000), store="t")
    foreign = next(pathlib.Path("t/packs").iterdir()).read_bytes()
    pack.write_bytes(foreign)
    found = run("verify", "s")
    assert found.status == 1 and "it belongs to another store" in found.text
    pack.write_bytes(whole)
    verify()


def test_every_flipped_bit_in_names_and_format_is_found(store):
    for i in range(3):
        put(f"a{i}", b"%d" % i)
    for file in ("names", "format"):
        path = pathlib.Path("s") / file
        for at in range(0, path.stat().st_size, 1 if file == "format" else 13):
            flip(path, at, at % 8)
            assert run("verify", "s").status == 1, (file, at)
            flip(path, at, at % 8)
    verify()


def test_a_damaged_mark_loses_no_name_and_is_healed(store):
    for i in range(3):
        put(f"a{i}", b"%d" % i)
    for at in (512, 1024):
        flip("s/names", at)
        assert names() == ["a0", "a1", "a2"]
        flip("s/names", at)
    flip("s/names", 512)
    ok("clone", "s", "a0", "b")
    assert names() == ["a0", "a1", "a2", "b"]
    verify()


def test_the_index_is_written_anew_from_the_packs(store):
    data = make(10, 2_000_000)
    put("a", data)
    put("gone", make(11, 300_000))
    ok("rm", "s", "gone")
    for damage in (lambda path: path.unlink(), lambda path: path.write_bytes(b""),
                   lambda path: path.write_bytes(os.urandom(100_000))):
        damage(pathlib.Path("s/index/data.mdb"))
        ok("verify", "s", "--repair-index")
        assert content("a") == data
        assert sorted(p.name for p in pathlib.Path("s").iterdir()) == \
            ["format", "gc", "index", "leases", "names", "packs"]
    ok("gc", "s")
    verify()


def test_a_damaged_index_is_told_of_and_nothing_worse(store):
    """Whatever is flipped in it or cut off: no crash, no wrong data, one line that says what helps."""
    data, more = make(18, 2_500_000), make(19, 400_000)
    put("a", data)
    put("gone", make(11, 600_000))
    ok("rm", "s", "gone")
    subprocess.run(["cp", "-a", "s", "before"], check=True)
    pathlib.Path("more").write_bytes(more)
    index, source, told = pathlib.Path("s/index/data.mdb"), random.Random(18), 0
    whole = index.read_bytes()
    heads = [page + at for page in range(0, len(whole), PAGE) for at in (10, 12, 14, 17, 25, 48)]
    places = heads + source.sample(range(len(whole)), 12)
    for at in places:
        copy_of("before")
        flip(index, at, source.randrange(8))
        for words in (["export", "s", "a", "-"], ["import", "s", "b", "more"], ["gc", "s"], ["verify", "s"]):
            done = run(*words)
            assert done.status in (0, 1), (at, done)
            if done.status == 1 and words[0] != "verify":
                told += 1
                assert len(done.lines) == 1 and "--repair-index" in done.err, (at, done)
            if done.status == 0 and words[0] == "export":
                assert done.out == data, at
        ok("verify", "s", "--repair-index")
        assert content("a") == data and (names() == ["a"] or content("b") == more), at
    assert told > 10
    for size in (0, 100, PAGE, 2 * PAGE, 3 * PAGE, len(whole) - PAGE):
        copy_of("before")
        os.truncate(index, size)
        for words in (["export", "s", "a", "-"], ["import", "s", "b", "more"], ["verify", "s"]):
            done = run(*words)
            assert done.status == 1 and "--repair-index" in done.err, (size, done)
        ok("verify", "s", "--repair-index")
        assert content("a") == data


def test_what_is_damaged_is_healed_by_importing_it_again(store):
    data = make(12, 2_000_000)
    put("a", data)
    flip(the_pack(), 3 * the_pack().stat().st_size // 4)
    assert run("export", "s", "a", "-").status == 1
    assert run("verify", "s", "--repair-index").status == 1
    put("again", data)
    assert content("a") == data
    verify()


@pytest.mark.parametrize("damage", [pathlib.Path.unlink, lambda pack: pack.write_bytes(bytes(PAGE))])
def test_what_is_missing_is_healed_by_importing_it_again(store, damage):
    data = make(17, 2_000_000)
    put("a", data)
    damage(the_pack())
    assert run("export", "s", "a", "-").status == 1
    put("again", data)
    assert content("a") == data
    verify()


# -- garbage

def test_gc_removes_garbage_and_nothing_else(store):
    parts = [random.Random(i).randbytes(1 << 20) for i in range(4)]
    put("all", b"".join(parts))
    put("some", parts[1])
    ok("rm", "s", "all")
    assert as_json("gc", "s")["freed"] > 2 << 20
    assert content("some") == parts[1]
    assert as_json("stat", "s")["on_disk"] < (1 << 20) + 200_000
    assert as_json("gc", "s") == {"packs_removed": 0, "packs_rewritten": 0, "packs_in_use": 0, "freed": 0}
    ok("rm", "s", "some")
    ok("gc", "s")
    assert list(pathlib.Path("s/packs").iterdir()) == []
    verify()


def test_gc_removes_nothing_that_damage_hides(store):
    """A pack that cannot be walked stays as long as an image needs what is in it; then its entries go, all of them."""
    parts = [random.Random(i).randbytes(5 << 20) for i in range(3)]
    put("all", b"".join(parts))
    put("some", parts[2])
    ok("rm", "s", "all")
    pack = max(pathlib.Path("s/packs").iterdir(), key=lambda p: p.stat().st_size)
    flip(pack, pack.read_bytes().rindex(b"STELSEG1"))
    assert as_json("gc", "s")["packs_removed"] == 0
    assert content("some") == parts[2]
    ok("rm", "s", "some")
    ok("gc", "s")
    assert list(pathlib.Path("s/packs").iterdir()) == []
    put("all", b"".join(parts))
    assert content("all") == b"".join(parts)
    verify()


@pytest.mark.parametrize("size", [0, 10, PAGE, 3 * PAGE])
def test_gc_removes_what_a_crash_left_of_a_pack(store, size):
    put("a", b"x")
    pathlib.Path("s/packs/0123456789abcdef.pack").write_bytes(bytes(size))
    verify()
    assert as_json("gc", "s")["packs_removed"] == 1
    assert content("a") == b"x"
    verify()


def test_small_packs_become_one(store):
    for i in range(20):
        put(f"a{i}", random.Random(i).randbytes(10_000))
    ok("gc", "s")
    assert len(list(pathlib.Path("s/packs").iterdir())) == 1
    for i in range(20):
        assert content(f"a{i}") == random.Random(i).randbytes(10_000)
    verify()


def test_what_is_read_is_not_garbage(store):
    """An export that has begun ends, though its image is removed and garbage collected."""
    data = random.Random(13).randbytes(12 << 20)
    put("a", data)
    reader = subprocess.Popen([STELLARIUM, "export", "s", "a", "-"], stdout=subprocess.PIPE)
    start = reader.stdout.read(1000)
    ok("rm", "s", "a")
    assert as_json("gc", "s")["packs_removed"] == 0
    assert start + reader.stdout.read() == data
    reader.stdout.close()
    assert reader.wait(volt.LIMIT_S) == 0
    assert as_json("gc", "s")["packs_removed"] == 1


def test_what_is_imported_is_not_garbage(store):
    """An import that has found a chunk to be there keeps it, though its last image goes meanwhile."""
    data = random.Random(14).randbytes(64 << 20)  # more than an import holds in memory
    put("a", data, "--codec", "none")
    writer = subprocess.Popen([STELLARIUM, "import", "s", "b", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    writer.stdin.write(data)
    writer.stdin.flush()
    # It waits for more: wait until it has pinned the pack.
    volt.wait_until(lambda: any(p.stat().st_size > 64 for p in pathlib.Path("s/leases").iterdir()), "a pin")
    ok("rm", "s", "a")
    assert as_json("gc", "s")["packs_removed"] == 0
    writer.stdin.close()
    assert writer.wait(volt.LIMIT_S) == 0
    assert content("b") == data
    verify()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_leaves_the_store_as_it_was(store, number):
    put("a", make(15, 1_000_000))
    before = sorted(str(p) for p in pathlib.Path("s").rglob("*"))
    writer = subprocess.Popen([STELLARIUM, "import", "s", "b", "-"], stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    source = random.Random(16)
    while len(list(pathlib.Path("s/packs").iterdir())) < 2:
        writer.stdin.write(source.randbytes(1 << 20))
    writer.send_signal(number)
    writer.stdin.close()
    assert writer.wait(volt.LIMIT_S) == -number
    assert sorted(str(p) for p in pathlib.Path("s").rglob("*")) == before
    verify()


# -- many at once

def test_many_processes_at_once(store):
    """Writers, readers, clones, removals and garbage collection: what has a name in the end is whole."""
    common = [random.Random(i).randbytes(300_000) for i in range(6)]
    failures, contents, gone, writing = [], {}, set(), [3]

    def expect(done, *allowed):
        if done.status != 0 and not any(text in done.err for text in allowed):
            failures.append(done)
        return done.status == 0

    def writer(number):
        source = random.Random(number)
        for turn in range(60):
            data = b"".join(source.choices(common, k=3)) + source.randbytes(50_000)
            name = f"w{number}-{turn}"
            contents[name] = contents[f"{name}-c0"] = contents[f"{name}-c1"] = data
            expect(run("import", "s", name, "-", input=data))
            expect(run("clone", "s", name, f"{name}-c", "--count", "2"))
            removed = [name, f"{name}-c0"] if turn % 3 else [f"{name}-c1"]
            gone.update(removed)
            expect(run("rm", "s", *removed))
        writing[0] -= 1

    def reader():
        source = random.Random(99)
        while writing[0] and not failures:
            for name in source.sample(sorted(contents), min(len(contents), 2)):
                done = run("export", "s", name, "-")
                if expect(done, "there is no such image") and done.out != contents[name]:
                    failures.append(f"{name} is something else")

    def collector():
        while writing[0] and not failures:
            expect(run("gc", "s"))

    threads = [threading.Thread(target=writer, args=(i,)) for i in range(3)] + \
        [threading.Thread(target=reader), threading.Thread(target=collector)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert sorted(set(contents) - gone) == names() and len(names()) == 240
    ok("gc", "s")
    verify()
    for name in names():
        assert content(name) == contents[name]


# -- killed

CHANGING = ("write", "pwrite64", "pwritev", "fsync", "fdatasync", "msync", "rename", "renameat", "renameat2", "unlink",
            "unlinkat", "linkat", "ftruncate", "openat", "mkdir", "mkdirat")


def calls_of(words):
    """How often a command makes each of the calls, in its main thread, which is the only one to make them."""
    counts = {}
    log = pathlib.Path("trace")
    ok(*words, prefix=["strace", "-o", log, "-e", f"trace={','.join(CHANGING)}"])
    for line in log.read_text().splitlines():
        found = re.match(r"(\w+)\(", line)
        if found:
            counts[found.group(1)] = counts.get(found.group(1), 0) + 1
    return counts


@pytest.mark.parametrize("inject", ["signal=KILL", "error=EIO", "error=ENOSPC"])
@pytest.mark.parametrize("what", ["import", "clone", "rm", "gc"])
def test_killed_or_refused_at_any_call_nothing_is_lost(store, what, inject):
    words, old, new = crash_scenario(what)
    subprocess.run(["cp", "-a", "s", "before"], check=True)
    points = [(call, n) for call, count in calls_of(words).items() for n in range(1, count + 1)]
    assert len(points) > 5
    for call, n in points:
        copy_of("before")
        run(*words, prefix=["strace", "-o", "/dev/null", "-e", f"inject={call}:{inject}:when={n}"])
        check_after(old, new)
    print(f"{what}: {len(points)} points, {inject}: nothing lost")


def test_an_interrupted_init_can_be_repeated(here):
    points = [(call, n) for call, count in calls_of(["init", "s"]).items() for n in range(1, count + 1)]
    for call, n in points:
        subprocess.run(["rm", "-rf", "s"], check=True)
        run("init", "s", prefix=["strace", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={n}"])
        if run("ls", "s").status != 0:
            ok("init", "s")
        put("a", b"x")
        verify()
