# SPDX-License-Identifier: Apache-2.0
"""NICs over vhost-net and macvtaps, which only a Linux with both has: real guests, bare ones that attack, and what
is refused."""
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import test_hostile_nets
import test_net
import volt
from api import Client
from linux import BUILD, Kernels, debian, make_initramfs
from netns import network  # noqa: F401
from test_hostile_nets import FEATURES, MEMORY, MQ
from test_net import ADDRESS, ADDRESS6, CMDLINE, HOST, HOST6, MIB, OWN, Guest, Peer
from virtio_driver import (DATA, EVENT_IDX, HEADERS, INDIRECT_DESC, NEXT, QUEUE_READY, QUEUE_SEL, RINGS, RUNS, STATUS,
                           VERSION_1, WRITE)
from volt import STATUS_CONFIGURATION, assert_fault, run, wait_until

pytestmark = pytest.mark.linux

SIZE = 20 * MIB
CPUS = 4


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio",
                          binaries={"bin/queues": BUILD / "tests/guests/queues"})


# Each way by the hash, up by IPv6; then from each processor, for the queue that is its own.
CARRY = f"""
echo "down=$(nc {HOST} 5001 < /dev/null | sha512sum | cut -d ' ' -f 1)"
dd if=/dev/urandom of=/data bs=64k count=64 2> /dev/null
echo "up=$(sha512sum /data | cut -d ' ' -f 1)"
nc -w 2 {HOST6} 5002 < /data > /dev/null
ping -c 3 -i 0.2 {HOST6} | grep -c 'bytes from' | sed s/^/ping6=/
for cpu in $(seq 0 $(($(nproc) - 1))); do taskset -c $cpu ping -c 3 -i 0.2 {HOST} | grep -c 'bytes from' | sed s/^/ping$cpu=/; done
queues eth0 | grep packets
echo "mac=$(cat /sys/class/net/eth0/address)"
echo ready
while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 0.2; done
echo gone; sleep 1000
"""


def carry(network, folder, kernels, initrd, *options):  # noqa: F811
    """A guest that runs CARRY, and the host's side of it; returns the guest, which is still there."""
    down, up = Peer(network, "send", 5001, SIZE), Peer(network, "take", 5002)
    guest = test_net.start(network, folder, kernels[OWN], initrd, *options, command=CARRY)
    guest.wait_for("ready\r\n")
    guest.host = down.result()[0], up.result()[0]
    assert (test_net.ping(network, ADDRESS), test_net.ping(network, ADDRESS6)) == (3, 3)
    return guest


def assert_carried(guest, queues, steered=True):
    """Who steers: the host sends what a processor's queue has sent to back to the same one."""
    guest.send()
    result = guest.finish()
    assert (result.value("down"), result.value("up"), result.value("ping6")) == (*guest.host, "3"), result.out + result.log
    for queue in range(queues):
        assert result.value(f"ping{queue}") == "3"
        assert int(result.value(f"tx_queue_{queue}_packets")) > 2
        assert not steered or int(result.value(f"rx_queue_{queue}_packets")) > 2
    assert result.metrics["nets"]["net0"]["broken"] == 0
    return result


def test_vhost(network, tmp_path, kernels, initrd):  # noqa: F811
    """Four queues on four processors; no frame passes in a pause, nor while the cable is out; a flood; and the
    end of the TAP device is noticed."""
    socket = tmp_path / "api"
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue")
    test_net.give_addresses(network, "tap0")
    guest = carry(network, tmp_path, kernels, initrd, "--cpus", CPUS, "--prefault", "on", "--api-socket", socket,
                  "--net", f"tap=tap0,queues={CPUS},backend=vhost-net")
    flooded = test_net.flood(network, guest, 3)
    with Client(socket) as client:
        # Frames that are on their way while the machine stands still come afterwards.
        assert client.act("pause")[0] == 200
        assert test_net.ping(network, ADDRESS, 1, wait=1) == 0
        assert client.act("resume")[0] == 200
        assert test_net.ping(network, ADDRESS) == 3
        status, why = client.call("PATCH", "/v1/vm/nets/net0", {"rx_rate": 1000})
        assert status == 400 and "vhost-net knows no rates" in str(why)
        assert client.call("PATCH", "/v1/vm/nets/net0", {"link": False})[0] == 200
        guest.wait_for("gone\r\n")
        assert test_net.ping(network, ADDRESS, 1, wait=1) == 0
        assert client.call("PATCH", "/v1/vm/nets/net0", {"link": True})[0] == 200
        wait_until(lambda: test_net.ping(network, ADDRESS, 1, wait=1) == 1, "an answer after the link is up")
    network.run("ip", "link", "del", "tap0")
    result = assert_carried(guest, CPUS)
    assert "net0: the host's side is gone" in result.log
    nic = result.metrics["nets"]["net0"]
    # The loop has seen no frame; commands have notified it, and, though they are the kernel's, buffers of the second pair.
    assert nic["backend"] == "vhost-net" and nic["rx_packets"] == nic["tx_packets"] == 0
    assert nic["notifications"] < 100 + flooded // 100


@pytest.fixture
def parent(network):  # noqa: F811
    """An interface for macvtaps, and the host's own on the same one, for these do not reach it itself."""
    network.run("ip", "link", "set", "lo", "up")
    network.run("ip", "link", "add", "d0", "type", "dummy")
    network.run("ip", "link", "set", "d0", "up")
    network.run("ip", "link", "add", "link", "d0", "name", "host0", "type", "macvlan", "mode", "bridge")
    test_net.give_addresses(network, "host0")
    return network


def test_macvtap(parent, tmp_path, kernels, initrd):
    """Also in a flood; and it is gone after a kill."""
    mac = "02:00:00:00:00:78"
    guest = carry(parent, tmp_path, kernels, initrd, "--cpus", 2, "--prefault", "on", "--net",
                  f"backend=macvtap,parent=d0,queues=2,mac={mac}")
    assert "PROMISC" not in parent.run("ip", "-d", "link", "show", "d0")
    assert mac in parent.run("ip", "-d", "link", "show", "voltmv0")
    test_net.flood(parent, guest, 3)
    result = assert_carried(guest, 2, steered=False)
    assert result.value("mac") == mac
    nic = result.metrics["nets"]["net0"]
    assert nic["backend"] == "macvtap" and nic["rx_bytes"] > SIZE
    assert parent.interfaces() == {"lo", "d0", "host0"}
    for backend in ("macvtap", "vhost-net"):
        with volt.Vm("--net", f"backend={backend},parent=d0", "--cmdline", "!", prefix=parent.prefix) as vm:
            vm.wait_for()
            assert "voltmv0" in parent.interfaces()
        wait_until(lambda: "voltmv0" not in parent.interfaces(), "the end of the macvtap")


LARGE = 100 * MIB
DEBIAN = f"""
mount -t tmpfs none /mnt
head -c {LARGE} /dev/urandom > /mnt/data
echo "up=$(sha512sum /mnt/data | cut -d ' ' -f 1)"
for n in 0 1 2; do
    echo "nameserver 10.9.$n.1" > /etc/resolv.conf
    echo "dns$n=$(getent hosts volt.test | cut -d ' ' -f 1)"
    exec 3<>/dev/tcp/10.9.$n.1/500$n; echo "down$n=$(sha512sum <&3 | cut -d ' ' -f 1)"; exec 3<&-
    cat /mnt/data > /dev/tcp/fd00:9:$n::1/501$n
done
echo ready; read line
"""


def test_debian(parent, tmp_path, tmp_path_factory):
    """Debian's own kernel, with its drivers as modules, on its own disk, with a NIC of each kind: names, 100 MiB each
    way, up by IPv6, and answers to ping."""
    nics = {"tap0": "tap=tap0", "tap1": "backend=vhost-net,tap=tap1", "host0": "backend=macvtap,parent=d0"}
    options, peers = [], []
    for name in ("tap0", "tap1"):
        parent.run("ip", "tuntap", "add", name, "mode", "tap")
    parent.run("ip", "addr", "flush", "dev", "host0")
    for n, (name, nic) in enumerate(nics.items()):
        parent.run("ip", "addr", "add", f"10.9.{n}.1/24", "dev", name)
        parent.run("ip", "addr", "add", f"fd00:9:{n}::1/64", "dev", name, "nodad")
        parent.run("ip", "link", "set", name, "up")
        options += ["--net", f"{nic},ip=10.9.{n}.2/24+fd00:9:{n}::2/64"]
        peers.append((Peer(parent, "send", f"500{n}", LARGE), Peer(parent, "take", f"501{n}")))
    dns = Peer(parent, "dns", "10.20.0.77")
    kernel, made = debian(tmp_path_factory.mktemp("data"))
    image = tmp_path / "rootfs.ext4"
    subprocess.run(["cp", "--sparse=always", made, image], check=True)
    guest = Guest(tmp_path, kernel, None, "--rootfs", image, "--memory", "512M", "--cmdline", CMDLINE, *options,
                  prefix=parent.prefix, stdin=subprocess.PIPE, command=["bash", "-c", DEBIAN])
    guest.wait_for("ready\r\n")
    for n in range(len(nics)):
        assert (test_net.ping(parent, f"10.9.{n}.2"), test_net.ping(parent, f"fd00:9:{n}::2")) == (3, 3)
    guest.process.stdin.write(b"\n")
    guest.process.stdin.flush()
    result = guest.finish()
    dns.process.kill()
    assert result.status == 0, result.out + result.log
    for n, (down, up) in enumerate(peers):
        assert result.value(f"dns{n}") == "10.20.0.77" and result.value(f"down{n}") == down.result()[0], result.out
        digest, count, _ = up.result()
        assert (digest, int(count)) == (result.value("up"), LARGE)
    assert [nic["backend"] for nic in result.metrics["nets"].values()] == ["virtio-net", "vhost-net", "macvtap"]
    assert all(nic["broken"] == 0 for nic in result.metrics["nets"].values())


def test_a_descriptor_is_all_that_it_takes(network, tmp_path, kernels, initrd):  # noqa: F811
    """An ordinary user without any capability, in another network namespace than the TAP device; vhost is
    not for this user, so the monitor does its work."""
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap")
    test_net.give_addresses(network, "tap0")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o777)
        kernel, ramdisk = (pathlib.Path(shutil.copy(path, folder)) for path in (kernels[OWN], initrd))
        guest = Guest(folder, kernel, ramdisk, "--cmdline", f"{CMDLINE} volt.ip={ADDRESS}/24", "--net",
                      "fd=9,backend=vhost-net", command=["sh", "-c", f"ping -c 3 {HOST} | grep -c 'bytes from' | sed s/^/ping=/"],
                      prefix=[*network.prefix, pathlib.Path(__file__).with_name("tapfd.py"), "tap0", 9, "nsenter", "-n", "-t",
                              os.getpid(), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                              "--inh-caps=-all"])
        result = guest.finish()
    assert result.status == 0 and result.value("ping") == "3", result.out + result.log
    assert "net0: this process carries the frames, for it may not open /dev/vhost-net; run as root: usermod" in result.log


# --- bare guests that attack vhost ---


@pytest.fixture
def attack(tmp_path, network, monkeypatch):  # noqa: F811
    """While frames come."""
    made = test_hostile_nets.Attack(tmp_path, network, monkeypatch)
    network.run("ip", "tuntap", "add", "t0", "mode", "tap", "multi_queue")
    made.net = "tap=t0,id=victim,backend=vhost-net"
    sender = Peer(network, "frames", "t0")
    yield made
    sender.process.kill()
    sender.process.communicate()
    assert made.metrics["nets"]["victim"]["backend"] == "vhost-net"
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in log.splitlines() if "BUG" in line or "WARNING" in line or "Oops" in line]


def test_rules_that_vhost_sees_broken(attack):
    """No memory, loops, heads and indices out of range, in both directions: the device needs a reset each time."""
    count = 0
    for queue, flags in ((attack.tx, 0), (attack.rx, WRITE)):
        def breaks(prepare):
            nonlocal count
            attack.start()
            prepare()
            queue.notify()
            attack.broken()
            count += 1

        for place in test_hostile_nets.BAD_BUFFERS:
            breaks(lambda: queue.offer(queue.chain((*place, flags))))
        breaks(lambda: (queue.describe(0, DATA, 64, NEXT | flags, 0), queue.offer(0)))
        for head in (8, 255, 0xFFFF):
            breaks(lambda: queue.offer(head))
        for value in (9, 0x8000, 0xFFFF):
            breaks(lambda: queue.set_index(value))
        breaks(lambda: (queue.describe(0, DATA, 64, NEXT | flags, 9), queue.offer(0)))
        breaks(lambda: queue.offer(queue.chain((DATA, 100, flags ^ WRITE))))  # the wrong direction
    attack.survive()
    assert attack.count("broken") == count


def test_rings_out_of_place(attack):
    """No memory, the hole, the end of memory, odd addresses; never given to the kernel."""
    bad = [MEMORY, MEMORY - 16, 0xC0000000, 0xFFFFFFF0, 1 << 32, 1 << 63, (1 << 64) - 16, RINGS + 1]
    for place in bad:
        for area in ("desc", "avail", "used"):
            queue = test_hostile_nets.Queue(attack.nic, 1, at=RINGS + 0x4000)
            attack.nic.negotiate(FEATURES)
            setattr(queue, area, place)
            attack.nic.set_up(queue)
            attack.nic.set(STATUS, RUNS)
            attack.broken()
    attack.survive()
    assert attack.count("broken") == 3 * len(bad)


def test_rings_upon_each_other(attack):
    """All three areas in one place, buffers that are the rings, for both queues: whatever comes of it is the guest's."""
    for place in (RINGS, RINGS + 0x4000):
        attack.nic.negotiate(FEATURES)
        for index in (0, 1):
            queue = test_hostile_nets.Queue(attack.nic, index)
            queue.desc = queue.avail = queue.used = place
            attack.nic.set_up(queue)
        attack.nic.set(STATUS, RUNS)
        for i in range(32):
            attack.program.write(place + 4 * i, 0x10001 * (i + 1))
            attack.nic.set(0x50, i % 2)
    for _ in range(5):
        attack.start()
        attack.rx.submit(attack.rx.chain((attack.rx.desc, 0x3000, WRITE)))
        attack.tx.submit(attack.tx.chain((attack.tx.used, 0x100, 0)))
    attack.survive()


def offer_room(attack, at=DATA):
    for i in range(8):
        attack.rx.chain((at + 0x1000 * i, 0x800, WRITE), first=i)
    attack.rx.submit(*range(8))


def test_reset_while_frames_come(attack):
    """With rings that move, and what was negotiated changing; then nothing is written where nothing may be."""
    for i in range(30):
        attack.rx.desc, attack.rx.avail, attack.rx.used = (RINGS + 0x40000 + 0x1000 * (i + k) for k in range(3))
        attack.start(FEATURES | (EVENT_IDX if i % 2 else 0) | (INDIRECT_DESC if i % 3 else 0))
        offer_room(attack)
        attack.header()
        attack.tx.chain((HEADERS, 12, 0), (DATA, 60, 0))
        attack.tx.submit(*[0] * 8)
    for end in (lambda: attack.nic.reset(), lambda: (attack.nic.set(QUEUE_SEL, 0), attack.nic.set(QUEUE_READY, 0))):
        attack.start()
        offer_room(attack)
        attack.rx.wait_used()
        end()
        for i in range(8):
            attack.program.write(DATA + 0x1000 * i, 0x11223344)
        attack.program.write(attack.rx.used + 2, 0x7777, 2)
        for _ in range(300):
            attack.program.read("", attack.nic.base)
        for i in range(8):
            attack.program.read((i, len(attack.program.labels)), DATA + 0x1000 * i)
        attack.program.read(("used", len(attack.program.labels)), attack.rx.used + 2, 2)
    values = attack.survive()
    seen = {label: value for label, value in values.items() if label != ""}
    assert len(seen) == 18
    assert all(value == (0x7777 if label[0] == "used" else 0x11223344) for label, value in seen.items())
    assert attack.count("broken") == 0


def test_pairs_come_and_go_while_frames_do(attack):
    attack.net += ",queues=2"
    attack.control.index = 4
    more = [test_hostile_nets.Queue(attack.nic, i, at=RINGS + 0x10000 + 0x4000 * i) for i in (2, 3)]
    for _ in range(3):
        attack.nic.start(*attack.queues, *more, features=FEATURES | MQ)
        offer_room(attack)
        for pairs in (2, 1, 2, 2, 1):
            attack.command(len(attack.program.labels), 4, 0, pairs, 0)
            more[1].submit(more[1].chain((HEADERS + 0x200, 12, 0), (DATA, 60, 0)))
        attack.command(len(attack.program.labels), 4, 0, 2, 0)
        more[1].wait_used()
    attack.control.index = 2  # as survive() has it: one pair
    values = attack.survive()
    assert set(values.values()) == {0}
    assert attack.count("broken") == 0


# --- what is refused ---


BAD_MACVTAPS = [
    ("parent=lo", "cannot make a macvtap on lo"),
    ("parent=d0,tap=host0", "host0 is there already; leave parent= out to use it, or run as root: ip link del host0"),
    ("parent=port", "port is a bridge's port, and cannot carry a macvtap; expected bridge= with a TAP instead"),
    ("parent=d0,mtu=9000", "mtu=9000"),
    ("tap=none", "there is no macvtap none; expected parent= to make one, or run as root: ip link add link PARENT name none"),
    ("tap=host0", "host0 is no macvtap; expected the name of one"),
    ("tap=mv0,mac=02:00:00:00:00:01", "but the macvtap mv0 has 02:00:00:00:00:55; expected the same, or none"),
    ("parent=d0,mac=02:00:00:00:00:66", "the address of voltmv0 is another interface's on its parent; give another with mac="),
    ("fd=0", "descriptor 0 is not that of a macvtap"),
    ("fd=9", "descriptor 9 is one of the TAP t9; expected that of a macvtap, or backend=virtio-net"),
]


def test_bad_macvtaps(parent, here):
    parent.run("ip", "link", "set", "d0", "address", "02:00:00:00:00:66")
    parent.run("ip", "link", "add", "link", "d0", "name", "mv0", "address", "02:00:00:00:00:55", "type", "macvtap", "mode",
               "bridge")
    parent.run("ip", "link", "add", "br0", "type", "bridge")
    parent.run("ip", "link", "add", "port", "type", "dummy")
    parent.run("ip", "link", "set", "port", "master", "br0")
    before = parent.interfaces()
    for value, expected in BAD_MACVTAPS:
        tap = [pathlib.Path(__file__).with_name("tapfd.py"), "t9", "9"] if value.startswith("fd=9") else []
        result = run("--net", f"backend=macvtap,{value}", "--log-path", "log", prefix=[*parent.prefix, *tap])
        assert_fault(result, STATUS_CONFIGURATION, "--net", expected)
        assert parent.interfaces() == before and list(here.iterdir()) == []


def test_a_macvtap_without_rights(parent):
    nobody = [*parent.prefix, "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]
    parent.run("ip", "link", "add", "link", "d0", "name", "mv0", "type", "macvtap", "mode", "bridge")
    index = parent.run("ip", "-o", "link", "show", "mv0").split(":")[0]

    def refused(value):
        return run("--net", f"backend=macvtap,{value}", "--dry-run", prefix=nobody)

    assert_fault(refused("parent=d0"), STATUS_CONFIGURATION, "no right to make a macvtap on d0; run as root: ip link add link d0")
    assert_fault(refused("tap=mv0"), STATUS_CONFIGURATION,
                 f"/dev/tap{index} of the macvtap mv0 is not this user's; run as root: chown USER /dev/tap{index}")
    os.chown(f"/dev/tap{index}", 65534, 65534)
    assert_fault(refused("tap=mv0"), STATUS_CONFIGURATION, "mv0 is down; run: ip link set mv0 up")
    parent.run("ip", "link", "set", "mv0", "up")
    assert refused("tap=mv0").status == 0
    with volt.Vm("--net", "backend=macvtap,tap=mv0", "--cmdline", "!", prefix=nobody) as vm:
        vm.wait_for()
        assert_fault(refused("tap=mv0"), STATUS_CONFIGURATION, "mv0 is in use by another process; give each machine a macvtap")
        vm.send()
        assert "run as root: ip link set mv0 allmulticast on" in vm.finish().err
    parent.run("ip", "link", "set", "mv0", "allmulticast", "on")
    with volt.Vm("--net", "backend=macvtap,tap=mv0,queues=2", "--cmdline", "!", prefix=nobody) as vm:
        vm.wait_for()
        vm.send()
        assert "allmulticast" not in vm.finish().err
