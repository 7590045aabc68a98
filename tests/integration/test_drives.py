# SPDX-License-Identifier: Apache-2.0
"""Disks of machines that run: who may have one, and what is told of it."""
import json
import os
import signal

import pytest

import volt
from volt import STATUS_CONFIGURATION, Vm, assert_fault, run

WAITING = ("--cmdline", "!")  # prints "ready", then halts


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(bytes(1 << 20))
    return path


@pytest.mark.parametrize("engine", ["io_uring", "sync"])
def test_a_disk_belongs_to_one_machine(disk, engine):
    with Vm("--drive", f"path={disk},engine={engine}", *WAITING) as first:
        first.wait_for()
        owner = f"in use by process {first.pid} (volt-vmm)"
        assert_fault(run("--drive", f"path={disk}"), STATUS_CONFIGURATION, "--drive id=disk0", disk, owner)
        assert_fault(run("--drive", f"path={disk},readonly=on"), STATUS_CONFIGURATION, owner)
        first.send(signal.SIGKILL)
        first.process.wait()
        # Its successor can start at once, though the kernel may take a moment to let go.
        assert run("--drive", f"path={disk},engine={engine}").status == 0


def test_readers_share(disk):
    with Vm("--drive", f"path={disk},readonly=on", *WAITING) as first:
        first.wait_for()
        assert run("--drive", f"path={disk},readonly=on").status == 0
        assert_fault(run("--drive", f"path={disk}"), STATUS_CONFIGURATION, "in use")


def test_rights(disk):
    disk.chmod(0o444)
    result = run("--drive", f"path={disk}", prefix=volt.POWERLESS)
    assert_fault(result, STATUS_CONFIGURATION, "cannot write to", "readonly=on")
    assert run("--drive", f"path={disk},readonly=on", prefix=volt.POWERLESS).status == 0
    disk.chmod(0)
    assert_fault(run("--drive", f"path={disk},readonly=on", prefix=volt.POWERLESS), STATUS_CONFIGURATION,
                 "cannot open", "Permission denied")


def test_half_a_sector(disk):
    os.truncate(disk, 1000)
    result = run("--drive", f"path={disk}", "--metrics-path", disk.with_name("m"))
    assert result.status == 0
    assert "the last 488 bytes are no whole sector and are left out" in result.err


def test_sigusr1_writes_the_metrics(disk):
    path = disk.with_name("metrics")
    with Vm("--drive", f"path={disk},id=data,engine=sync", "--metrics-path", path, *WAITING) as vm:
        vm.wait_for()
        vm.send(signal.SIGUSR1)
        volt.wait_until(lambda: path.read_text().count("\n") == 1, "the metrics")
        first = json.loads(path.read_text())
        assert first["end"] == "the machine runs"
        assert first["disks"]["data"]["engine"] == "sync" and first["disks"]["data"]["reads"] == 0
        assert first["rng"]["requests"] == 0
        vm.send(signal.SIGQUIT)
        vm.finish()
    assert [json.loads(line)["end"] for line in path.read_text().splitlines()] == [
        "the machine runs", "the machine was ended by force"]
