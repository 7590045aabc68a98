# SPDX-License-Identifier: Apache-2.0
"""passt as volt-vmm's user sees it, with a bare guest: what is refused, with which words, and what is left behind:
nothing. And a peer on passt's socket that sends what it likes."""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

import pytest

import volt
from api import START, Client, wait_for_socket
from hostnet import program
from netns import network  # noqa: F401
from passt_host import passts
from test_hostile_nets import CTRL_VQ, MRG_RXBUF, Attack
from virtio_driver import DATA, HEADERS, VERSION_1, WRITE
from volt import STATUS_CONFIGURATION, Vm, assert_fault, run, wait_until

WAITING = ("--cmdline", "!")  # prints "ready", then halts


@pytest.fixture
def routed(network):  # noqa: F811
    """A host with a default route, which leads nowhere."""
    network.run("ip", "link", "set", "lo", "up")
    network.run("ip", "tuntap", "add", "out", "mode", "tap")
    network.run("ip", "link", "set", "out", "up")
    network.run("ip", "addr", "add", "10.20.0.2/24", "dev", "out")
    network.run("ip", "route", "add", "default", "via", "10.20.0.1")
    return network


def sockets(network):  # noqa: F811
    """What listens there."""
    return {line.split()[4] for line in network.run("ss", "-Hlntu").splitlines()}


def test_one_and_its_end(routed):
    with Vm("--net-backend", "passt", "-p", "8080:80", "-p", "5353-5354:53-54/udp", "-p", "127.0.0.1:8081-8083:81-83", *WAITING, prefix=routed.prefix) as vm:
        vm.wait_for()
        assert len(passts(routed)) == 1
        assert sockets(routed) == {"0.0.0.0:8080", "127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:8083", "0.0.0.0:5353", "0.0.0.0:5354"}
        # Its signals are its own: the terminal's are for volt-vmm.
        assert os.getpgid(passts(routed)[0]) == passts(routed)[0]
        vm.send()
        vm.send()
        assert vm.finish().status == 1
    assert passts(routed) == [] and sockets(routed) == set()


def test_one_that_requests_configure(routed, here):
    """It is run behind the filter of a volt-vmm that waits, and keeps that."""
    with Vm(*START, kernel=None, prefix=routed.prefix) as vm:
        wait_for_socket()
        with Client() as client:
            assert client.call("PATCH", "/v1/vm/config", {
                "kernel": str(volt.guest("do")), "cmdline": "!", "nets": [{"backend": "passt", "publish": "8080:80"}]})[0] == 200
            assert client.act("start") == (200, {"state": "running"})
            vm.wait_for()
            assert len(passts(routed)) == 1 and sockets(routed) == {"0.0.0.0:8080"}
            client.act("kill")
            assert vm.finish().status == 1
    assert passts(routed) == [] and sockets(routed) == set()


def test_a_monitor_that_is_killed(routed):
    with Vm("-p", "8080:80", *WAITING, prefix=routed.prefix) as vm:
        vm.wait_for()
        assert len(passts(routed)) == 1
        vm.send(signal.SIGKILL)
        vm.finish()
        wait_until(lambda: passts(routed) == [], "the end of passt")


def test_passt_that_is_killed(routed):
    """Said at once, whether or not the guest looks; and the machine goes on."""
    with Vm("-p", "8080:80", *WAITING, prefix=routed.prefix) as vm:
        vm.wait_for()
        os.kill(passts(routed)[0], signal.SIGKILL)
        vm.wait_for(b"the link is down", fd=vm.process.stderr.fileno())
        assert b"net0: passt has ended by signal 9" in vm.seen
        assert vm.process.poll() is None
    assert passts(routed) == []


def test_again_at_once(routed):
    """The port is free when volt-vmm has ended."""
    for _ in range(10):
        assert run("-p", "8080:80", prefix=routed.prefix).status == 0


LISTEN = "import socket, sys; s = socket.socket(socket.AF_INET, getattr(socket, sys.argv[1])); " \
         "s.bind((sys.argv[2], int(sys.argv[3]))); s.type == socket.SOCK_STREAM and s.listen(); print('x', flush=True); input()"


@pytest.mark.parametrize("kind, address, port, fault", [
    ("SOCK_STREAM", "0.0.0.0", "8080:80", "TCP port 8080 is in use by another process"),
    ("SOCK_STREAM", "127.0.0.1", "8080:80", "TCP port 8080 is in use by another process"),
    ("SOCK_STREAM", "127.0.0.1", "127.0.0.1:8080:80", "TCP port 8080 of 127.0.0.1 is in use"),
    ("SOCK_STREAM", "0.0.0.0", "8078-8080:78-80", "TCP port 8080 is in use by another process"),
    ("SOCK_DGRAM", "0.0.0.0", "8080:80/udp", "UDP port 8080 is in use by another process"),
])
def test_port_taken(routed, kind, address, port, fault):
    with subprocess.Popen([*routed.prefix, sys.executable, "-c", LISTEN, kind, address, "8080"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"x\n"
        for dry in ((), ("--dry-run",)):
            assert_fault(run("-p", port, "-p", "8081:80", *dry, prefix=routed.prefix), STATUS_CONFIGURATION, fault)
        holder.communicate()
    assert passts(routed) == [] and sockets(routed) == set()


def test_other_mistakes(routed, tmp_path):
    def refused(*options):
        return run(*options, prefix=routed.prefix)

    assert_fault(refused("-p", "10.1.2.3:8080:80"), STATUS_CONFIGURATION, "10.1.2.3 is no address of this host")
    assert_fault(refused("-p", "80"), STATUS_CONFIGURATION, "80: expected [ADDRESS:]HOSTPORT:GUESTPORT[/udp]")
    assert_fault(refused("-p"), STATUS_CONFIGURATION, "--publish: expected a value")
    assert_fault(refused("--net", f"backend=passt,socket={tmp_path}/none"), STATUS_CONFIGURATION,
                 "cannot reach a passt there; run: passt --socket", "No such file")
    routed.run("ip", "route", "del", "default")
    assert_fault(refused("-p", "8080:80"), STATUS_CONFIGURATION, "passt ended with status 1: ",
                 "passt needs a default route on this host")
    assert passts(routed) == [] and sockets(routed) == set()


def test_without_passt(tmp_path):
    result = run("--net-backend", "passt", env={**os.environ, "PATH": str(tmp_path)})
    assert_fault(result, STATUS_CONFIGURATION, "passt is not installed; run: apt install passt")


def test_doctor(tmp_path):
    """One that is not there, one that does not run, and the real one."""
    def finding(path):
        done = subprocess.run([volt.BUILD / "bin/volt", "doctor", "--json"], capture_output=True, text=True,
                              env={**os.environ, "PATH": str(path)})
        return json.loads(done.stdout)["checks"]["passt"]

    assert (finding(tmp_path)["status"], finding(tmp_path)["remedy"]) == ("missing", "apt install passt")
    program(tmp_path, "passt", "echo broken >&2; exit 1")
    assert finding(tmp_path)["status"] == "missing" and "broken" in finding(tmp_path)["what"]
    real = finding(os.environ["PATH"])
    assert real["status"] == "ok" and real["what"].startswith("passt ") and real["remedy"] is None


def test_low_port(routed):
    routed.run("sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=1024")
    powerless = [*routed.prefix, "setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    if os.geteuid() == 0:
        powerless[-1:] = ["--inh-caps=-all", "--reuid=65534", "--clear-groups"]
    assert_fault(run("-p", "80:80", "--dry-run", prefix=powerless), STATUS_CONFIGURATION,
                 "TCP port 80: ports below 1024 are root's", "ip_unprivileged_port_start=80")


# --- a peer that sends what it likes ---

def frame(length, content=None):
    return struct.pack(">I", length) + bytes(length if content is None else content)


class Peer(threading.Thread):
    """Behind the socket of a passt that is there already: sends this once somebody is connected, and reads, or not;
    ends the connection, or holds it."""

    def __init__(self, path, data, reads=True, ends=False):
        super().__init__(daemon=True)
        self.data, self.reads, self.ends, self.got = data, reads, ends, b""
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen()
        self.start()

    def run(self):
        connection, _ = self.server.accept()
        try:
            for part in self.data:
                connection.sendall(part)
            if self.ends:
                connection.close()
                return
            while self.reads and (part := connection.recv(1 << 16)):
                self.got += part
        except OSError:
            pass  # volt-vmm has closed it
        self.connection = connection  # held


class Nowhere:
    prefix = []


class PeerAttack(Attack):
    def __init__(self, folder, monkeypatch, data=(), **how):
        super().__init__(folder, Nowhere, monkeypatch)
        self.peer = Peer(folder / "socket", data, **how)
        self.net = f"backend=passt,socket={folder / 'socket'},id=victim"

    def start(self, features=VERSION_1 | MRG_RXBUF | CTRL_VQ):
        super().start(features)

    def offer_buffers(self, count=8):
        """As many receive buffers of 2 KiB as there is room for."""
        for i in range(count):
            self.rx.describe(i, DATA + 0x1000 * i, 2048, WRITE)
        self.rx.submit(*range(count))


HOSTILE = {
    "huge": [frame(60), frame(1 << 31, 0)],
    "all ones": [b"\xff" * 200],
    "one too long": [frame(65535 + 19, 100)],
    "closed in the length": [frame(60) + b"\0\0"],
    "closed in the frame": [frame(60) + frame(1500, 700)],
    "closed at once": [],
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_peer_that_breaks_the_rules(tmp_path, monkeypatch, data):
    """The link ends; the guest's queues go on, and all that it sends comes back to it."""
    attack = PeerAttack(tmp_path, monkeypatch, data, ends=not any(len(part) > 100 or part[:1] > b"\x7f" for part in data))
    attack.start()
    attack.offer_buffers()
    for i in range(20):
        attack.send(14 + i)
    attack.survive("--log-level", "info")
    assert attack.count("broken") == 0
    assert attack.count("rx_packets") <= 1


def test_odd_frames(tmp_path, monkeypatch):
    """Empty ones, and such as are shorter than Ethernet's header, are dropped; byte by byte they come all the same."""
    data = [frame(0) * 100, frame(13), frame(1)] + [bytes([b]) for b in frame(60) + frame(14)]
    attack = PeerAttack(tmp_path, monkeypatch, data)
    attack.start()
    attack.offer_buffers()
    attack.rx.wait_used(2)
    attack.survive()
    assert attack.count("broken") == 0


def test_peer_that_does_not_read(tmp_path, monkeypatch):
    """The driver waits for its frames to be taken; a reset frees it."""
    attack = PeerAttack(tmp_path, monkeypatch, reads=False)
    attack.start()
    attack.header()
    attack.tx.chain((HEADERS, 12, 0), (DATA, 60000, 0))
    attack.tx.submit(*[0] * 8)
    attack.nic.reset()
    attack.start()
    # Not survive(): no frame gets through any more. The guest still powers off.
    result = attack.program.run(tmp_path, "--net", attack.net, "--metrics-path", tmp_path / "metrics")
    assert result.status == 0, result
    nic = volt.metrics(tmp_path / "metrics")["nets"]["victim"]
    assert nic["broken"] == 0 and nic["tx_dropped"] == 0 and nic["tx_packets"] < 8
