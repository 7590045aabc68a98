# SPDX-License-Identifier: Apache-2.0
"""A pool of machines, from the outside: the command, and its socket's protocol."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

import volt
import worlds

PROGRAM = volt.BUILD / "bin/volt"

# A guest that runs and does nothing: booted, so that no snapshot is needed.
BOOTED = ["--", "--kernel", volt.guest("do"), "--cmdline", "!"]


def verb(*words, prefix=(), **more):
    """Run `volt pool WORDS` to its end."""
    return subprocess.run(list(map(str, [*prefix, PROGRAM, "pool", *words])), capture_output=True, text=True,
                          timeout=volt.LIMIT_S, **more)


def alive(pid):
    """Does it run, and is no zombie that somebody has yet to wait for?"""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(*pids):
    volt.wait_until(lambda: not any(alive(pid) for pid in pids), f"the end of {pids}")


@pytest.fixture
def others_folder(monkeypatch):
    """The current one is another user's."""
    folder = tempfile.mkdtemp()
    os.chown(folder, worlds.NOBODY, worlds.NOBODY)
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(folder)


class Connection:
    """One to the pool; every call sends a line and gives the answer."""

    def __init__(self, path="p"):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(volt.LIMIT_S)
        self.sock.connect(str(path))
        self.stream = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.sock.close()

    def send(self, request):
        self.sock.sendall(json.dumps(request).encode() + b"\n")

    def receive(self):
        line = self.stream.readline()
        return json.loads(line) if line else None

    def ask(self, request):
        self.send(request)
        return self.receive()

    def claim(self, **how):
        answer = self.ask({"claim": how})
        assert list(answer) == ["claimed"], answer
        return answer["claimed"]

    def keep(self):
        answer = self.ask({"keep": True})
        assert list(answer) == ["kept"], answer
        return answer["kept"]

    def fault(self, request):
        answer = self.ask(request)
        assert list(answer)[0] == "fault_message", answer
        return answer["fault_message"]


class Pool:
    """`volt pool start` in the foreground, until the block that holds it ends, and then nothing is left of it."""

    def __init__(self, *options, size=2, machine=BOOTED, prefix=(), path="p"):
        self.path, self.size, self.claimed = path, size, set()
        self.log = open(f"{path}.log", "w+")
        self.process = subprocess.Popen(
            list(map(str, [*prefix, PROGRAM, "pool", "start", "--size", size, "--socket", path, *options, *machine])),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in self.claimed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.log.close()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def status(self):
        with Connection(self.path) as connection:
            return connection.ask({"status": True})["status"]

    def machines(self, state="ready"):
        return [m for m in self.status()["machines"] if m["state"] == state]

    def pids(self, state="ready"):
        return {m["pid"] for m in self.machines(state)}

    def wait_for(self, ready=None):
        """Until so many machines are ready: all."""
        ready = self.size if ready is None else ready

        def is_so():
            assert self.process.poll() is None, self.said()
            try:
                return self.status()["ready"] == ready
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        volt.wait_until(is_so, f"{ready} machines ready")

    def claim(self, *options, **more):
        """By the command; gives the machine."""
        done = verb("claim", "--socket", self.path, "--json", *options, **more)
        assert done.returncode == 0, done.stderr
        machine = json.loads(done.stdout)
        self.claimed.add(machine["pid"])
        return machine

    def stop(self):
        done = verb("stop", "--socket", self.path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert self.process.wait(timeout=volt.LIMIT_S) == 0
