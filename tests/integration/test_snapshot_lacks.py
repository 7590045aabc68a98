# SPDX-License-Identifier: Apache-2.0
"""What a host lacks for a snapshot, which volt snapshot check says, and a restore refuses for before anything runs.

`alter` (vmm/state/alter.c) makes a state that wants what no host has.
"""
import os
import pathlib
import shutil
import subprocess

import pytest

import volt
from snapshots import refuse_restore, restore, save, start

ALTER = volt.BUILD / "vmm/main/alter"
VOLT = volt.BUILD / "bin/volt"
OPTIONS = ["--cpus", "2", "--drive", "path=disk,id=disk"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lacks")
    os.chdir(folder)
    pathlib.Path("disk").write_bytes(b"content" * 512)
    with start(*OPTIONS) as vm:
        vm.stop()
        save("snaps/a")
        vm.power_off()
    return folder / "snaps/a"


@pytest.fixture
def alter(made, here):
    """Give the snapshot's copy another state."""
    def fn(*words):
        shutil.copytree(made, "copy")
        subprocess.run([ALTER, made / "state", "copy/state", *words], check=True)
        return "copy"
    return fn


def check(path):
    done = subprocess.run([VOLT, "snapshot", "check", path], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def refuse(path, status):
    """Nothing of it is left, and nothing was served."""
    (here := pathlib.Path("left")).mkdir()
    said = refuse_restore(path, "--drive", "id=disk,path=left/disk", "--api-socket", "left/api", status=status,
                          env={**os.environ, "TMPDIR": str(here.resolve())})
    assert os.listdir(here) == []
    return said


@pytest.mark.parametrize("words, lacks, said", [
    # Never offered to a guest (MPX), so no host has it.
    (("cpuid", "7", "0", "1", "0x4000"), "lacks: CPUID leaf 0x7.0 EBX bits 0x4000",
     "lacks what the guest has: CPUID leaf 0x7.0 EBX bits 0x4000"),
    (("cpuid", "0", "0", "1", "1"), "lacks: a processor of the same vendor", "another vendor's processor than this host's"),
    (("msr", "0x4b564dff", "5"), "lacks: MSR 0x4b564dff with 0x5", "no MSR 0x4b564dff, which was saved as 0x5"),
], ids=["cpuid", "vendor", "msr"])
def test_what_a_host_lacks(alter, words, lacks, said):
    path = alter(*words)
    assert check(path) == (1, lacks + "\n", "")
    assert said in refuse(path, volt.STATUS_FAILED)


def test_an_msr_that_was_never_used_is_no_loss(alter):
    path = alter("msr", "0x4b564dff", "0")
    assert check(path) == (0, "this host can restore it\n", "")
    with restore(path) as vm:
        vm.power_off()


@pytest.mark.parametrize("kind, name", [(1, "snapshot"), (2, "config"), (3, "memory"), (16, "vm"), (17, "cpuid"), (19, "irqchip"), (21, "clock"), (32, "serial"), (33, "i8042"),
                                        (34, "power"), (35, "report")])
def test_a_state_without_a_part_of_the_machine(alter, kind, name):
    path = alter("without", str(kind))
    assert check(path) == (1, "", f"volt snapshot check: copy: the file has no section {name} 0\n")
    assert f"the file has no section {name} 0" in refuse(path, volt.STATUS_FAILED)


@pytest.mark.parametrize("kind, said", [(18, "it has 0 vCPUs and 2 virtio devices of 2 and 2"),
                                        (48, "it has 2 vCPUs and 0 virtio devices of 2 and 2")])
def test_a_state_without_what_it_counts(alter, kind, said):
    path = alter("without", str(kind))
    assert check(path) == (1, "", f"volt snapshot check: copy: {said}\n")
    assert said in refuse(path, volt.STATUS_FAILED)


def test_memory_that_was_elsewhere(alter):
    path = alter("region", "4096", str((16 << 20) - 4096))
    status, out, err = check(path)
    assert (status, out) == (1, "") and "memory was at other addresses" in err
    assert "memory was at other addresses" in refuse(path, None)


@pytest.mark.parametrize("name", ["memory", "disks/disk"])
def test_files_that_are_not_there(alter, name):
    path = alter("msr", "0x4b564dff", "0")
    os.truncate(f"{path}/{name}", 512)
    status, out, err = check(path)
    assert (status, err) == (1, "") and out.startswith(f"lacks: {name} with ") and out.endswith("it has 512\n"), out
    os.unlink(f"{path}/{name}")
    assert check(path) == (1, f"lacks: {name}: No such file or directory\n", "")
