# SPDX-License-Identifier: Apache-2.0
"""The API's other side: requests over a Unix socket."""
import http.client
import json
import socket

import pytest

import volt


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("volt", timeout=volt.LIMIT_S)
        self.path = str(path)

    def connect(self):
        self.sock = raw(self.path)


def raw(path):
    """A connected socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(str(path))
    sock.settimeout(volt.LIMIT_S)
    return sock


class Client:
    """One connection that is kept; every call gives (status, body), JSON read."""

    def __init__(self, path="api"):
        self.connection = Connection(path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, method, path, body=None, text=None):
        text = json.dumps(body) if body is not None else text
        self.connection.request(method, path, text)
        reply = self.connection.getresponse()
        data = reply.read()
        if reply.headers.get("Content-Type") == "application/json":
            data = json.loads(data)
        return reply.status, data

    def get(self, path):
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def act(self, action):
        return self.call("PUT", "/v1/vm/state", {"action": action})

    def state(self):
        return self.get("/v1/vm/state")["state"]

    def fault(self, status, *call, **more):
        """The fault_message of a call that must have this status."""
        got, body = self.call(*call, **more)
        assert (got, list(body)) == (status, ["fault_message"]), body
        return body["fault_message"]


def events(sock):
    """The events that come on a socket, one by one, until its end."""
    sock.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
    data = sock.makefile("rb")
    while data.readline() not in (b"\r\n", b""):
        pass
    for line in data:
        yield json.loads(line)


START = ["--api-socket", "api"]


def accepts(path="api"):
    try:
        raw(path).close()
        return True
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def wait_for_socket(path="api"):
    volt.wait_until(lambda: accepts(path), "the API's socket")


@pytest.fixture
def vm(here):
    """A guest that runs and does nothing more."""
    with volt.Vm("--cmdline", "!", "--metrics-path", "m", *START) as running:
        running.wait_for()
        yield running


@pytest.fixture
def waiting(here):
    """A volt-vmm without a kernel."""
    with volt.Vm(*START, kernel=None) as process:
        wait_for_socket()
        yield process
