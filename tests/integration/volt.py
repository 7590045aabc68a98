# SPDX-License-Identifier: Apache-2.0
"""volt-vmm from the outside: run it to its end, or hold it while it runs, with a bare guest in it."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VOLT_BUILD", ROOT / "build")).resolve()
# VOLT_VMM: another program in its place, as test_sandbox_rows.py has.
VMM = pathlib.Path(os.environ.get("VOLT_VMM", BUILD / "bin/volt-vmm"))

# Only so that a hang ends: generous, for a loaded host.
LIMIT_S = 180

POWEROFF = "o600=34"
READY = b"ready\n"

STATUS_FAILED = 1
STATUS_CONFIGURATION = 2
STATUS_VOLT_FAILED = 125

# Commands to run others with fewer rights: no capabilities, which root too needs to read a file
# whose mode says that it may not; or in a mount namespace, with a user namespace where not root.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
OWN_MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def guest(name):
    return BUILD / "tests/guests" / name


def command(*options, kernel="hello", prefix=()):
    """The command line; `kernel` is a guest's name, a path, or None for none."""
    path = [] if kernel is None else ["--kernel", guest(kernel) if isinstance(kernel, str) else kernel]
    return list(map(str, [*prefix, VMM, *path, *options]))


class Result:
    """How a volt-vmm ended: `status`, `out` in bytes and `err` as text."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out or b"", (err or b"").decode(errors="replace")

    def __repr__(self):
        return f"status {self.status}, out {self.out[-2000:]!r}, err {self.err[-4000:]!r}"

    @property
    def lines(self):
        return self.err.splitlines()

    @property
    def text(self):
        return self.out.decode(errors="replace")


def run(*options, kernel="hello", prefix=(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, input=None, **more):
    """Run volt-vmm to its end."""
    if input is not None:
        stdin = None
        more["input"] = input
    done = subprocess.run(command(*options, kernel=kernel, prefix=prefix), stdout=stdout, stderr=stderr,
                          timeout=LIMIT_S, **more, **({} if input is not None else {"stdin": stdin}))
    return Result(done.returncode, done.stdout, done.stderr)


def do(words, *options, **more):
    """Run the guest that does what `words` say (tests/guests/do.S)."""
    return run("--cmdline", words, *options, kernel="do", **more)


class Vm:
    """A volt-vmm that runs; ended by force with the block that holds it, if it still does."""

    def __init__(self, *options, kernel="do", prefix=(), stdin=subprocess.DEVNULL,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more):
        self.process = subprocess.Popen(command(*options, kernel=kernel, prefix=prefix), stdin=stdin,
                                        stdout=stdout, stderr=stderr, **more)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, text=READY, fd=None):
        """Read its output (or `fd`) until `text` has come."""
        fd = self.process.stdout.fileno() if fd is None else fd
        while text not in self.seen:
            part = read_some(fd)
            assert part, f"ended before {text!r}: {self.seen!r}"
            self.seen += part

    def send(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def type(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def finish(self):
        """Wait for its end; what wait_for() has read is part of the output."""
        out, err = self.process.communicate(timeout=LIMIT_S)
        return Result(self.process.returncode, self.seen + (out or b""), err)


def read_some(fd):
    """What there is to read, waiting for it; b"" at the end, and when nothing comes at all."""
    if not select.select([fd], [], [], LIMIT_S)[0]:
        return b""
    try:
        return os.read(fd, 65536)
    except OSError:  # a pseudo-terminal whose other side is gone
        return b""


def wait_until(condition, what):
    """For what nothing reports: look until it is so."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.01)


def metrics(path):
    """The one line of JSON in a metrics file."""
    text = pathlib.Path(path).read_text()
    assert text.endswith("\n") and text.count("\n") == 1, text
    return json.loads(text)


def fields(result):
    """The lines "NAME=LONG LONG ..." of a guest, the longs as numbers."""
    found = re.findall(r"^([^=\n]+)=([0-9a-f]{8}(?: [0-9a-f]{8})*)$", result.text, re.M)
    return {name: [int(n, 16) for n in longs.split()] for name, longs in found}


def number(longs):
    """One number from its longs, the lowest first."""
    return sum(n << 32 * i for i, n in enumerate(longs))


def octets(longs):
    return b"".join(n.to_bytes(4, "little") for n in longs)


def assert_fault(result, status, *words):
    """It ended with one line on stderr that has all these words in it."""
    assert result.status == status, result
    assert len(result.lines) == 1, result
    assert result.lines[0].startswith("volt-vmm: "), result
    for word in words:
        assert str(word) in result.lines[0], f"no {word!r} in {result.lines[0]!r}"
