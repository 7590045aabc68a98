# SPDX-License-Identifier: Apache-2.0
"""The API's bytes: what is a request, what is not, and clients that are slow, many or rude."""
import os
import socket

import pytest

import api
import volt
from api import Client, vm  # noqa: F401 (a fixture)


@pytest.mark.parametrize("method, path, status, fault", [
    ("GET", "/", 404, "/: there is no such path"),
    ("GET", "/v1/vm/drives/", 404, "/v1/vm/drives/: there is no such path"),
    ("GET", "/v1/vm/statement", 404, "/v1/vm/statement: there is no such path"),
    ("DELETE", "/health", 405, "DELETE /health: expected GET"),
    ("POST", "/v1/vm/state", 405, "POST /v1/vm/state: expected GET, PUT"),
    ("DELETE", "/v1/vm/drives", 405, "DELETE /v1/vm/drives: expected GET"),
])
def test_paths_and_methods(vm, method, path, status, fault):
    with Client() as client:
        assert client.fault(status, method, path) == fault
        assert client.state() == "running"


@pytest.mark.parametrize("text, fault", [
    ("", "the body is no JSON: it is empty"),
    ("{", "the body is no JSON"),
    ("[1]", "the body is not an object"),
    ("{}", "action: expected start|pause|resume|stop|kill|release"),
    ('{"action":1}', "action: expected start|pause|resume|stop|kill|release"),
    ('{"action":"fly"}', "action fly: expected start|pause|resume|stop|kill|release"),
    ('{"action":"kill","now":true}', "now: unknown key; expected action"),
    ('{"action":"kill","action":"kill"}', "duplicate"),
    ('{"action":"\\u0000kill"}', "the body is no JSON"),
    ("\xff", "the body is no JSON"),
])
def test_bodies_of_an_action(vm, text, fault):
    with Client() as client:
        assert fault in client.fault(400, "PUT", "/v1/vm/state", text=text.encode("latin-1"))
        assert client.state() == "running"


def exchange(data):
    """What comes back on a connection of its own until its end, for these bytes."""
    with api.raw("api") as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


HEAD = b"GET /health HTTP/1.1\r\n"


@pytest.mark.parametrize("data, status", [
    (b"hello\r\n\r\n", 400),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    (b"GET /health HTTP/9.9\r\n\r\n", 400),
    (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n\r\n", 414),
    (HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431),
    (HEAD + b"X: y\r\n" * 3000 + b"\r\n", 431),
    (b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 51201\r\n\r\n", 413),
    (b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    (b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    (b"PUT /v1/vm/state HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 411),
    (HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 200),
    (b"CONNECT x:1 HTTP/1.1\r\n\r\n", 404),
    (HEAD + b"Content-Length: 2\r\n\r\n{}", 400),
], ids=range(13))
def test_what_is_no_request_is_answered_and_ends_the_connection(vm, data, status):
    assert exchange(data).startswith(b"HTTP/1.1 %d " % status)
    with Client() as client:
        assert client.state() == "running"


def test_pipelined_requests_are_answered_in_their_order(vm):
    answers = exchange((HEAD + b"\r\n") * 50 + b"GET /none HTTP/1.1\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK") == 50
    assert answers.endswith(b'{"fault_message":"/none: there is no such path"}')


def test_old_protocol_ends_the_connection(vm):
    with api.raw("api") as sock:
        sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert b"Connection: close" in data


def test_body_that_waits_to_be_wanted(vm):
    with api.raw("api") as sock:
        sock.sendall(b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 18\r\nExpect: 100-continue\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b'{"action":"pause"}')
        assert b'{"state":"paused"}' in sock.recv(1000)


def test_largest_body_byte_by_byte(vm):
    body = b'{"action":"pause"' + b" " * (51200 - 18) + b"}"
    with api.raw("api") as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.sendall(b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 51200\r\n\r\n")
        for at in range(0, len(body), 100):
            sock.sendall(body[at:at + 100])
        assert b'{"state":"paused"}' in sock.recv(1000)


def has_room():
    try:
        return exchange(HEAD + b"\r\n").startswith(b"HTTP/1.1 200")
    except ConnectionError:  # turned away, and closed before the request was read
        return False


def test_eleventh_connection_is_told(vm):
    socks = [api.raw("api") for _ in range(10)]
    for sock in socks:  # each is known, and not only in the listener's queue
        sock.sendall(HEAD + b"\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    with api.raw("api") as sock:
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 503 ") and data.endswith(b'{"fault_message":"Too many open connections"}\n')
    socks.pop().close()
    volt.wait_until(has_room, "a free connection")
    for sock in socks:
        sock.close()


def test_half_a_request_keeps_nobody(vm):
    """Nine that say half of one, and then nothing."""
    socks = [api.raw("api") for _ in range(9)]
    for n, sock in enumerate(socks):
        sock.sendall((b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 18\r\n\r\n{\"act")[:5 + 6 * n])
    with Client() as client:
        assert client.act("pause")[0] == 200
        assert client.act("resume")[0] == 200
    for sock in socks:
        sock.close()


def descriptors(vm):
    return len(os.listdir(f"/proc/{vm.pid}/fd"))


def test_clients_that_come_and_go_leave_nothing(vm):
    with Client() as client:
        client.state()
        before = descriptors(vm)
        for n in range(300):
            with api.raw("api") as sock:
                sock.sendall((HEAD + b"\r\n")[:n % 25])
        volt.wait_until(lambda: client.state() and descriptors(vm) == before, "the descriptors of before")


def test_reply_that_nobody_reads_stops_that_client_only(vm):
    with api.raw("api") as sock, Client() as client:
        sock.setblocking(False)
        sent = 0
        try:
            while sent < 1 << 22:
                sent += sock.send((b"GET /v1/metrics HTTP/1.1\r\n\r\n") * 100)
        except BlockingIOError:
            pass
        assert sent < 1 << 22
        assert client.state() == "running"


def test_reader_of_events_that_does_not_read_is_cut_off(vm):
    with api.raw("api") as sock, Client() as client:
        sock.sendall(b"GET /v1/events HTTP/1.1\r\n\r\n")
        assert sock.recv(1) == b"H"
        client.state()
        before = descriptors(vm)
        for _ in range(5000):
            client.act("pause")
            client.act("resume")
            if descriptors(vm) < before:
                break
        assert descriptors(vm) == before - 1


def test_answer_to_head_has_no_body(vm):
    with api.raw("api") as sock:
        sock.sendall(b"HEAD /health HTTP/1.1\r\n\r\n" + HEAD + b"\r\n")
        data = b""
        while b'"ok"' not in data:
            data += sock.recv(65536)
    assert data.startswith(b"HTTP/1.1 405") and b"expected" not in data
