# SPDX-License-Identifier: Apache-2.0
"""NICs as volt-vmm's user sees them, with a bare guest: what is refused, with which words, and what is left
behind: nothing."""
import json
import os

import pytest

import volt
from netns import network  # noqa: F401
from volt import STATUS_CONFIGURATION, Vm, assert_fault, run

WAITING = ("--cmdline", "!")  # prints "ready", then halts


def dry_run(network, *options):  # noqa: F811
    result = run("--dry-run", *options, prefix=network.prefix)
    assert result.status == 0, result
    return json.loads(result.out)


@pytest.mark.parametrize("value, expected", [
    ("", "expected tap=INTERFACE, fd=N, bridge=INTERFACE or backend=passt"),
    ("queues=2", "expected tap=INTERFACE, fd=N, bridge=INTERFACE or backend=passt"),
    ("tap=t0,fd=3", "tap=t0 and fd=3; expected one of them"),
    ("tap=", "tap=: expected the name of an interface, 1 to 15 characters"),
    ("tap=a/b", "expected the name of an interface"),
    ("tap=t%d", "expected the name of an interface"),
    ("tap=" + "x" * 16, "expected the name of an interface, 1 to 15 characters"),
    ("tap=t0,bridge=a b", "bridge=a b: expected the name of an interface"),
    ("tap=t0,mac=banana", "mac=banana: expected six bytes such as 02:00:00:00:00:01"),
    ("tap=t0,mac=02:00:00:00:00", "expected six bytes such as"),
    ("tap=t0,mac=03:00:00:00:00:01", "mac=03:00:00:00:00:01: a group's address, or none; expected one machine's"),
    ("tap=t0,mac=ff:ff:ff:ff:ff:ff", "a group's address, or none"),
    ("tap=t0,mac=00:00:00:00:00:00", "a group's address, or none"),
    ("tap=t0,mtu=67", "mtu=67: expected at least 68"),
    ("tap=t0,mtu=65522", "mtu=65522: expected 0 to 65521"),
    ("tap=t0,queues=0", "queues=0: expected 1 to 16"),
    ("tap=t0,queues=17", "queues=17: expected 1 to 16"),
    ("tap=t0,iothreads=2", "iothreads=2: expected at most one a pair of queues, queues=1"),
    ("tap=t0,backend=slirp", "backend=slirp: expected virtio-net"),
    ("tap=t0,parent=lo", "parent=lo: a macvtap's; expected backend=macvtap or backend=vhost-net"),
    ("backend=macvtap", "expected parent=INTERFACE, tap=INTERFACE or fd=N"),
    ("backend=macvtap,parent=a b", "parent=a b: expected the name of an interface"),
    ("backend=macvtap,parent=lo,fd=3", "fd=3 and parent=lo; expected one of them"),
    ("backend=macvtap,parent=none", "there is no interface none to make a macvtap on; see: ip link"),
    ("backend=macvtap,bridge=b", "bridge=b: a macvtap is on no bridge; expected parent="),
    ("backend=vhost-net,parent=lo,bridge=b", "bridge=b: a macvtap is on no bridge; expected parent="),
    ("backend=vhost-net,tap=t0,rx-rate=1M", "backend=vhost-net knows no rates; expected backend=virtio-net with them"),
    ("backend=vhost-net,tap=t0,tx-packets=9", "backend=vhost-net knows no rates"),
    ("backend=vhost-net,tap=t0,iothreads=1", "iothreads=1: backend=vhost-net has the kernel's threads; expected 0"),
    ("backend=vhost-net,tap=lo", "lo is no TAP device"),
    ("tap=t0,rx-rate=fast", "rx-rate=fast: expected a size such as"),
    ("tap=t0,id=a b", "expected 1 to 64 of A-Z a-z 0-9 _ -"),
    ("tap=t0,bridge=none", "there is no bridge none; run as root: volt net setup --bridge none"),
    ("tap=t0,bridge=lo", "lo is no bridge; expected the name of one"),
    ("tap=lo", "lo is no TAP device"),
    ("tap=lo,queues=2", "lo is no TAP with several queues; run as root: ip tuntap add lo mode tap multi_queue"),
    ("fd=77", "descriptor 77 was not open; expected that of a TAP"),
    ("fd=0", "descriptor 0 is not that of a TAP"),
    ("fd=0,queues=2", "fd=0: expected 2 numbers, one a queue, with ':' between them"),
    ("fd=x", "fd=x: expected 1 numbers"),
])
def test_bad_net(network, here, value, expected):  # noqa: F811
    before = network.interfaces()
    result = run("--net", value, "--log-path", "log", "--metrics-path", "metrics", prefix=network.prefix)
    assert_fault(result, STATUS_CONFIGURATION, "--net", expected)
    assert network.interfaces() == before and list(here.iterdir()) == []


@pytest.mark.parametrize("options, expected", [
    (["--net", "tap=a,id=x", "--net", "tap=b,id=x"], "--net id=x: two NICs have this name"),
    (["--net", "tap=a", "--net", "tap=a"], "--net tap=a: two NICs have this TAP device"),
    (["--tap", "a", "--net", "tap=a"], "two NICs have this TAP device"),
    (["--net", "tap=a,mac=02:00:00:00:00:0a", "--net", "tap=b,mac=02:00:00:00:00:0A"], "two NICs have this address"),
    (["--net", "tap=a"] * 9, "at most 8 of them"),
    (["--net", "tap=a", "--net", "tap=lo"], "lo is no TAP device"),  # and "a" is gone again
    (["--tap", "a", "--net-bridge", "none"], "there is no bridge none"),
])
def test_bad_nets(network, options, expected):  # noqa: F811
    before = network.interfaces()
    assert_fault(run(*options, prefix=network.prefix), STATUS_CONFIGURATION, expected)
    assert network.interfaces() == before


def test_made_and_gone(network):  # noqa: F811
    with Vm("--tap", "t0", *WAITING, prefix=network.prefix) as vm:
        vm.wait_for()
        assert "t0" in network.interfaces()
        result = run("--tap", "t0", prefix=network.prefix)
        assert_fault(result, STATUS_CONFIGURATION, "t0 is in use by another process; give each machine a TAP of its own")
    assert "t0" not in network.interfaces()


@pytest.mark.parametrize("queues", [1, 2])
def test_one_that_is_there_already(network, queues):  # noqa: F811
    network.run("ip", "tuntap", "add", "t0", "mode", "tap", *(["multi_queue"] if queues > 1 else []))
    for used in range(1, queues + 1):
        with Vm("--net", f"tap=t0,queues={used}", *WAITING, prefix=network.prefix) as vm:
            vm.wait_for()
            assert_fault(run("--tap", "t0", prefix=network.prefix), STATUS_CONFIGURATION, "t0 is in use")
    assert "t0" in network.interfaces()


def test_one_queue_is_too_few(network):  # noqa: F811
    network.run("ip", "tuntap", "add", "t0", "mode", "tap")
    assert_fault(run("--net", "tap=t0,queues=2", prefix=network.prefix), STATUS_CONFIGURATION, "t0 is no TAP with "
                 "several queues")


def test_vhost(network, tmp_path):  # noqa: F811
    """By the kernel where it can, else with a line that says why not; never without a word."""
    path = tmp_path / "m"
    result = run("--net-backend", "vhost-net", "--tap", "t0", "--metrics-path", path, prefix=network.prefix)
    assert result.status == 0
    backend = volt.metrics(path)["nets"]["net0"]["backend"]
    if os.access("/dev/vhost-net", os.R_OK | os.W_OK):
        assert backend == "vhost-net" and result.err == ""
    else:
        assert backend == "virtio-net" and "net0: this process carries the frames, for" in result.err


def test_bridge(network):  # noqa: F811
    network.run("ip", "link", "add", "volt0", "type", "bridge")
    with Vm("--net-backend", "virtio-net", "--net-bridge", "volt0", *WAITING, prefix=network.prefix) as vm:
        vm.wait_for()
        assert "volttap0" in network.run("ip", "link", "show", "master", "volt0")
    assert network.interfaces() == {"lo", "volt0"}


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot become another")
def test_without_rights(network):  # noqa: F811
    """An ordinary user has what was made for it, and is told what to ask for."""
    nobody = [*network.prefix, "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]

    def refused(*options):
        return run(*options, "--dry-run", prefix=nobody)

    assert_fault(refused("--tap", "t0"), STATUS_CONFIGURATION,
                 "no TAP t0, and no right to make one; run as root: volt net setup --tap t0 --owner USER")
    network.run("ip", "tuntap", "add", "t0", "mode", "tap", "user", "0")
    assert_fault(refused("--tap", "t0"), STATUS_CONFIGURATION, "t0 is not this user's; run as root: ip link del t0; ")
    network.run("ip", "tuntap", "add", "t1", "mode", "tap", "user", "65534")
    assert_fault(refused("--tap", "t1"), STATUS_CONFIGURATION, "t1 is down; run: ip link set t1 up")
    network.run("ip", "link", "set", "t1", "up")
    assert refused("--tap", "t1").status == 0
    assert refused("--net", "tap=t1,mtu=1400").status == 0
    assert_fault(refused("--net", "tap=t1,mtu=9000"), STATUS_CONFIGURATION,
                 "mtu=9000, but that of t1 is 1500; run: ip link set t1 mtu 9000")
    network.run("ip", "link", "add", "volt0", "type", "bridge")
    assert_fault(refused("--tap", "t1", "--net-bridge", "volt0"), STATUS_CONFIGURATION,
                 "cannot put t1 on bridge volt0; run as root: ip link set t1 master volt0")
    network.run("ip", "link", "set", "t1", "master", "volt0")
    assert refused("--tap", "t1", "--net-bridge", "volt0").status == 0


def test_what_a_dry_run_shows(network):  # noqa: F811
    """Short forms are the first NIC; the output is a configuration file again."""
    network.run("ip", "link", "add", "volt0", "type", "bridge")
    shown = dry_run(network, "--net", "tap=b,id=back,queues=2,iothreads=2,rx-rate=10M,tx-packets=100", "--tap", "a",
                    "--net-bridge", "volt0")
    first, second = shown["nets"]
    assert (first["id"], first["tap"], first["bridge"], first["backend"]) == ("net0", "a", "volt0", "virtio-net")
    assert (second["id"], second["tap"], second["queues"], second["iothreads"], second["rx_rate"],
            second["tx_packets"]) == ("back", "b", 2, 2, "10M", 100)
    assert "tap" not in shown and "net_bridge" not in shown


def test_metrics(network, tmp_path):  # noqa: F811
    path = tmp_path / "m"
    result = run("--net", "tap=a,id=lan", "--id", "web", "--log-level", "info", "--metrics-path", path,
                 prefix=network.prefix)
    assert result.status == 0
    nic = volt.metrics(path)["nets"]["lan"]
    assert (nic["backend"], nic["tap"], nic["rx_packets"], nic["tx_packets"], nic["broken"]) == (
        "virtio-net", "a", 0, 0, 0)


def test_addresses(network):  # noqa: F811
    """From the two ids, always the same; without one, each time another."""
    def addresses(*options):
        result = run("--net", "tap=a,id=lan", "--tap", "b", "--log-level", "info", *options, prefix=network.prefix)
        assert result.status == 0
        return [line.split(" is ")[1].split(" on ")[0] for line in result.lines if "on the host's" in line]

    assert addresses("--id", "web") == addresses("--id", "web")
    assert len({*addresses("--id", "web"), *addresses("--id", "db"), *addresses(), *addresses()}) == 8
    assert all(int(mac[:2], 16) & 3 == 2 for mac in [*addresses("--id", "web"), *addresses()])
