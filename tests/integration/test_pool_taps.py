# SPDX-License-Identifier: Apache-2.0
"""Claims of a pool's machines that put their NICs on other TAP devices."""
import contextlib
import json
import os
import signal
import socket

import pytest

import nsfd
import volt
import worlds
from api import Client
from netns import Network, network  # noqa: F401 (fixture)
from pool import Connection, Pool, others_folder, verb, wait_for_end  # noqa: F401 (fixture)


def open_taps(pid):
    """How many of its descriptors are TAP devices'; of volt-vmm only root can tell."""
    return sum(os.readlink(f"/proc/{pid}/fd/{n}") == "/dev/net/tun" for n in os.listdir(f"/proc/{pid}/fd"))


@pytest.fixture
def elsewhere():
    """The claimer's network namespace, which is not the machines'."""
    made = Network()
    yield made
    made.close()


NICS = ["--net", "id=net0,tap=pool{n}", "--net", "id=net1,tap=two{n},queues=2"]


def test_taps_of_a_claim(network, elsewhere, here):  # noqa: F811
    """One that is made for it, and one that is there; they are the machine's, and go or stay with it."""
    elsewhere.run("ip", "tuntap", "add", "there", "mode", "tap", "multi_queue")
    elsewhere.run("ip", "link", "add", "br0", "type", "bridge")
    with Pool(*NICS, prefix=network.prefix) as made:
        made.wait_for()
        machine = made.claim("--net", "id=net0,tap=web7,bridge=br0,mtu=1400,tx-packets=10", "--net", "id=net1,tap=there,queues=2",
                             prefix=elsewhere.prefix)
        with Client(machine["socket"]) as client:
            nets = client.get("/v1/vm/nets")
        assert [net["tap"] for net in nets] == ["web7", "there"] and nets[0]["tx_packets"] == 10
        assert "bridge" not in nets[0]
        link = elsewhere.run("ip", "link", "show", "web7")
        assert "mtu 1400" in link and "master br0" in link and "UP" in link
        made.wait_for()
        assert machine["number"] not in {m["number"] for m in made.machines()}
        assert not {f"pool{machine['number']}", f"two{machine['number']}"} & network.interfaces()
        assert open_taps(made.process.pid) == 0 and (os.geteuid() != 0 or open_taps(machine["pid"]) == 3)
        os.kill(machine["pid"], signal.SIGKILL)
        wait_for_end(machine["pid"])
        volt.wait_until(lambda: elsewhere.interfaces() == {"lo", "br0", "there"}, "the end of web7")


@pytest.mark.parametrize("nets, fault", [
    (["id=none,tap=web7"], "the machine cannot be claimed: net none: there is none"),
    (["id=net0,tap=busy"], "busy is in use by another process; give each machine a TAP of its own"),
    (["id=net0,tap=lo"], "lo is no TAP device; expected the name of one"),
    (["id=net1,tap=web7"], "net net1: 1 descriptors came, and it has 2 pairs of queues; expected one for each: queues=2"),
    (["id=net0,tap=web7,queues=2"], "net net0: 2 descriptors came, and it has 1 pairs of queues; expected one for each: queues=1"),
    (["id=net0,tap=web7,queues=3"], "at most 2, one for each pair of queues (queues=2)"),
    (["id=net0,tap=web7,queues=16", "id=net1,tap=web8"], "expected at most 16 queues in one claim"),
    (["id=net0,tap=web7,bridge=br0"], "there is no bridge br0; run as root: volt net setup --bridge br0"),
    (["id=net0,tap=web7,rx-rate=x"], "rx-rate: expected a size"),
    (["id=net0,queues=2"], "bridge, mtu and queues are a TAP device's: expected tap="),
])
def test_taps_that_no_claim_can_have(network, elsewhere, here, nets, fault):  # noqa: F811
    """Nothing is left of them, no machine is lost, and it has what it had."""
    elsewhere.run("ip", "tuntap", "add", "busy", "mode", "tap")
    with open_tap_of(elsewhere, "busy"), Pool(*NICS, size=1, prefix=network.prefix) as made:
        made.wait_for()
        ready = made.machines()
        done = verb("claim", "--socket", "p", *(word for net in nets for word in ("--net", net)), prefix=elsewhere.prefix)
        assert done.returncode == 2 and fault in done.stderr and len(done.stderr.splitlines()) == 1, done
        assert elsewhere.interfaces() == {"lo", "busy"} and network.interfaces() == {"lo", "pool0", "two0"}
        assert made.machines() == ready
        assert open_taps(made.process.pid) == 0 and (os.geteuid() != 0 or open_taps(ready[0]["pid"]) == 3)
        with Client(ready[0]["socket"]) as client:
            assert [net["tap"] for net in client.get("/v1/vm/nets")] == ["pool0", "two0"]
        assert made.claim()["pid"] == ready[0]["pid"]


@contextlib.contextmanager
def open_tap_of(network, name):  # noqa: F811
    (fd,) = nsfd.open_tap(network, name)
    yield fd
    os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot become another")
def test_taps_of_an_ordinary_user(network, others_folder):  # noqa: F811
    for name, user in (("pool0", worlds.NOBODY), ("web7", worlds.NOBODY), ("web8", 0)):
        network.run("ip", "tuntap", "add", name, "mode", "tap", "user", user)
        network.run("ip", "link", "set", name, "up")
    user = [*network.prefix, *worlds.USER]
    with Pool("--net", "id=net0,tap=pool{n}", "--max", 1, size=1, prefix=user) as made:
        made.wait_for()
        for name, fault in (("web8", "web8 is not this user's; run as root: ip link del web8"),
                            ("web9", "no TAP web9, and no right to make one; run as root: volt net setup --tap web9")):
            done = verb("claim", "--socket", "p", "--net", f"id=net0,tap={name}", prefix=user)
            assert done.returncode == 2 and fault in done.stderr, done
        machine = made.claim("--net", "id=net0,tap=web7", prefix=user)
        with Client(machine["socket"]) as client:
            assert client.get("/v1/vm/nets/net0")["tap"] == "web7"
        assert network.interfaces() == {"lo", "pool0", "web7", "web8"}


def test_descriptors_that_come_with_no_claim(network, here):  # noqa: F811
    """They are closed, and what they came with is refused; and those of a claimer that ends while it waits."""
    def sends(line, count):
        (fd,) = nsfd.open_tap(network, "web7")
        with Connection() as connection:
            socket.send_fds(connection.sock, [json.dumps(line).encode() + b"\n"], [fd] * count)
            os.close(fd)
            answer = connection.receive()
            assert answer["invalid"] and network.interfaces() == {"lo", "pool0"}, answer
            assert "status" in connection.ask({"status": True})
            return answer["fault_message"]

    net = {"id": "net0", "tap": "web7"}
    with Pool("--net", "id=net0,tap=pool{n}", "--max", 1, size=1, prefix=network.prefix) as made:
        made.wait_for()
        assert sends({"status": True}, 1) == "1 descriptors came, and by its fds 0 belong to it"
        assert sends({"claim": {"nets": [net]}}, 1) == "1 descriptors came, and by its fds 0 belong to it"
        assert sends({"claim": {"nets": [{**net, "fds": 2}]}}, 1) == "1 descriptors came, and by its fds 2 belong to it"
        assert sends({"claim": {"nets": [{**net, "fds": 17}]}}, 1) == "claim: nets: fds: expected a number, 1 to 16"
        assert "at most 16, in one message" in sends({"claim": {"nets": [{**net, "fds": 16}]}}, 17)
        assert "the machine cannot be claimed: net net0: descriptors came with it, and no key tap" in \
            sends({"claim": {"nets": [{"id": "net0", "fds": 1}]}}, 1)
        with Connection() as holder:
            holder.claim()
            (fd,) = nsfd.open_tap(network, "web7")
            waiting = Connection()
            line = {"claim": {"wait_ms": 100000, "nets": [{**net, "fds": 1}]}}
            socket.send_fds(waiting.sock, [json.dumps(line).encode() + b"\n"], [fd])
            os.close(fd)
            volt.wait_until(lambda: "web7" in network.interfaces(), "the TAP device in the daemon")
            waiting.close()
            volt.wait_until(lambda: "web7" not in network.interfaces(), "its end")
