# SPDX-License-Identifier: Apache-2.0
"""A host of its own for tests of "volt net": network and mount namespaces, its own /run and /etc/systemd/network,
and the real systemd-networkd in it, with a message bus, wherever the tests run and as whom."""
import json
import os
import pathlib
import subprocess
import time

import pytest

import volt
from netns import Network

VOLT = volt.BUILD / "bin/volt"
NETWORKD = "/lib/systemd/systemd-networkd"
UNITS = "/etc/systemd/network"

# Everybody may do everything: the bus is the namespace's.
BUS = """<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/><allow eavesdrop="true"/>
</policy></busconfig>"""

# A read-only /sys tells systemd-networkd that there is no udev to wait for; nobody waits a second until an address
# turns out to be no other's. In a user namespace there is one user
# only, so that is who it becomes.
SET_UP = f"""
set -e
mount --make-rprivate /
mount -t tmpfs run /run
mkdir -p /run/dbus /run/netns /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs network {UNITS}
if [ "$1" = 0 ]; then
	chown -R systemd-network:systemd-network /run/systemd/netif
else
	sed 's/^\\(systemd-network:[^:]*\\):[0-9]*:[0-9]*/\\1:0:0/' /etc/passwd > /run/passwd
	sed 's/^\\(systemd-network:[^:]*\\):[0-9]*/\\1:0/' /etc/group > /run/group
	mount --bind /run/passwd /etc/passwd
	mount --bind /run/group /etc/group
fi
cat > /run/dbus.conf
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
echo there
exec sleep infinity
"""

LEASE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
[ -z "$router" ] || ip route add default via $router
echo "address=$ip dns=$dns"
"""


LOOK = f"""
ip -j addr; echo ----
ip -j -4 route show table all; echo ----
ip -j -6 route show table all; echo ----
nft list ruleset
grep -rs '' /proc/sys/net/ipv4 /proc/sys/net/ipv6 | sort
ls -A /run | grep -v -e dbus -e mount
ls -lA {UNITS} | tail -n +2
grep -r '' {UNITS}
true
"""


class Host(Network):
    """`run`, as root of the host; `volt` runs the command, `guest` makes a peer on the bridge."""

    def __init__(self):
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            pytest.skip("no /dev/net/tun here")
        user = os.geteuid()
        self.daemons = {}
        self.holder = subprocess.Popen(["unshare", "-nm" if user == 0 else "-rnm", "sh", "-c", SET_UP, "sh", str(user)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.holder.stdin.write(BUS.encode())
        self.holder.stdin.close()
        assert self.holder.stdout.readline() == b"there\n", "no namespaces here"
        self.write("/run/lease", LEASE)
        self.run("chmod", "755", "/run/lease")

    @property
    def prefix(self):
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", *user, "-m", "-n", "-t", str(self.holder.pid)]

    def write(self, path, text):
        subprocess.run([*self.prefix, "tee", path], input=text, text=True, check=True, stdout=subprocess.DEVNULL)

    def read(self, path):
        return self.run("cat", path)

    def files(self, folder=UNITS):
        return sorted(self.run("ls", folder).split())

    # --- daemons ---

    def start(self, name, *command):
        self.daemons[name] = subprocess.Popen([*self.prefix, *command], stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL)

    def stop(self, name):
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def start_networkd(self):
        if "bus" not in self.daemons:
            self.start("bus", "dbus-daemon", "--config-file=/run/dbus.conf", "--nofork", "--nopidfile")
        self.start("networkd", NETWORKD)
        volt.wait_until(lambda: "true" in self.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                                   "org.freedesktop.DBus", "NameHasOwner", "s",
                                                   "org.freedesktop.network1", check=False), "systemd-networkd")

    def close(self):
        for name in list(self.daemons):
            self.stop(name)
        super().close()

    # --- volt net ---

    def volt(self, *words, before=()):
        done = subprocess.run([*self.prefix, *before, VOLT, "net", *map(str, words)], capture_output=True, text=True,
                              timeout=volt.LIMIT_S)
        return done

    def done(self, *words, **more):
        """It succeeded; its lines."""
        result = self.volt(*words, **more)
        assert result.returncode == 0 and result.stderr == "", (words, result)
        return result.stdout.splitlines()

    def refused(self, status, *words, expect, **more):
        """It failed with one line that has this in it; what it printed before."""
        result = self.volt(*words, **more)
        assert result.returncode == status and len(result.stderr.splitlines()) == 1, (words, result)
        assert expect in result.stderr, (expect, result.stderr)
        return result.stdout.splitlines()

    def status(self):
        return json.loads(self.volt("status", "--json").stdout)

    # --- peers ---

    def namespace(self, name):
        self.run("ip", "netns", "add", name)
        self.inside(name, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; ip link set lo up")

    def uplink(self):
        """A network that knows nothing of ours, behind the interface "up0"."""
        self.namespace("world")
        self.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "world")
        for where, interface, end in [((), "up0", 1), (("-n", "world"), "eth0", 2)]:
            self.run("ip", *where, "link", "set", interface, "up")
            self.run("ip", *where, "addr", "add", f"203.0.113.{end}/24", "dev", interface)
            self.run("ip", *where, "addr", "add", f"2001:db8::{end}/64", "dev", interface, "nodad")

    def guest(self, name, bridge="volt0"):
        """A namespace on the bridge, as a guest would be."""
        self.namespace(name)
        self.run("ip", "link", "add", f"p-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self.run("ip", "-n", name, "link", "set", "eth0", "up")
        self.run("ip", "link", "set", f"p-{name}", "master", bridge, "up")

    def inside(self, name, *words, check=True):
        return self.run("ip", "netns", "exec", name, *words, check=check)

    def lease(self, name):
        """What DHCP gives: the address, and the name servers."""
        out = self.inside(name, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-t", "20", "-T", "1", "-s", "/run/lease")
        line = next(line for line in out.splitlines() if line.startswith("address="))
        return [word.partition("=")[2] for word in line.split(" ", 1)]

    def reaches(self, name, address):
        return "1 packets received" in self.inside(name, "busybox", "ping", "-c", "1", "-W", "5", address, check=False)

    def forget(self, *names):
        for name in names:
            self.run("ip", "link", "del", f"p-{name}")
            self.run("ip", "netns", "del", name)

    # --- what there is ---

    def look(self):
        """All that "volt net" may change: interfaces, addresses, routes, settings, nftables and files."""
        links, routes, routes6, rest = self.run("sh", "-c", LOOK).split("----\n")
        links, routes = json.loads(links), json.loads(routes or "[]") + json.loads(routes6 or "[]")
        for link in links:
            link.pop("operstate")
            link["flags"] = set(link["flags"]) - {"NO-CARRIER", "LOWER_UP"}
        for route in routes:
            route.pop("flags")
        return {"links": links, "routes": routes, "rest": rest.splitlines()}

    def state(self):
        """The same, once it stays so: some things the kernel does only when a moment has passed."""
        states = [self.look()]
        while len(states) < 2 or states[-1] != states[-2]:
            time.sleep(0.05)
            states.append(self.look())
        return states[-1]

    def becomes(self, state):
        """It is so, or is soon."""
        for _ in range(100):
            now = self.look()
            if now == state:
                return True
            time.sleep(0.05)
        for key in state:
            assert now[key] == state[key], key


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


@pytest.fixture
def networkd(host):
    """A host on which systemd-networkd runs."""
    host.start_networkd()
    return host


def program(folder, name, text):
    """A program of that name, which comes before the real one in PATH: "env" and its arguments."""
    path = pathlib.Path(folder) / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return ["env", f"PATH={folder}:{os.environ['PATH']}"]
