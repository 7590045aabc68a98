# SPDX-License-Identifier: Apache-2.0
"""Another TAP device for a NIC of a machine that is there: by its descriptors, beside a request."""
import contextlib
import http.client
import json
import os
import socket
import subprocess

import pytest

import api
import hostile
import nsfd
import volt
from api import START, Client, waiting  # noqa: F401 (fixture)
from netns import network  # noqa: F401 (fixture)
from virtio_driver import CONFIG, DATA, HEADERS, RINGS, VERSION_1, WRITE, Device, Program, Queue

NET0 = "/v1/vm/nets/net0"
MAC = bytes.fromhex("020000000001")
SEVERAL = 1 << 22  # VIRTIO_NET_F_MQ
CONTROL = 1 << 17


def frame(mark):
    return b"\xff" * 6 + MAC + nsfd.ETHERTYPE.to_bytes(2, "big") + bytes([mark]) * 46


class Guest:
    """A driver of one NIC. At each byte of input it sends a frame, or waits for one, as the steps say in turn."""

    def __init__(self, steps, pairs=1):
        self.program = Program()
        nic = Device(self.program, 0)
        self.rx, self.tx, control = (Queue(nic, i, at=RINGS + 0x4000 * i) for i in range(3))
        others = []
        if pairs > 1:
            control.index = 2 * pairs
            others = [control, *(Queue(nic, i, at=RINGS + 0x4000 * (i + 1)) for i in range(2, 2 * pairs))]
        nic.start(self.rx, self.tx, *others, features=VERSION_1 | (SEVERAL | CONTROL if pairs > 1 else 0))
        if pairs > 1:
            self.program.fill(HEADERS + 0x100, bytes([4, 0, pairs, 0]))
            control.submit(control.chain((HEADERS + 0x100, 4, 0), (HEADERS + 0x200, 1, WRITE)))
            control.wait_used()
        for i in range(8):
            self.rx.chain((DATA + 0x1000 * i, 2048, WRITE), first=i)
        self.rx.submit(*range(8))
        self.received = 0
        self.program.words.append("!")
        for step in steps:
            self.program.words.append("x")
            getattr(self, step)(nic)
            self.program.words.append("!")

    def send(self, _):
        """Behind its header."""
        self.program.fill(HEADERS, bytes(12) + frame(self.tx.offered + 1))
        self.tx.submit(self.tx.chain((HEADERS, 72, 0)))
        self.tx.wait_used()

    def take(self, _):
        """Prints the frame's last byte but one."""
        self.received += 1
        self.rx.wait_used(self.received)
        self.program.read(f"frame {self.received}", DATA + 0x1000 * (self.received - 1) + 12 + 58, 1)

    def link(self, nic):
        nic.get(len(self.program.labels), CONFIG + 6, 2)


def be_silent(network):  # noqa: F811
    """No frame but a test's comes out of an interface that is made from now on."""
    network.run("sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")


class Machine(volt.Vm):
    """One with such a guest, its NIC on the TAP device t0, that is spoken to by its console."""

    def __init__(self, folder, network, steps, *options, tap="t0", net="", pairs=1):  # noqa: F811
        be_silent(network)
        self.network, self.guest = network, Guest(steps, pairs)
        (folder / "words").write_bytes(self.guest.program.text(volt.POWEROFF))
        super().__init__("--initrd", folder / "words", "--net", f"id=net0,tap={tap}{net}", *START, *options, prefix=network.prefix,
                         stdin=subprocess.PIPE)
        self.wait_for()

    def step(self):
        """Let the guest do the next one, without waiting."""
        self.seen = self.seen.replace(b"ready\n", b"")
        self.type(b".")

    def sends(self, name, mark):
        """A frame comes out of this interface, and is this one."""
        with nsfd.open_packet(self.network, name) as host:
            self.step()
            assert host.recv(2048) == frame(mark)
        self.wait_for()

    def takes(self, name, mark):
        """A frame goes in there."""
        with nsfd.open_packet(self.network, name) as host:
            self.step()
            host.send(frame(mark))
            self.wait_for()

    def ends(self, *marks):
        result = self.finish()
        assert result.status == 0, result.err
        result.out = result.out.replace(b"ready\n", b"")
        assert tuple(self.guest.program.values(result.out).values()) == marks


class Passer(Client):
    """One whose requests bring descriptors."""

    def pass_to(self, method, path, fds, body=None, raw=None):
        text = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n".encode()
        if self.connection.sock is None:
            self.connection.connect()
        socket.send_fds(self.connection.sock, [raw or head + text], fds)
        return self.answer(method)

    def answer(self, method="PATCH"):
        reply = http.client.HTTPResponse(self.connection.sock, method=method)
        reply.begin()
        return reply.status, json.loads(reply.read())

    def exchange(self, name, fds, **more):
        """The descriptors are only the machine's afterwards."""
        try:
            return self.pass_to("PATCH", NET0, fds, {"tap": name, **more})
        finally:
            close(fds)


def close(fds):
    for fd in fds:
        os.close(fd)


def descriptors(vm):
    return sorted(os.readlink(f"/proc/{vm.pid}/fd/{n}") for n in os.listdir(f"/proc/{vm.pid}/fd"))


@pytest.mark.parametrize("net", ["", ",iothreads=1"])
def test_frames_go_where_the_nic_is(network, here, net):  # noqa: F811
    """Exchanged while it runs, while it is paused, and where it was before."""
    with Machine(here, network, ["send", "take"] * 4, net=net) as vm, Passer() as client:
        vm.sends("t0", 1)
        vm.takes("t0", 1)
        client.state()
        before = descriptors(vm) if os.geteuid() == 0 else None
        for mark, (name, paused) in enumerate([("t1", False), ("t2", True), ("t0", False)], 2):
            fds = nsfd.open_tap(network, name)
            if paused:
                client.act("pause")
            status, net0 = client.exchange(name, fds, tx_packets=1000)
            assert (status, net0["tap"], net0["tx_packets"]) == (200, name, 1000)
            if paused:
                client.act("resume")
            # The one before was made for it, and is gone.
            assert network.interfaces() == {"lo", name}
            assert client.get(NET0)["tap"] == name
            assert before is None or descriptors(vm) == before
            vm.sends(name, mark)
            vm.takes(name, mark)
        vm.ends(1, 2, 3, 4)


def test_several_pairs(network, here):  # noqa: F811
    with Machine(here, network, ["send"] * 3, net=",queues=2", pairs=2) as vm, Passer() as client:
        vm.sends("t0", 1)
        status, fault = client.exchange("t1", nsfd.open_tap(network, "t1"))
        assert status == 400 and "1 descriptors came, and it has 2 pairs of queues; expected one for each: queues=2" in fault["fault_message"]
        assert network.interfaces() == {"lo", "t0"}
        vm.sends("t0", 2)
        assert client.exchange("t1", nsfd.open_tap(network, "t1", 2))[0] == 200
        assert network.interfaces() == {"lo", "t1"}
        vm.sends("t1", 3)
        vm.ends()


def test_a_link_that_was_down_for_good(network, here):  # noqa: F811
    """Its TAP device was deleted: with another the guest's link is up again."""
    with Machine(here, network, ["link", "link", "send", "take", "link"]) as vm, Passer() as client:
        vm.step()
        vm.wait_for()
        network.run("ip", "link", "delete", "t0")
        events = api.events(api.raw("api"))
        volt.wait_until(lambda: "device-error" in [next(events)["event"]], "the link's end")
        vm.step()
        vm.wait_for()
        assert client.exchange("t1", nsfd.open_tap(network, "t1"))[0] == 200
        vm.sends("t1", 1)
        vm.takes("t1", 9)
        vm.step()
        vm.ends(1, 0, 9, 1)


@pytest.mark.linux
def test_vhost_net(network, here):  # noqa: F811
    """Whose watch of the old TAP device ends with it."""
    steps = ["send", "take", "send", "take", "link", "send"]
    with Machine(here, network, steps, net=",backend=vhost-net") as vm, Passer() as client:
        vm.sends("t0", 1)
        vm.takes("t0", 1)
        fault = client.exchange("t1", nsfd.open_tap(network, "t1"), rx_rate="1M")[1]["fault_message"]
        assert "vhost-net knows no rates" in fault and network.interfaces() == {"lo", "t0"}
        assert client.exchange("t1", nsfd.open_tap(network, "t1"))[0] == 200
        assert network.interfaces() == {"lo", "t1"}
        vm.sends("t1", 2)
        vm.takes("t1", 2)
        vm.step()
        vm.wait_for()
        vm.sends("t1", 3)
        vm.ends(1, 2, 1)


@pytest.mark.linux
def test_macvtaps(network, here):  # noqa: F811
    """From one that was made on a parent, and is removed, to one that is there on another."""
    be_silent(network)
    for n in (0, 1):
        network.run("ip", "link", "add", f"d{n}", "type", "dummy")
        network.run("ip", "link", "add", "link", f"d{n}", "name", f"host{n}", "type", "macvlan", "mode", "bridge")
        for name in ("d", "host"):
            network.run("ip", "link", "set", f"{name}{n}", "up")
    for name, mac in (("mv1", "02:00:00:00:00:01"), ("other1", "02:00:00:00:00:02")):
        network.run("ip", "link", "add", "link", "d1", "name", name, "address", mac, "type", "macvtap", "mode", "bridge")
        network.run("ip", "link", "set", name, "up")
    with Machine(here, network, ["send", "take"] * 2, tap="made",
                 net=",backend=macvtap,parent=d0,mac=02:00:00:00:00:01") as vm, Passer() as client:
        vm.sends("host0", 1)
        vm.takes("host0", 1)
        for name, make, fault in (("t1", nsfd.open_tap, "descriptor 1 is one of the TAP t1"),
                                  ("other1", nsfd.open_macvtap, "run as root: ip link set other1 address 02:00:00:00:00:01")):
            status, answer = client.exchange(name, make(network, name))
            assert status == 400 and fault in answer["fault_message"], answer
        assert "made" in network.interfaces()
        status, net0 = client.exchange("mv1", nsfd.open_macvtap(network, "mv1"))
        assert status == 200 and "parent" not in net0 and "made" not in network.interfaces()
        vm.sends("host1", 2)
        vm.takes("host1", 2)
        vm.ends(1, 2)


def not_a_tap(_):
    return [os.open("/dev/null", os.O_RDWR)]


REFUSED = [
    ("t1", not_a_tap, {}, "descriptor 1 is not that of a TAP"),
    ("t1", lambda n: nsfd.open_tap(n, "t1", flags=nsfd.IFF_TAP | nsfd.IFF_NO_PI), {}, "descriptor 1 is one of t1 without what is needed"),
    ("t1", lambda n: nsfd.open_tap(n, "t1", flags=nsfd.NEEDED ^ 3), {}, "descriptor 1 is one of t1 without what is needed"),
    ("t2", lambda n: nsfd.open_tap(n, "t1"), {}, "the descriptors are of t1; expected t2's"),
    ("t1", lambda n: nsfd.open_tap(n, "t1"), {"rx_rate": "x"}, "rx_rate: expected a size"),
    ("t1", lambda n: nsfd.open_tap(n, "t1"), {"queues": 1}, "queues: cannot change once the machine has started"),
    ("t1", lambda n: nsfd.open_tap(n, "t1", 2), {}, "at most 1, one for each pair of queues (queues=1)"),
    ("t1", lambda n: nsfd.open_tap(n, "t1") * 200, {}, "more descriptors came than there is room for"),
    ("t1", lambda n: [], {}, "tap: its descriptors did not come with the request"),
]


def test_what_is_refused_changes_nothing(network, here):  # noqa: F811
    with Machine(here, network, ["send", "take"]) as vm, Passer() as client:
        was = client.get(NET0)
        before = descriptors(vm) if os.geteuid() == 0 else None
        for name, make, more, fault in REFUSED:
            fds = make(network)
            status, answer = client.pass_to("PATCH", NET0, fds, {"tap": name, **more})
            assert status == 400 and fault in answer["fault_message"], answer
            close(set(fds))
            # Nobody has it open any more.
            assert network.interfaces() == {"lo", "t0"}
            assert client.get(NET0) == was and (before is None or descriptors(vm) == before)
        for method, path, body, status, fault in [
                ("PATCH", NET0, {"link": True}, 400, "no key tap"), ("GET", NET0, None, 400, "only PATCH /v1/vm/nets/ID takes any"),
                ("PUT", "/v1/vm/state", {"action": "pause"}, 400, "only PATCH /v1/vm/nets/ID takes any"),
                ("PATCH", "/v1/vm/nets/net1", {"tap": "t1"}, 404, "there is none"), ("GET", "/none", None, 404, "no such path")]:
            fds = nsfd.open_tap(network, "t1")
            got, answer = client.pass_to(method, path, fds, body)
            close(fds)
            assert got == status and fault in answer["fault_message"], answer
            assert network.interfaces() == {"lo", "t0"}
        assert client.state() == "running"
        vm.sends("t0", 1)
        vm.takes("t0", 2)
        vm.ends(2)


def test_requests_that_never_end_keep_nothing_for_long(network, here):  # noqa: F811
    """One client at a time has descriptors here, until its request or its connection ends."""
    with Machine(here, network, ["send"]) as vm, Passer() as client, Passer() as other:
        fds = nsfd.open_tap(network, "t1")
        client.connection.connect()
        socket.send_fds(client.connection.sock, [b"PATCH"], fds)
        assert other.state() == "running"
        status, fault = other.pass_to("PATCH", NET0, fds, {"tap": "t1"})
        assert status == 400 and "one connection at a time" in fault["fault_message"]
        close(fds)
        assert network.interfaces() == {"lo", "t0", "t1"}
        # A second message's are too many, and the first one's go with them.
        assert client.pass_to("", "", [1], raw=b" / HTTP/1.1\r\n\r\n")[0] == 400
        assert network.interfaces() == {"lo", "t0"}
        for text in (b"nonsense\r\n\r\n", b"GET"):
            with api.raw("api") as sock:
                fds = nsfd.open_tap(network, "t1")
                socket.send_fds(sock, [text], fds)
                close(fds)
            volt.wait_until(lambda: "t1" not in network.interfaces(), "its end")
        vm.sends("t0", 1)
        vm.ends()


def flood():
    """Until the other side, or the kernel, takes no more of them."""
    with contextlib.suppress(OSError), api.raw("api") as sock:
        for text in (b"GET /health HTTP/1.1\r\n\r\n", b"PATCH ", b"\0") * 20:
            socket.send_fds(sock, [text], [1] * 253)


def may_send():
    """The kernel lets an ordinary user have only so many on their way."""
    with contextlib.suppress(OSError):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            return socket.send_fds(ours, [b"."], [1] * 20)


def flooded(vm, path):
    """What is asked with descriptors is refused, and afterwards there are none of them."""
    with Passer() as client:
        assert client.call("GET", path)[0] == 200
        before = descriptors(vm) if os.geteuid() == 0 else None
        for _ in range(20):
            flood()
        volt.wait_until(may_send, "the end of the flood")
        status, fault = client.pass_to("GET", path, [1] * 20)
        assert status == 400 and "descriptors came" in fault["fault_message"]
        assert client.pass_to("GET", path, [1] * 3)[0] == 400
        assert client.call("GET", path)[0] == 200
        volt.wait_until(lambda: before is None or descriptors(vm) == before, "the descriptors of before")
    vm.sends("t0", 1)
    vm.ends()


def test_floods_of_descriptors(network, here):  # noqa: F811
    with Machine(here, network, ["send"], net=",queues=16") as vm:
        flooded(vm, "/health")


def test_floods_of_descriptors_under_asan(network, here, monkeypatch):  # noqa: F811
    monkeypatch.setattr(volt, "VMM", hostile.asan_vmm())
    for name, value in hostile.SANITIZERS.items():
        monkeypatch.setenv(name, value)
    with Machine(here, network, ["send"], *hostile.UNCONFINED, net=",queues=16") as vm:
        flooded(vm, "/health")


def test_firecrackers_api_takes_none(network, here):  # noqa: F811
    with Machine(here, network, ["send"], "--personality", "firecracker") as vm:
        flooded(vm, "/version")


def test_before_the_start_none_is_taken(waiting):  # noqa: F811
    with Passer() as client:
        client.call("PUT", NET0, {"tap": "t0"})
        status, fault = client.pass_to("PATCH", NET0, [1], {"tap": "t1"})
        assert status == 400 and "of a machine that has started" in fault["fault_message"]
        assert client.get(NET0)["tap"] == "t0"
