# SPDX-License-Identifier: Apache-2.0
"""Machines of Firecracker's snapshots that are saved again, and go on again: each has its memory, and a disk that it writes."""
import json
import os
import subprocess

import pytest

import volt
from fcmachine import Process, boot_stepper, step, steps_on
from netns import network

assert network is not None  # a fixture

def is_diff(name):
    told = subprocess.run([volt.BUILD / "bin/volt", "snapshot", "inspect", f"{name}.state"], check=True, capture_output=True)
    return json.loads(told.stdout)["snapshot"][0]["diff"]


def save(process, name, kind):
    process.state("Paused")
    process.save(name, kind)


@pytest.mark.parametrize("tracks", ["track_dirty_pages", "enable_diff_snapshots", None])
def test_each_saved_by_the_one_before(here, tracks):
    notes = {tracks: True} if tracks else {}
    with boot_stepper(tracks=tracks is not None) as one:
        step(one, 1)
        save(one, "0", "Full")
    for i in range(1, 6):
        with Process() as process:
            if i % 2:
                process.load(str(i - 1), resume_vm=True, **notes)
            else:
                process.load(str(i - 1), **notes)
                assert process.client.get("/")["state"] == "Paused"
                process.state("Resumed")
            assert process.client.get("/machine-config")["track_dirty_pages"] is (tracks is not None)
            assert [d["path_on_host"] for d in process.client.get("/vm/config")["drives"]] == [str(here / "disk")]
            step(process, i + 1)
            save(process, str(i), "Full" if i == 3 else "Diff")
            assert is_diff(i) == (tracks is not None and i != 3)
    # Each has the disk of its moment, and can still be gone on with.
    for i in range(6):
        assert steps_on(f"{i}.state.disks/d") == list(range(i + 2))
    assert steps_on("disk") == [0, 1]
    with Process() as again, Process() as other:
        for process in again, other:
            process.load("2", resume_vm=True, **notes)
        for number in 4, 5:
            step(again, number)
        step(other, 4)
        for process, name in (again, "again"), (other, "other"):
            save(process, name, "Diff")
    assert steps_on("again.state.disks/d") == [0, 1, 2, 3, 4, 5] and steps_on("other.state.disks/d") == [0, 1, 2, 3, 4]
    with Process() as last:
        last.load("again", resume_vm=True)
        for number in 6, 7:
            step(last, number)


def test_the_same_names_each_time(here):
    """What the machine goes on from, replaced by what it becomes: with notes, too, that is whole."""
    with boot_stepper(tracks=True) as one:
        step(one, 1)
        save(one, "a", "Diff")
    for number in 2, 3, 4:
        with Process() as process:
            process.load("a", resume_vm=True, track_dirty_pages=True)
            step(process, number)
            save(process, "a", "Diff")
            assert not is_diff("a")
            # It goes on, and its disk is what it was: that of the replaced snapshot is still open.
            process.state("Resumed")
            step(process, number + 1)
        assert steps_on("a.state.disks/d") == list(range(number + 1))


def test_a_difference_without_what_it_is_based_on(here):
    with boot_stepper(tracks=True) as one:
        save(one, "0", "Full")
        one.state("Resumed")
        step(one, 1)
        save(one, "1", "Diff")
        one.state("Resumed")
        step(one, 2)
        save(one, "2", "Diff")
    os.rename("1.state", "gone")
    with Process() as two:
        fault = two.client.fault("PUT", "/snapshot/load", {"snapshot_path": "2.state", "mem_file_path": "2.mem"})
        assert "2.state: its base: " in fault and "1.state: No such file" in fault
    os.rename("gone", "1.state")
    subprocess.run([volt.BUILD / "bin/volt", "snapshot", "merge", "2.state", "whole"], check=True)
    for name in ("0.state", "1.state", "0.mem", "1.mem"):
        os.unlink(name)
    with Process() as two:
        two.client.put("/snapshot/load", {"snapshot_path": "whole/state", "mem_file_path": "whole/memory", "resume_vm": True})
        step(two, 3)


def test_other_taps(network, here):
    """Of a machine that goes on, and of the one that goes on from that."""
    for tap in "tap1", "tap2", "tap3":
        network.run("ip", "tuntap", "add", tap, "mode", "tap")
    with Process(prefix=network.prefix).boot(nets=[("eth0", "tap1")]) as one:
        one.vm.check()
        save(one, "a", "Full")
        mac = one.client.get("/vm/config")["network-interfaces"][0].get("guest_mac")

        def load(name, tap):
            overrides = {"network_overrides": [{"iface_id": "eth0", "host_dev_name": tap}]} if tap else {}
            return Process(prefix=network.prefix).load(name, resume_vm=True, **overrides)

        with load("a", "tap2") as two:
            two.vm.check()
            nic = two.client.get("/vm/config")["network-interfaces"][0]
            assert nic["host_dev_name"] == "tap2" and mac in (None, nic["guest_mac"])
            save(two, "b", "Full")
        with load("b", None) as three, load("b", "tap3") as four:
            for process, tap in (three, "tap2"), (four, "tap3"):
                process.vm.check()
                assert process.client.get("/vm/config")["network-interfaces"][0] == {**nic, "host_dev_name": tap}
        with Process(prefix=network.prefix) as five:
            wish = {"snapshot_path": "a.state", "mem_file_path": "a.mem"}
            fault = five.client.fault("PUT", "/snapshot/load", {
                **wish, "network_overrides": [{"iface_id": "eth1", "host_dev_name": "tap3"}]})
            assert "id=eth1: the snapshot has none of this name" in fault
