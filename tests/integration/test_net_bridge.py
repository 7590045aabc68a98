# SPDX-License-Identifier: Apache-2.0
"""Real Linux guests on the bridge that "volt net setup" makes by the real systemd-networkd."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from hostnet import networkd, host  # noqa: F401
from linux import ROOT, Guest, make_initramfs

pytestmark = pytest.mark.linux

CMDLINE = "console=ttyS0 loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"

LEASE = """#!/bin/busybox sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
echo "address=$ip"
"""

ASK = """
echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
busybox udhcpc -i eth0 -n -q -t 30 -s /lease
echo "resolv=$(cat /etc/resolv.conf)"
"""

# Until a router's advertisement is there, too.
FIRST = ASK + """
until ip -6 route | grep -q default; do sleep 1; done
echo ready
sleep 1000
"""

SECOND = ASK + """
until ip -6 route | grep -q default; do sleep 1; done
reaches() { ping -c 1 -W 5 "$2" | grep -c 'bytes from' | sed "s/^/$1=/"; }
reaches peer PEER
reaches host 10.86.0.1
reaches world 203.0.113.2
reaches world6 2001:db8::2
"""


@pytest.fixture
def shared():
    """A folder that every user can read, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        yield folder


def test_two_guests(networkd, shared):  # noqa: F811
    """They have addresses by DHCP and router advertisements, reach each other and a network that knows nothing of
    them; one is an ordinary user's, on a TAP device made for it. Afterwards all is as before."""
    networkd.uplink()
    before = networkd.interfaces()
    networkd.done("setup", "--ipv6", "fd00:86::1/64", "--dns", "9.9.9.9", "--tap", "tap0", "--owner", "nobody")
    initrd = make_initramfs(shared / "initrd.cpio", {"/lease": LEASE})
    built = subprocess.run([ROOT / "kernel/build"], check=True, capture_output=True, text=True)
    kernel = shutil.copy(f"{built.stdout.strip()}/vmlinux", shared)
    guests, nobody = {}, ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]
    for name, prefix, option in [("first", nobody, ["--tap", "tap0"]), ("second", [], ["--net-bridge", "volt0"])]:
        folder = shared / name
        folder.mkdir()
        folder.chmod(0o777)
        script = FIRST if name == "first" else SECOND.replace("PEER", guests["first"].address)
        guest = Guest(folder, kernel, initrd, "--memory", "128M", "--cmdline", CMDLINE, *option,
                      prefix=[*networkd.prefix, *prefix], command=["busybox", "sh", "-c", "chmod 755 /lease;" + script])
        guests[name] = guest
        if name == "first":
            guest.wait_for("ready\r\n")
            text = guest.seen.decode().replace("\r\n", "\n")
            guest.address = text.partition("address=")[2].split("\n")[0]
    result = guests["second"].finish()
    assert [result.value(what) for what in ("peer", "host", "world", "world6")] == ["1"] * 4, result.out + result.log
    assert result.value("resolv") == "nameserver 9.9.9.9"
    (status,) = networkd.status()
    assert {lease["address"] for lease in status["leases"]} == {guests["first"].address, result.value("address")}
    assert [port for port in status["ports"] if port["name"] == "tap0"] == [
        {"name": "tap0", "carrier": True, "made_by_setup": True, "owner": "nobody"}]
    networkd.refused(1, "teardown", expect="tap0 uses volt0; end the machine that has it first, or give --force")
    guests["first"].send()
    guests["first"].finish()
    networkd.done("teardown")
    assert (networkd.interfaces(), networkd.files(), networkd.run("nft", "list", "ruleset")) == (before, [], "")
