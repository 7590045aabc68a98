# SPDX-License-Identifier: Apache-2.0
"""A host for passt: a network namespace with one wire to the outside, and an ordinary user in it."""
import os
import pathlib
import shutil
import subprocess
import tempfile

from linux import BIN
from netns import Network

HOST, OUTSIDE = "10.20.0.2", "10.20.0.1"
HOST6, OUTSIDE6 = "fd20::2", "fd20::1"
NOBODY = 65534


class Host:
    """`network` is the host, `outside` what its default route leads to. passt gives a guest the host's own address."""

    def __init__(self):
        self.network, self.outside = Network(), Network()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="volt-passt-"))
        self.folder.chmod(0o755)
        self.own = self.folder / "own"
        self.own.mkdir()
        self.network.run("ip", "link", "set", "lo", "up")
        self.network.run("ip", "link", "add", "out", "type", "veth", "peer", "name", "in", "netns",
                         self.outside.holder.pid)
        for network, name, address, address6 in ((self.network, "out", HOST, HOST6),
                                                 (self.outside, "in", OUTSIDE, OUTSIDE6)):
            network.run("ip", "addr", "add", f"{address}/24", "dev", name)
            network.run("ip", "addr", "add", f"{address6}/64", "dev", name, "nodad")
            network.run("ip", "link", "set", name, "up")
        self.network.run("ip", "route", "add", "default", "via", OUTSIDE)
        self.network.run("ip", "-6", "route", "add", "default", "via", OUTSIDE6)
        self.network.run("sysctl", "-q", "-w", "net.ipv4.ping_group_range=0 2147483647")
        self.resolv = self.folder / "resolv.conf"
        self.resolv.write_text(f"nameserver {OUTSIDE}\n")

    def lend(self, path):
        """A copy that everybody may read."""
        copy = self.folder / pathlib.Path(path).name
        if not copy.exists():
            subprocess.run(["cp", "--sparse=always", path, copy], check=True)
            copy.chmod(0o755)
        return copy

    @property
    def prefix(self):
        """In front of a command: there, with a resolv.conf of its own, as a user without any capability."""
        # A hard disk's file and /dev/kvm are all it needs.
        os.chmod("/dev/kvm", 0o666)
        os.chown(self.own, NOBODY, NOBODY)
        return [*self.network.prefix, "unshare", "-m", "sh", "-c",
                f'mount --bind {self.resolv} /etc/resolv.conf && exec setpriv --reuid={NOBODY} --regid={NOBODY} '
                '--clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$@"', "sh"]

    @property
    def vmm(self):
        return self.lend(BIN / "volt-vmm")

    def close(self):
        self.network.close()
        self.outside.close()
        shutil.rmtree(self.folder)


def children(pid):
    """Processes started by this one."""
    return [int(word) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for word in (task / "children").read_text().split()]


def passts(network):
    """Of this namespace."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().startswith("passt") and \
                    os.readlink(path / "ns/net") == os.readlink(f"/proc/{network.holder.pid}/ns/net"):
                found.append(int(path.name))
        except OSError:
            pass  # it has ended
    return found
