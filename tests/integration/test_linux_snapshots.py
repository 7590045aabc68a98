# SPDX-License-Identifier: Apache-2.0
"""Linux under load, saved and gone on with in other processes: clocks, disks, a TCP connection."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import api
import disks
import pool
import test_net
from linux import BIN, BUILD, LIMIT_S, ROOT, Guest, make_initramfs
from netns import Network
from volt import wait_until

pytestmark = pytest.mark.linux

COMPLAINTS = "clocksource|unstable|lockup|stall|hung|skew|BUG|WARNING|I/O error|EXT4-fs|virtio|warp"
GENERATIONS = int(os.environ.get("VOLT_GENERATIONS", "4"))
PROGRAMS = {name: BUILD / "tests/guests" / name for name in ("load", "queues")}


class Echo(threading.Thread):
    """Sends back numbers, each of which must be the one after the last of its connection."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("", 0))
        self.port = self.socket.getsockname()[1]
        self.numbers, self.wrong = [], []
        self.start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            self.numbers.append(0)
            threading.Thread(target=self.serve, args=(connection, len(self.numbers) - 1), daemon=True).start()

    def serve(self, connection, which):
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                connection.sendall(part)
                data += part
                while len(data) >= 8:
                    number, data = struct.unpack("<Q", data[:8])[0], data[8:]
                    if number != self.numbers[which]:
                        self.wrong.append((which, number))
                    self.numbers[which] = number + 1


def interfaces(*lines):
    for words in lines:
        subprocess.run(["ip", *words.split()], check=True)


@pytest.fixture
def host():
    """What NICs connect to, and stays when a machine ends: TAP devices of one queue and of several, and what a macvtap is
    made on. The host's address on the Nth is 10.9.N.1."""
    interfaces("tuntap add tap0 mode tap", "tuntap add tap1 mode tap multi_queue", "link add d0 type dummy", "link set d0 up",
               "link add link d0 name host2 type macvlan mode bridge")
    for n, name in enumerate(("tap0", "tap1", "host2")):
        interfaces(f"address add 10.9.{n}.1/24 dev {name}", f"link set {name} up")
    yield
    interfaces("link delete tap0", "link delete tap1", "link delete d0")


class Nic:
    """What it is for volt-vmm, and how many queues it has."""

    def __init__(self, backend, queues=1):
        self.backend, self.queues = backend, queues
        self.network = 2 if backend == "macvtap" else int(queues > 1)

    def __str__(self):
        side = "parent=d0" if self.backend == "macvtap" else f"tap=tap{self.network}"
        return f"{side},backend={self.backend},queues={self.queues},ip=10.9.{self.network}.2/24"


class Machine:
    """A guest that loads its machine, with a connection for each queue of its NICs; its generations, one process each."""

    def __init__(self, folder, initrd, cpus, nics, echo):
        self.folder, self.nics, self.generation, self.last, self.late = folder, nics, 0, {}, None
        (folder / "snaps").mkdir()
        options = ["--cpus", cpus, *self.saving()]
        for nic in nics:
            options += ["--net", nic]
        servers = " ".join(f"10.9.{nic.network}.1 {echo.port}" for nic in nics for _ in range(nic.queues))
        if initrd is None:
            self.boot_debian(options, servers)
            return
        disk = disks.sparse(folder / "disk", 32)
        disks.run("mkfs.ext4", "-q", disk)
        words = (f"mkdir /mnt && mount -t ext4 /dev/vda /mnt && dmesg -c > /dev/null; load /mnt/records {servers}; "
                 "dmesg; echo that was all; umount /mnt")
        self.guest = Guest(folder, disks.own_kernel(), initrd, "--drive", f"path={disk},id=data", "--memory", "64M", *options,
                           command=["sh", "-c", words], stdin=subprocess.PIPE)

    def boot_debian(self, options, servers):
        made = disks.run(ROOT / "tests/host/debian-image")
        disk = self.folder / "disk"
        disks.run("cp", "--sparse=always", made, disk)
        for name, path in PROGRAMS.items():
            disks.run("debugfs", "-w", "-R", f"write {path} {name}", disk)
            disks.run("debugfs", "-w", "-R", f"set_inode_field {name} mode 0100755", disk)
        words = f"dmesg -C; PATH=/:$PATH; load /records {servers}; dmesg; echo that was all; sync"
        self.guest = Guest(self.folder, disks.own_kernel(), None, "--drive", f"path={disk},id=data,root=on", "--memory", "128M",
                           *options, command=["sh", "-c", words], stdin=subprocess.PIPE)

    def saving(self):
        return ["--api-socket", self.folder / f"api{self.generation}", "--snapshot-dir", self.folder / "snaps",
                "--track-dirty", "on"]

    def type(self, text):
        self.guest.process.stdin.write(text)
        self.guest.process.stdin.flush()

    def ask(self, words=b""):
        """The guest's figures; and its wall clock is as far from the host's as ever: it may begin with a loaded host's delay."""
        self.guest.seen = b""
        before = time.time()
        self.type(words + b"\n")
        self.guest.wait_for(" wall=")
        while not (found := re.search(rb"load (records=.*) wall=([0-9.]+)\r?\n", self.guest.seen)):
            self.guest.seen += os.read(self.guest.process.stdout.fileno(), 65536)
        after = time.time()
        figures = {name: int(value) for name, value in (word.split("=") for word in found[1].decode().split())}
        assert (figures["back"], figures["bad"]) == (0, 0), figures
        # It was read some time between the two.
        late = float(found[2]) - after, float(found[2]) - before
        self.late = self.late or late
        assert self.late[0] - 0.5 < late[1] and late[0] < self.late[1] + 0.5, (self.late, late)
        return figures

    def wait_for_work(self):
        """More of each kind of work than there was, by each connection."""
        before, end = self.ask(), time.monotonic() + LIMIT_S
        while True:
            now = self.ask()
            assert time.monotonic() < end, (before, now)
            if all(now[kind] > before[kind] + 3 for kind in now if kind not in ("back", "bad")):
                self.last = now
                return now
            time.sleep(0.1)

    def frames(self):
        """Of each queue of each NIC, as its driver counts them."""
        found = {}
        for n in range(len(self.nics)):
            self.ask(f"!queues eth{n} | grep _packets=".encode())
            for name, value in re.findall(rb"([rt]x_queue_[0-9]_packets)=([0-9]+)", self.guest.seen):
                found[n, name.decode()] = int(value)
        assert len(found) == 2 * sum(nic.queues for nic in self.nics), found
        return found

    def move(self, diff, *options, kill=True):
        """Save it, end it, and go on in another process."""
        name = self.folder / "snaps" / str(self.generation)
        wish = {"path": str(name), "resume": False}
        if diff:
            wish["base"] = str(self.folder / "snaps" / str(self.generation - 1))
        with api.Client(self.folder / f"api{self.generation}") as client:
            status, made = client.call("PUT", "/v1/snapshot", wish)
        assert status == 200 and made["kind"] == ("diff" if diff else "full"), made
        self.guest.process.kill()
        self.guest.process.communicate()
        # That of a macvtap is on the way out.
        wait_until(lambda: not pathlib.Path("/sys/class/net/voltmv0").exists(), "the end of the macvtap")
        checked = subprocess.run([BIN / "volt", "snapshot", "check", name], capture_output=True, text=True)
        assert (checked.returncode, checked.stdout) == (0, "this host can restore it\n"), checked
        self.generation += 1
        self.guest.process = subprocess.Popen(
            list(map(str, [BIN / "volt-vmm", "--restore", name, "--log-level", "info", *self.saving(), *options])),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return made


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio", binaries={f"bin/{name}": path for name, path in PROGRAMS.items()})


@pytest.mark.parametrize("nics", [(Nic("virtio-net"), Nic("macvtap")), (Nic("vhost-net"),)], ids=["tap-macvtap", "vhost-net"])
def test_debian_goes_on(tmp_path, host, nics):
    goes_on(tmp_path, None, 2, nics, moves=2)


@pytest.mark.parametrize("cpus, nic", [(1, Nic("virtio-net")), (2, Nic("macvtap", 2)), (4, Nic("virtio-net", 4)),
                                       (2, Nic("vhost-net", 2))], ids=["one", "macvtap", "four", "vhost-net"])
def test_a_machine_under_load_goes_on(tmp_path, initrd, host, cpus, nic):
    """All queues carry frames, after the last move, too."""
    goes_on(tmp_path, initrd, cpus, [nic], GENERATIONS)


def goes_on(tmp_path, initrd, cpus, nics, moves):
    echo = Echo()
    machine = Machine(tmp_path, initrd, cpus, nics, echo)
    differs = all(nic.backend != "vhost-net" for nic in nics)  # nobody notes what that writes
    machine.guest.wait_for("load records=")
    machine.wait_for_work()
    for n in range(moves - 1):
        made = machine.move(differs and n % 2 == 1)
        print(cpus, made)
        machine.wait_for_work()
    machine.move(differs and moves % 2 == 0, "--drive", f"id=data,path={tmp_path / 'last'}")
    before = machine.frames()
    machine.wait_for_work()
    after = machine.frames()
    # What comes by a macvtap goes where its own hash of the connection says.
    idle = [queue for queue in after if after[queue] < before[queue] + 3 and
            not (nics[queue[0]].backend == "macvtap" and queue[1].startswith("rx"))]
    assert idle == [], (before, after)
    machine.type(b"q\n")
    result = machine.guest.finish()
    assert result.status == 0, result.out + result.log
    # What its kernel has said since before the first move.
    said = [line for line in result.out.split("that was all")[0].splitlines() if line.startswith("[")]
    assert [line for line in said if re.search(COMPLAINTS, line)] == [], result.out
    assert echo.wrong == [] and len(echo.numbers) == sum(nic.queues for nic in nics)
    assert sum(echo.numbers) >= sum(value for kind, value in machine.last.items() if "exchanged" in kind)
    disks.run("e2fsck", "-fn", tmp_path / "last")


# --- machines of a pool ---

SERVICE = """nc -ll -p 80 -e head -c 1048576 /dev/urandom & nc -ll -p 81 -e cat /sys/class/net/eth0/address &
sleep 1; echo ready; sleep 100000"""


def fetch(network, port, what):
    """What becomes of the answer of the guest at 10.9.0.2."""
    return network.run("sh", "-c", f"busybox nc 10.9.0.2 {port} < /dev/null | {what}").strip()


def claim_elsewhere(machines, networks):
    """Two machines, on TAP devices that are made in the claimers' networks: one by itself, and one on a bridge."""
    plain, bridged = networks
    wait_until(lambda: all(n.interfaces() == {"lo"} for n in networks), "the end of the devices before")
    bridged.run("ip", "link", "add", "br0", "type", "bridge")
    bridged.run("ip", "link", "set", "br0", "up")
    claimed = [machines.claim("--wait", 100, "--net", f"id=net0,tap=web7{more}", prefix=network.prefix)
               for network, more in ((plain, ""), (bridged, ",bridge=br0"))]
    for network, name in ((plain, "web7"), (bridged, "br0")):
        network.run("ip", "address", "add", "10.9.0.1/24", "dev", name)
    return claimed


def test_machines_of_a_pool_each_on_its_own_tap(tmp_path, initrd, monkeypatch):
    """Another TAP device than the snapshot's, of the machine's number, each of which is then put into a network of its own,
    where both have the one address; or of the claimer's. What no claim can have costs no machine."""
    monkeypatch.chdir(tmp_path)
    host, networks = Network(), [Network(), Network()]
    guest = Guest(tmp_path, disks.own_kernel(), initrd, "--memory", "64M", "--net", "tap=first,ip=10.9.0.2/24", "--api-socket",
                  "api", "--snapshot-dir", ".", prefix=host.prefix, command=["sh", "-c", SERVICE])
    guest.wait_for("ready")
    with api.Client("api") as client:
        assert client.call("PUT", "/v1/snapshot", {"path": "snap", "resume": False})[0] == 200
    guest.process.kill()
    guest.process.communicate()
    with pool.Pool("--restore", "snap", "--net", "id=net0,tap=pool{n}", size=2, machine=(), prefix=host.prefix) as machines:
        machines.wait_for()
        ready, interfaces = machines.pids(), host.interfaces()
        for net, fault in (("id=other,link=off", "there is none"), ("id=net0,mac=02:00:00:00:00:01", "cannot change")):
            refused = pool.verb("claim", "--socket", "p", "--net", net)
            assert refused.returncode != 0 and fault in refused.stderr, refused
        assert machines.pids() == ready and host.interfaces() == interfaces
        claimed = [machines.claim("--id", f"web-{n}") for n in range(2)]
        for machine, network in zip(claimed, networks):
            host.run("ip", "link", "set", f"pool{machine['number']}", "netns", network.holder.pid)
            network.run("ip", "address", "add", "10.9.0.1/24", "dev", f"pool{machine['number']}")
            network.run("ip", "link", "set", f"pool{machine['number']}", "up")
        assert len({fetch(network, 81, "cat") for network in networks}) == 1  # one hardware address
        assert [int(fetch(network, 80, "wc -c")) for network in networks] == [1 << 20] * 2
        machines.wait_for()  # two others, whose devices are new
        assert len(machines.pids() - ready) == 2
        for machine in claimed:
            os.kill(machine["pid"], signal.SIGKILL)
        claimed = claim_elsewhere(machines, networks)
        assert [test_net.ping(network, "10.9.0.2") for network in networks] == [3, 3]
        assert [int(fetch(network, 80, "wc -c")) for network in networks] == [1 << 20] * 2
        for machine in claimed:
            os.kill(machine["pid"], signal.SIGKILL)
        networks[1].run("ip", "link", "delete", "br0")
        machines.stop()
        wait_until(lambda: host.interfaces() == {"lo"} and all(n.interfaces() == {"lo"} for n in networks), "the end of all devices")
    for network in (host, *networks):
        network.close()
