# SPDX-License-Identifier: Apache-2.0
"""Firecracker's clients, byte for byte: what the Go SDK's HTTP client sends, and the processes they start."""
import json
import pathlib
import subprocess

import api
import volt

FIRECRACKER = volt.BUILD / "bin/firecracker"

STATUS_FAILED = 1
STATUS_CONFIGURATION = 152
STATUS_ARGUMENTS = 153

# The order of these headers, and the newline behind a body, are what Go's net/http and go-openapi's runtime send.
HEAD = "{method} {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\n"
ACCEPT = "Accept: application/json\r\n"
GZIP = "Accept-Encoding: gzip\r\n\r\n"


def request(method, path, body=None):
    """The bytes of one request."""
    head = HEAD.format(method=method, path=path)
    if body is None:
        return (head + ACCEPT + GZIP).encode()
    text = json.dumps(body, separators=(",", ":")) + "\n"
    return (f"{head}Content-Length: {len(text.encode())}\r\n{ACCEPT}Content-Type: application/json\r\n{GZIP}{text}").encode()


class GoClient:
    """One kept connection, as the SDK's transport has it."""

    def __init__(self, path):
        self.sock = api.raw(path)
        self.input = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.input.close()
        self.sock.close()

    def call(self, method, path, body=None):
        """(status, the JSON of the answer or None)"""
        self.sock.sendall(request(method, path, body))
        status = int(self.input.readline().split()[1])
        headers = {}
        while (line := self.input.readline().decode().strip()):
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        if status == 204:
            assert "content-length" not in headers and "content-type" not in headers, headers
            return status, None
        assert headers["content-type"] == "application/json"
        return status, json.loads(self.input.read(int(headers["content-length"])))

    def get(self, path):
        status, body = self.call("GET", path)
        assert status == 200, body
        return body

    def put(self, path, body):
        done = self.call("PUT", path, body)
        assert done == (204, None), done

    def patch(self, path, body):
        done = self.call("PATCH", path, body)
        assert done == (204, None), done

    def fault(self, method, path, body):
        status, reply = self.call(method, path, body)
        assert (status, list(reply)) == (400, ["fault_message"])
        return reply["fault_message"]


class Firecracker(volt.Vm):
    """A process that was started as `firecracker`."""

    def __init__(self, *options, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more):
        self.process = subprocess.Popen([str(word) for word in (FIRECRACKER, *options)], stdin=stdin, stdout=stdout,
                                        stderr=stderr, **more)
        self.seen = b""


def run(*options, **more):
    done = subprocess.run([str(word) for word in (FIRECRACKER, *options)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=volt.LIMIT_S, **more)
    return volt.Result(done.returncode, done.stdout, done.stderr)


def accepts(path):
    try:
        api.raw(path).close()
        return True
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def wait_for_socket(path):
    volt.wait_until(lambda: accepts(path), f"the socket {path}")


def threads(pid):
    """The names of its threads, as Kata reads them."""
    return sorted(path.read_text().strip() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"))


def lines(path):
    """The JSON objects of a metrics file."""
    with open(path) as file:
        return [json.loads(line) for line in file]
