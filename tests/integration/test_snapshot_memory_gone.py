# SPDX-License-Identifier: Apache-2.0
"""Somebody makes the file shorter that a machine's memory is mapped from: one line says so, and volt-vmm ends as after any
failure of the host's. A guest can do nothing of the kind."""
import os
import pathlib

import api
import pytest
import volt
from netns import network  # noqa: F401
from snapshots import restore, save, start
from virtio_driver import DATA, RINGS, WRITE, Device, Program, Queue

TAKEN = "memory could not be had from the host"
LAN = "id=lan,tap=t0"


def cut():
    os.truncate("snaps/a/memory", 0)


def assert_failed(vm, status=volt.STATUS_FAILED):
    result = vm.finish()
    assert result.status == status and len(result.lines) == 1 and TAKEN in result.err, result


@pytest.fixture
def saved(here):
    with start("--memory", "16M") as vm:
        save("snaps/a")
        vm.power_off()


def test_while_the_guest_runs(saved):
    """By KVM_RUN, or by volt-vmm's own look at what the guest was about to do."""
    with restore("snaps/a") as vm:
        vm.check()
        cut()
        assert_failed(vm)


def test_with_a_command(here):
    with start("--", "command"):
        save("snaps/a")
    with restore("snaps/a") as vm:
        vm.check()
        cut()
        assert_failed(vm, volt.STATUS_VOLT_FAILED)


def test_while_a_device_runs(here, network):  # noqa: F811
    """The guest has given a NIC buffers, and sleeps: it is volt-vmm that finds no ring when a frame comes."""
    program = Program()
    nic = Device(program, 0)
    rx = Queue(nic, 0, at=RINGS)
    nic.start(rx)
    rx.submit(*[rx.chain((DATA + 0x1000 * i, 2048, WRITE), first=i) for i in range(rx.size)])
    pathlib.Path("words").write_bytes(program.text("!"))
    with start("--initrd", "words", "--net", f"{LAN},mac=02:00:00:00:00:05", kernel="do", prefix=network.prefix):
        save("snaps/a")
    with restore("snaps/a", "--net", LAN, "--api-socket", "api2", prefix=network.prefix) as vm:
        volt.wait_until(lambda: os.path.exists("api2"), "its API")
        with api.Client("api2") as client:
            assert client.state() == "running"
        cut()
        # What the host says by itself to a new device's network may have been enough, and the device is gone.
        for words in (("addr", "add", "10.0.0.1/24", "dev", "t0"), ("link", "set", "t0", "up"),
                      ("neigh", "add", "10.0.0.2", "lladdr", "02:00:00:00:00:05", "dev", "t0")):
            network.run("ip", *words, check=False)
        network.run("ping", "-c", "3", "-i", "0.2", "-W", "1", "10.0.0.2", check=False)
        assert_failed(vm)
