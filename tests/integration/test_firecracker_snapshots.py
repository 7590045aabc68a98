# SPDX-License-Identifier: Apache-2.0
"""Firecracker's snapshots: a bare guest that one process saves, and others go on with, by requests only."""
import os
import pathlib
import subprocess

import fcclient
import pytest
import volt
from fcmachine import Process, blocks
from snapshots import restore

MIB = 1 << 20
NOT_PAUSED = "the microVM is not paused"
TOO_EARLY = "The requested operation is not supported before starting the microVM."
TOO_LATE = "The requested operation is not supported after starting the microVM."


def test_a_machine_goes_on_in_another_process(here):
    disk = os.urandom(MIB)
    for name in ("disk", "only"):
        (here / name).write_bytes(disk)
    with Process().boot(drives=[("d", "disk", False), ("o", here / "only", True)]) as one:
        before = one.vm.check()
        refused = one.client.fault("PUT", "/snapshot/create", {"snapshot_path": "s", "mem_file_path": "m"})
        assert NOT_PAUSED in refused and not (here / "s").exists()
        one.state("Paused")
        one.save("a", sync_snapshot_files=True)
        assert one.client.get("/")["state"] == "Paused"
        assert (here / "a.state.disks/d").read_bytes() == disk and not (here / "a.state.disks/o").exists()
        one.state("Resumed")
        one.vm.check()
        one.vm.power_off()
    assert not [name for name in os.listdir() if name.startswith(".")]
    with Process() as two, Process() as three:
        two.load("a", resume_vm=True, clock_realtime=True)
        three.load("a")
        assert two.client.get("/")["state"] == "Running" and three.client.get("/")["state"] == "Paused"
        assert two.vm.check() >= before
        config = two.client.get("/vm/config")
        assert config["machine-config"]["mem_size_mib"] == 16 and not config["machine-config"]["track_dirty_pages"]
        assert [(d["drive_id"], d["path_on_host"], d["is_read_only"]) for d in config["drives"]] == \
            [("d", str(here / "disk"), False), ("o", str(here / "only"), True)]
        (here / "new").write_bytes(bytes(MIB))
        two.client.patch("/drives/o", {"drive_id": "o", "path_on_host": "new"})
        assert TOO_LATE in two.client.fault("PUT", "/actions", {"action_type": "InstanceStart"})
        two.vm.power_off()
        three.state("Resumed")
        assert three.vm.check() >= before
        # What is there is replaced, and what somebody maps of it stays as it was.
        three.state("Paused")
        three.save("a")
        three.state("Resumed")
        three.vm.check()
        three.vm.power_off()
    assert (here / "a.state.disks/d").read_bytes() == disk


def test_only_what_changed(here):
    with Process().boot(tracks=True) as one:
        one.vm.stop()
        one.state("Paused")
        one.save("a", "Diff")  # since the start: whole
        one.save("b", "Diff")
        assert blocks("a") > 4 * MIB > 256 << 10 > blocks("b")
        one.state("Resumed")
        one.vm.type(b"g")
        rounds = one.vm.check()
        one.vm.stop()
        one.state("Paused")
        one.save("c", "Diff")
        assert 4096 <= blocks("c")
        one.save("c", "Diff")  # in the place of what it would be based on
        assert blocks("c") > 4 * MIB
        one.save("d", "Diff")
        assert blocks("d") < 256 << 10
    subprocess.run([volt.BUILD / "bin/volt", "snapshot", "merge", "d.state", "whole"], check=True)
    for name in ("d.state", "whole"):  # Volt's own ways know them, too
        with restore(name) as clone:
            clone.type(b"g")
            assert clone.check() >= rounds
    with Process() as two:
        two.load("d", resume_vm=True, enable_diff_snapshots=True)
        two.vm.type(b"g")
        assert two.vm.check() >= rounds
        assert two.client.get("/machine-config")["track_dirty_pages"] is True
        two.vm.stop()
        two.state("Paused")
        two.save("e", "Diff")
        two.save("f", "Full")
        assert blocks("e") < blocks("f")
        os.rename("f.state", "g.state")  # a base that is not there any more
        two.save("h", "Diff")
        assert blocks("h") > 4 * MIB
    for name in ("b", "e", "h"):
        with Process() as clone:
            clone.load(name, resume_vm=True)
            clone.vm.type(b"g")
            clone.vm.check()
            clone.state("Paused")  # one without notes has whole ones only
            clone.save("x", "Diff")
            assert blocks("x") > 4 * MIB


def test_its_id_stays_when_it_starts(here):
    """Whatever becomes of the configuration that it came from."""
    with Process("--id", "vm-1", env={**os.environ, "MALLOC_PERTURB_": "165"}) as one:
        one.client.put("/logger", {"log_path": "log", "level": "Info"})
        one.boot()
        one.vm.check()
        assert one.client.get("/")["id"] == "vm-1"
        one.state("Paused")
        assert [line for line in pathlib.Path("log").read_text().splitlines() if "[vm-1:" in line and "paused" in line]


def test_wrong_phases(here):
    with Process() as one:
        create = {"snapshot_path": "s", "mem_file_path": "m"}
        load = {"snapshot_path": "s", "mem_file_path": "m"}
        assert one.client.fault("PUT", "/snapshot/create", create) == TOO_EARLY
        assert "Volt does not have memory that another process serves" in one.client.fault(
            "PUT", "/snapshot/load", {"snapshot_path": "s", "mem_backend": {"backend_type": "Uffd", "backend_path": "m"}})
        assert "Volt does not have vsock" in one.client.fault(
            "PUT", "/snapshot/load", {**load, "vsock_override": {"uds_path": "v"}})
        backend = {"backend_type": "File", "backend_path": "m"}
        assert "one only" in one.client.fault("PUT", "/snapshot/load", {**load, "mem_backend": backend})
        assert "expected one of" in one.client.fault("PUT", "/snapshot/load", {"snapshot_path": "s"})
        one.client.put("/entropy", {})
        assert "boot-specific" in one.client.fault("PUT", "/snapshot/load", load)
        one.boot()
        one.vm.check()
        assert one.client.fault("PUT", "/snapshot/load", load) == TOO_LATE
        one.state("Paused")
        for words, wrong in (("one name", {"mem_file_path": "s"}), ("no way to it", {"snapshot_path": "/var/s"}),
                             ("something else", {"mem_file_path": "here"})):
            (here / "here").mkdir(exist_ok=True)
            assert words in one.client.fault("PUT", "/snapshot/create", {**create, **wrong})
        assert not [name for name in os.listdir() if name in "sm" or name.startswith(".")]
        (here / "other.disks").mkdir()  # somebody else's
        (here / "other.disks/x").write_bytes(b"x")
        assert "no snapshot beside it" in one.client.fault("PUT", "/snapshot/create", {**create, "snapshot_path": "other"})
        assert (here / "other.disks/x").read_bytes() == b"x"
        one.state("Resumed")
        one.vm.check()
        one.vm.power_off()


@pytest.mark.parametrize("damage, words", [
    (lambda: os.unlink("a.mem"), "cannot open a.mem"),
    (lambda: os.unlink("a.state"), "a.state: No such file"),
    (lambda: pathlib.Path("a.mem").write_bytes(bytes(16 * MIB)), "changed, or damaged"),
    (lambda: os.rename("a.state.disks", "b"), "a.state.disks/d"),
])
def test_a_load_that_fails_ends_the_process(here, damage, words):
    (here / "disk").write_bytes(bytes(4096))
    with Process().boot(drives=[("d", "disk", False)]) as one:
        one.vm.check()
        one.state("Paused")
        one.save("a")
    damage()
    with Process() as two:
        fault = two.client.fault("PUT", "/snapshot/load", {"snapshot_path": "a.state", "mem_file_path": "a.mem"})
        result = two.vm.finish()
        assert words in fault and "Load snapshot error" in fault
        assert result.status == fcclient.STATUS_FAILED and result.lines == [f"Error: {fault}"], result


def test_called_so_and_moved(here):
    """The files may be somewhere else by then; each of them in a folder of its own."""
    for name in ("one", "two", "three"):
        (here / name).mkdir()
    with Process("--snapshot-dir", f"{here}/one:{here}/two").boot() as one:
        one.vm.check()
        one.state("Paused")
        one.client.put("/snapshot/create", {"snapshot_path": f"{here}/one/s", "mem_file_path": f"{here}/two/m"})
        assert "no way to it" in one.client.fault("PUT", "/snapshot/create", {"snapshot_path": "s", "mem_file_path": "m"})
    os.rename("one/s", "three/s")
    os.rename("two/m", "three/m")
    with fcclient.Firecracker("--api-sock", "fc", stdin=-1) as two:
        fcclient.wait_for_socket("fc")
        with fcclient.GoClient("fc") as client:
            client.put("/snapshot/load", {"snapshot_path": "three/s", "mem_file_path": "three/m", "resume_vm": True})
            assert client.get("/")["state"] == "Running"
            client.patch("/vm", {"state": "Paused"})
            client.put("/snapshot/create", {"snapshot_path": "three/t", "mem_file_path": f"{here}/three/n"})
        two.process.kill()
