# SPDX-License-Identifier: Apache-2.0
"""Snapshots that were made once go on for ever (golden.py makes one of each format)."""
import json
import re
import subprocess

import pytest

import golden
import volt
from netns import network  # noqa: F401
from snapshots import refuse_restore

VOLT = volt.BUILD / "bin/volt"
FORMATS = sorted(golden.STATES.glob("snapshot-*"))


@pytest.fixture(params=FORMATS, ids=lambda path: path.name)
def saved(request, here):
    golden.unpack(request.param, here / "saved")
    return here / "saved"


def test_inspect(saved):
    done = subprocess.run([VOLT, "snapshot", "inspect", saved], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["vm"] == [{"cpus": 2, "memory": "0x400000", "virtio": 4, "panicked": False}]
    assert said["config"][0]["cpus"] == 2 and said["config"][0]["nets"][0]["mac"] == "02:00:00:00:00:05"
    assert [(disk["id"], disk["copied"], disk["size"]) for disk in said["disk"]] == [
        ("data", True, "0x10000"), ("fixed", False, "0x10200")]
    assert [device["device"] for device in said["virtio"]] == [2, 2, 1, 4]
    assert all(device["status"] == 15 and device["queues"][0]["runs"] for device in said["virtio"])
    assert said["net"] == [{"mac": "020000000005", "active_pairs": 1}]
    assert said["memory"][0]["regions"] == [{"gpa": "0", "len": "0x400000"}]
    assert len(said["vcpu"]) == 2 and said["pit"] and said["snapshot"][0]["diff"] is False


def test_it_goes_on(saved, network):  # noqa: F811
    """Where the host has all that its processor had; elsewhere that is all that stands in the way."""
    options = ["--drive", f"id=fixed,path={saved.parent / 'fixed'}", "--net", "id=lan,tap=t0"]
    check = subprocess.run([VOLT, "snapshot", "check", saved], capture_output=True, text=True)
    lacks = [line for line in check.stdout.splitlines() if "/tmp/volt-golden/fixed" not in line]
    assert check.returncode == 1 and len(lacks) < len(check.stdout.splitlines()), check
    if lacks:
        assert all(re.search(r"processor|CPUID|MSR|TSC|KVM", line) for line in lacks), lacks
        said = refuse_restore(saved, *options, prefix=network.prefix)
        assert re.search(r"CPUID|MSR|TSC|KVM", said), said
        return
    with volt.Vm("--restore", saved, *options, kernel=None, prefix=network.prefix, stdin=subprocess.PIPE) as vm:
        vm.type(b"x")
        result = vm.finish()
    guest = golden.Guest()
    guest.text()
    assert result.status == 0 and guest.program.values(result.out) == golden.expected(), result
