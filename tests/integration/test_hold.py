# SPDX-License-Identifier: Apache-2.0
"""A machine that ends with whoever holds it (--hold-fd), until it is let go; and its id, which changes while it is paused."""
import os
import signal
import socket

import pytest

import api
import volt
from api import START, Client, vm  # noqa: F401 (fixture)

PAUSED = {"state": "paused"}
NOT_A_SOCKET = "is not a connected socket"


class Held(Client):
    """The holder's connection."""

    def __init__(self, sock):
        super().__init__()
        self.connection.sock = sock


class Holder:
    """A volt-vmm with a guest that runs, and the connection that holds it."""

    def __init__(self, *options, kernel="do"):
        ours, theirs = socket.socketpair()
        ours.settimeout(volt.LIMIT_S)
        self.vm = volt.Vm(*START, "--hold-fd", theirs.fileno(), *options, kernel=kernel, pass_fds=[theirs.fileno()])
        theirs.close()
        self.client = Held(ours)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.connection.close()
        self.vm.__exit__()

    def let_go_by_force(self):
        """As the end of a process would."""
        self.client.connection.sock.close()


@pytest.fixture
def held(here):
    with Holder("--cmdline", "!", "--log-level", "info") as holder:
        holder.vm.wait_for()
        yield holder


def test_api_is_served_to_the_holder_and_to_others(held):
    assert held.client.state() == "running"
    with Client() as other:
        assert other.act("pause") == (200, PAUSED)
    assert held.client.state() == "paused"


@pytest.mark.parametrize("paused", [False, True])
def test_end_of_the_holder_is_the_machines(held, paused):
    if paused:
        held.client.act("pause")
    held.let_go_by_force()
    result = held.vm.finish()
    assert result.status == volt.STATUS_FAILED and "who held the machine has gone" in result.err
    assert "ended by force" in result.err and not os.path.exists("api")


def test_nonsense_from_the_holder_is_its_end(held):
    held.client.connection.sock.sendall(b"nonsense\r\n\r\n")
    while held.client.connection.sock.recv(4096):
        pass
    held.let_go_by_force()
    assert held.vm.finish().status == volt.STATUS_FAILED


def test_machine_that_is_released_goes_on(held):
    assert held.client.act("release") == (200, {"state": "running"})
    held.let_go_by_force()
    with Client() as client:
        assert client.state() == "running"
        assert client.fault(409, "PUT", "/v1/vm/state", {"action": "release"}) == \
            "nobody holds the machine (--hold-fd), or does any more"


def test_anybody_may_release_it(held):
    with Client() as client:
        assert client.act("release") == (200, {"state": "running"})
        held.let_go_by_force()
        assert client.state() == "running"


def test_holder_that_waits_for_the_start(here):
    with Holder(kernel=None) as holder:
        assert holder.client.state() == "not-started"
        holder.let_go_by_force()
        assert holder.vm.finish().status == volt.STATUS_FAILED
    assert not os.path.exists("api")


def test_holder_that_is_gone_before_the_start(here):
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        result = volt.run(*START, "--hold-fd", theirs.fileno(), "--cmdline", "!", kernel="do", pass_fds=[theirs.fileno()])
    assert result.status == volt.STATUS_FAILED and "ended by force" in result.err, result
    assert not os.path.exists("api")


def test_what_is_no_holder(here):
    read, write = os.pipe()
    with socket.socket(socket.AF_UNIX) as alone:
        for fd in (read, alone.fileno(), 900):
            given = [] if fd == 900 else [fd]
            volt.assert_fault(volt.run(*START, "--hold-fd", fd, pass_fds=given), volt.STATUS_CONFIGURATION,
                              f"--hold-fd: descriptor {fd} {NOT_A_SOCKET}")
    volt.assert_fault(volt.run("--hold-fd", read, pass_fds=[read]), volt.STATUS_CONFIGURATION,
                      f"--hold-fd {read}: expected --api-socket, too")
    os.close(read)
    os.close(write)


# --- the id ---


def test_id_changes_while_the_machine_is_paused(here):
    with volt.Vm(*START, "--cmdline", "!", "--id", "first", "--log-level", "info", "--metrics-path", "m") as vm:
        vm.wait_for()
        with Client() as client:
            assert client.fault(409, "PATCH", "/v1/vm/config", {"id": "second"}) == \
                "the machine is running: its id changes only while it is paused"
            client.act("pause")
            assert client.call("PATCH", "/v1/vm/config", {"id": "second"})[1]["id"] == "second"
            assert client.get("/v1/vm/config")["id"] == "second"
            assert client.act("resume")[0] == 200
        vm.send(signal.SIGQUIT)
        lines = vm.finish().lines
    # Each line has the id of its time.
    assert any(" first machine: paused" in line for line in lines), lines
    assert any(" second machine: resumed" in line for line in lines), lines
    assert not any(" first " in line for line in lines[[" second " in line for line in lines].index(True):]), lines
    assert volt.metrics("m")["id"] == "second"


@pytest.mark.parametrize("body, status, fault", [
    ({"id": "a b"}, 400, "expected 1 to 64 of A-Z a-z 0-9 -"),
    ({"id": ""}, 400, "id"),
    ({"id": "x", "cpus": 2}, 409, "cpus: 2: cannot change once the machine has started"),
    ({"id": "x", "workload": ["a"]}, 409, "workload: [\"a\"]: cannot change once the machine has started"),
    ({"id": "x", "nonsense": 2}, 400, "unknown key"),
])
def test_nothing_else_changes(vm, body, status, fault):
    with Client() as client:
        client.act("pause")
        assert fault in client.fault(status, "PATCH", "/v1/vm/config", body)
        assert "id" not in client.get("/v1/vm/config")
        assert client.call("PATCH", "/v1/vm/config", {})[0] == 200
