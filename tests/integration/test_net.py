# SPDX-License-Identifier: Apache-2.0
"""Real Linux guests on a TAP device: what goes to and fro, by which queues, and how fast."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

from linux import BUILD, Guest, Kernels, make_initramfs
from netns import network  # noqa: F401

pytestmark = pytest.mark.linux

OWN = "own-vmlinux"
CMDLINE = "console=ttyS0 loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"
HOST, HOST6 = "10.9.0.1", "fd00:9::1"
ADDRESS, ADDRESS6 = "10.9.0.2", "fd00:9::2"
MIB = 1 << 20


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio",
                          binaries={"bin/queues": BUILD / "tests/guests/queues"})


def give_addresses(network, interface):  # noqa: F811
    network.run("ip", "addr", "add", f"{HOST}/24", "dev", interface)
    network.run("ip", "addr", "add", f"{HOST6}/64", "dev", interface, "nodad")
    network.run("ip", "link", "set", interface, "up")


@pytest.fixture
def tap(network):  # noqa: F811
    network.run("ip", "link", "set", "lo", "up")
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap")
    give_addresses(network, "tap0")
    return network


def start(network, folder, kernel, initrd, *options, command, address=ADDRESS, more=""):  # noqa: F811
    line = f"{CMDLINE} volt.ip={address}/24,{HOST},9.9.9.9 volt.ip={ADDRESS6}/64,{HOST6} {more}"
    return Guest(folder, kernel, initrd, "--memory", "256M", "--cmdline", line, *options, prefix=network.prefix,
                 command=["sh", "-c", command])


class Peer:
    """A peer.py that listens, or floods."""

    def __init__(self, network, *words):  # noqa: F811
        script = pathlib.Path(__file__).with_name("peer.py")
        self.process = subprocess.Popen([*network.prefix, sys.executable, script, *map(str, words)],
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def result(self):
        out, _ = self.process.communicate(timeout=120)
        return out.split()


def ping(network, address, count=3, wait=5):  # noqa: F811
    out = network.run("busybox", "ping", "-c", count, "-W", wait, address, check=False)
    return int(re.search(r"(\d+) packets received", out).group(1))


FACTS = f"""
ping -c 3 {HOST} | grep -c 'bytes from' | sed s/^/ping=/
ping -c 3 {HOST6} | grep -c 'bytes from' | sed s/^/ping6=/
echo "resolv=$(cat /etc/resolv.conf)"
echo "route=$(ip route | grep default)"
echo "route6=$(ip -6 route | grep default)"
echo "mac=$(cat /sys/class/net/eth0/address)"
echo "mtu=$(cat /sys/class/net/eth0/mtu)"
echo "carrier=$(cat /sys/class/net/eth0/carrier)"
echo ready; sleep 1000
"""


def test_ping(tap, tmp_path, kernels, initrd):
    """Both ways, by IPv4 and IPv6; addresses, routes and name server are those of the command line; and
    when the TAP device goes, the guest sees its link go down."""
    guest = start(tap, tmp_path, kernels[OWN], initrd, "--net", "tap=tap0,mac=02:00:00:00:00:77,mtu=1400", command=FACTS)
    guest.wait_for("ready\r\n")
    assert (ping(tap, ADDRESS), ping(tap, ADDRESS6)) == (3, 3)
    guest.send()
    result = guest.finish()
    assert (result.value("ping"), result.value("ping6")) == ("3", "3"), result.out + result.log
    assert result.value("resolv") == "nameserver 9.9.9.9"
    assert result.value("route").split()[:5] == ["default", "via", HOST, "dev", "eth0"]
    assert result.value("route6").split()[:5] == ["default", "via", HOST6, "dev", "eth0"]
    assert (result.value("mac"), result.value("mtu"), result.value("carrier")) == ("02:00:00:00:00:77", "1400", "1")
    nic = result.metrics["nets"]["net0"]
    assert nic["rx_packets"] > 12 and nic["tx_packets"] > 12
    assert (nic["rx_dropped"], nic["tx_dropped"], nic["tx_bad_headers"], nic["broken"]) == (0, 0, 0, 0)


def test_link_down(tap, tmp_path, kernels, initrd):
    guest = start(tap, tmp_path, kernels[OWN], initrd, "--tap", "tap0",
                  command="echo ready; while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 0.1; done; echo down=1")
    guest.wait_for("ready\r\n")
    tap.run("ip", "link", "del", "tap0")
    result = guest.finish()
    assert result.status == 0 and result.value("down") == "1"
    assert "the host's side is gone" in result.log


def transfer(network, guest_start, size):  # noqa: F811
    """`size` bytes each way; the guest prints the digest of what it got, and of what it sent."""
    down, up = Peer(network, "send", 5001, size), Peer(network, "take", 5002)
    result = guest_start().finish()
    assert result.status == 0, result.out + result.log
    assert result.value("down") == down.result()[0]
    digest, count, _ = up.result()
    assert (digest, int(count)) == (result.value("up"), size)
    return result


BUSYBOX_TRANSFER = f"""
dd if=/dev/urandom of=/data bs=64k count={20 * MIB >> 16} 2>/dev/null
echo "down=$(nc {HOST} 5001 < /dev/null | sha512sum | cut -d ' ' -f 1)"
echo "up=$(sha512sum /data | cut -d ' ' -f 1)"
echo "before=$(cat /sys/class/net/eth0/statistics/tx_packets)"
nc -w 5 {HOST} 5002 < /data > /dev/null
"""


def test_tcp(network, tmp_path, kernels, initrd):  # noqa: F811
    """By two queues, both of which carry frames each way: what a processor sends is its own queue's, and so are
    the answers."""
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap", "multi_queue")
    give_addresses(network, "tap0")
    result = transfer(network, lambda: start(
        network, tmp_path, kernels[OWN], initrd, "--cpus", "2", "--net", "tap=tap0,queues=2,iothreads=2",
        command=BUSYBOX_TRANSFER + EACH_QUEUE), 20 * MIB)
    for queue in range(2):
        for direction in ("rx", "tx"):
            assert int(result.value(f"{direction}_queue_{queue}_packets")) > 2, result.out
    nic = result.metrics["nets"]["net0"]
    assert nic["rx_bytes"] > 20 * MIB and nic["tx_bytes"] > 20 * MIB and nic["tx_bad_headers"] == 0
    # Segments of up to 64 KiB go through as one; what answers the other way's is not counted.
    assert nic["tx_packets"] - int(result.value("before")) < 20 * MIB / 4000


EACH_QUEUE = f"""
for cpu in 0 1; do taskset -c $cpu ping -c 5 -i 0.2 {HOST} > /dev/null; done
queues eth0 | grep packets
"""


def test_two_guests_on_a_bridge(network, tmp_path, kernels, initrd):  # noqa: F811
    network.run("ip", "link", "add", "volt0", "type", "bridge")
    give_addresses(network, "volt0")
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    first = start(network, folders[0], kernels[OWN], initrd, "--net-bridge", "volt0",
                  command="httpd -p 80 -h /; echo ready; sleep 1000")
    first.wait_for("ready\r\n")
    line = f"{CMDLINE} volt.ip=10.9.0.3/24"
    second = Guest(folders[1], kernels[OWN], initrd, "--net-bridge", "volt0", "--memory", "256M", "--cmdline", line,
                   prefix=network.prefix, command=["sh", "-c", f"""
ping -c 3 {ADDRESS} | grep -c 'bytes from' | sed s/^/ping=/
ping -c 3 {HOST} | grep -c 'bytes from' | sed s/^/host=/
echo "got=$(wget -q -O - http://{ADDRESS}/bin/busybox | sha512sum | cut -d ' ' -f 1)"
echo "own=$(sha512sum /bin/busybox | cut -d ' ' -f 1)" """])
    result = second.finish()
    first.send()
    first.finish()
    assert (result.value("ping"), result.value("host")) == ("3", "3"), result.out + result.log
    assert result.value("got") == result.value("own")
    assert network.interfaces() == {"lo", "volt0"}


# Slow enough for a guest on the testbed's processor, whose every packet takes a millisecond.
RATE, SECONDS = 256 << 10, 20


def assert_rate(nic, direction, seconds):
    """What was counted on the wire, for the time that it took."""
    assert nic[f"{direction}_throttled"] > 10
    assert 0.9 * RATE < nic[f"{direction}_bytes"] / seconds < 1.1 * RATE


def test_rate_from_the_guest(tap, tmp_path, kernels, initrd):
    up = Peer(tap, "take", 5002)
    result = start(tap, tmp_path, kernels[OWN], initrd, "--net", f"tap=tap0,tx-rate={RATE},tx-burst=64K",
                   command=f"dd if=/dev/zero bs=64k count={RATE * SECONDS >> 16} 2>/dev/null | nc -w 5 {HOST} 5002").finish()
    assert result.status == 0, result.out + result.log
    _, count, seconds = up.result()
    assert int(count) == RATE * SECONDS
    assert_rate(result.metrics["nets"]["net0"], "tx", float(seconds))


def test_rate_to_the_guest(tap, tmp_path, kernels, initrd):
    down = Peer(tap, "send", 5001, RATE * SECONDS)
    result = start(tap, tmp_path, kernels[OWN], initrd, "--net", f"tap=tap0,rx-rate={RATE},rx-burst=64K",
                   command=f"set -- $(cat /proc/uptime); a=$1; n=$(nc {HOST} 5001 < /dev/null | wc -c); "
                           "set -- $(cat /proc/uptime); echo took=$n,$a,$1").finish()
    down.result()
    count, begin, end = map(float, result.value("took").split(","))
    assert int(count) == RATE * SECONDS
    assert_rate(result.metrics["nets"]["net0"], "rx", end - begin)


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) << 10


def flood(network, guest, seconds, address=ADDRESS):  # noqa: F811
    """Small datagrams, for so long or as VOLT_FLOOD says; then it answers, and the monitor has not grown. All of guest memory is
    to be there from the start."""
    seconds = int(os.environ.get("VOLT_FLOOD", seconds))
    Peer(network, "flood", address, 1 + seconds // 10).result()
    before = resident(guest.process.pid)
    sent = int(Peer(network, "flood", address, seconds).result()[0])
    answers, grown = ping(network, address), resident(guest.process.pid) - before
    print(f"flood: {sent} datagrams in {seconds} s, {answers} of 3 answers, {grown >> 10} KiB more")
    assert sent > 1000 and answers >= 2 and grown < MIB
    return sent


def test_flood(tap, tmp_path, kernels, initrd):
    guest = start(tap, tmp_path, kernels[OWN], initrd, "--tap", "tap0", "--prefault", "on", command="echo ready; sleep 1000")
    guest.wait_for("ready\r\n")
    flood(tap, guest, 15)
    guest.send()
    assert guest.finish().metrics["nets"]["net0"]["broken"] == 0
