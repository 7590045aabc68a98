# SPDX-License-Identifier: Apache-2.0
"""
A store whose power is cut, at every point of a command's run and in every way that powercut.py knows: nothing is
damaged, no image that there was is lost, and none that was reported as made.
"""
import pathlib
import subprocess

import pytest

import powercut
import stellar
from stellar import STELLARIUM, check_after, content, make, names, ok, put, run, verify


@pytest.fixture
def store(here):
    ok("init", "s")
    return here


def cut(disk, what, check):
    """Call check(point) for each cut, in a folder as the cut leaves it."""
    for point in disk.cut("after"):
        try:
            check(point)
        except AssertionError as fault:
            raise AssertionError(f"{what}: power cut {point.call}, {point.state}") from fault
    print(f"{what}: {disk.points} cut points, {disk.states} different stores: 0 damaged, 0 lost")
    assert disk.points > 20


@pytest.fixture
def disk(store, monkeypatch, tmp_path):
    """Called when the store is prepared: what is recorded happens there, what is checked in "after"."""
    def start():
        monkeypatch.chdir(tmp_path)
        return powercut.Disk(tmp_path / "here")
    return start


@pytest.fixture
def after(tmp_path, monkeypatch):
    def enter(function):
        def check(point):
            with monkeypatch.context() as within:
                within.chdir(tmp_path / "after")
                function(point)
        return check
    return enter


@pytest.mark.parametrize("what", ["import", "clone", "rm", "gc"])
def test_nothing_is_lost(disk, after, what):
    words, old, new = stellar.crash_scenario(what)
    place = disk()
    assert place.record(STELLARIUM, *words).returncode == 0
    gone = {"a"} if what == "rm" else set()

    @after
    def check(point):
        reported = point.ended == 1 or (what == "import" and point.said)
        if reported:
            assert set(names()) == (set(old) | set(new)) - gone
        check_after(old, new)
        if not reported:
            run(*words)  # whatever is left: it can be done again
            assert set(new) <= set(names()) and not gone & set(names())
            verify()

    cut(place, what, check)


def test_a_new_store(disk, after, here):
    """Made, filled, and a name given, with no moment of rest."""
    subprocess.run(["rm", "-r", "s"], check=True)
    data = make(30, 200_000)
    pathlib.Path("in").write_bytes(data)
    place = disk()
    for words in (["init", "s"], ["import", "s", "a", "in"], ["clone", "s", "a", "b"]):
        assert place.record(STELLARIUM, *words).returncode == 0

    @after
    def check(point):
        if point.ended == 0 and run("ls", "s").status != 0:
            ok("init", "s")
        found = names()
        assert {"a", "b"} >= set(found) >= set(["a", "b"][:max(point.ended - 1, 0)])
        verify()
        for name in found:
            assert content(name) == data
        put("c", data)
        assert content("c") == data

    cut(place, "a new store", check)


@pytest.mark.parametrize("damaged", [False, True])
def test_repair_of_the_index(disk, after, damaged):
    data = {"a": make(31, 400_000), "b": make(32, 300_000)}
    for name in data:
        put(name, data[name])
    if damaged:
        pathlib.Path("s/index/data.mdb").write_bytes(bytes(20_000))
    place = disk()
    assert place.record(STELLARIUM, "verify", "s", "--repair-index").returncode == 0

    @after
    def check(point):
        if point.ended == 0 and damaged:
            ok("verify", "s", "--repair-index")
        check_after(data, {})

    cut(place, f"repair of the index{', a damaged one' * damaged}", check)


def test_names_that_are_written_anew(disk, after):
    """The log of names is replaced as a whole when one of its marks is damaged."""
    put("a", b"a" * 5000)
    put("b", b"b" * 5000)
    with open("s/names", "r+b") as file:
        file.seek(512)
        file.write(b"\1")
    place = disk()
    assert place.record(STELLARIUM, "clone", "s", "a", "c").returncode == 0

    @after
    def check(point):
        if point.ended == 0:
            ok("clone", "s", "a", "d")  # heals the mark
        check_after({"a": b"a" * 5000, "b": b"b" * 5000, **({"c": b"a" * 5000} if point.ended else {})}, {"c": b"a" * 5000})

    cut(place, "names written anew", check)


def test_what_is_not_synced_is_lost(here, tmp_path):
    """So that the tests above can tell."""
    pathlib.Path("old").write_bytes(b"o" * 3000)
    place = powercut.Disk(here)
    place.record("tee", "old", "new", input=b"n" * 2000)
    place.record("sync", "old", "new")
    found = {0: set(), 1: set(), 2: set()}
    for point in place.cut(tmp_path / "after"):
        file = tmp_path / "after/new"
        found[point.ended].add(((tmp_path / "after/old").read_bytes(), file.read_bytes() if file.exists() else None))
    assert (b"o" * 3000, None) in found[1]
    assert (b"o" * 2000, bytes(2000)) in found[1]  # sizes alone
    assert (b"o" * 3000, bytes(512) + b"n" * 1488) in found[1]  # the name, and a part of the last write
    assert found[2] == {(b"n" * 2000, None), (b"n" * 2000, b"n" * 2000)}  # the name needs its folder synced
