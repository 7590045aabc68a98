# SPDX-License-Identifier: Apache-2.0
"""Nobody reads: a blocked, closed or full output never stops a guest, and what is lost is counted."""
import fcntl
import json
import os
import re
import subprocess

import pytest

import volt
from volt import POWEROFF, READY, do

RING = 256 << 10
PAGE = 4096
F_SETPIPE_SZ = 1031
LOG_BURST = 5  # lines a second that one cause in the guest may log

POWERED_OFF = "the guest powered off"
NOBODY_TOOK = "nobody took the metrics, or the disk is full"


def small_pipe():
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, F_SETPIPE_SZ, PAGE)
    return ours, theirs


def console_of(path="m"):
    return volt.metrics(path)["console"]


def read_all(fd):
    with open(fd, "rb") as stream:
        return stream.read()


def test_stdout_that_nobody_reads(here):
    """More than the pipe and the ring: the guest goes on, and every byte is there or counted."""
    size = RING + 4 * PAGE
    ours, theirs = small_pipe()
    result = volt.run("--cmdline", f"{size:x}", "--metrics-path", "m", kernel="flood", stdout=theirs)
    os.close(theirs)
    got = read_all(ours)
    console = console_of()
    assert result.status == 0, result
    assert console["bytes_out"] == size
    assert console["dropped"] == size - len(got) >= size - RING - PAGE
    assert got == (bytes(range(256)) * (size // 256))[:len(got)] and got


def test_stdout_that_is_closed(here):
    """Its number must not go to the next file that is opened."""
    result = do(f"! {POWEROFF}", "--metrics-path", "m", "--log-level", "info", "--log-path", "log",
                stdout=None, preexec_fn=lambda: os.close(1))
    assert (result.status, result.err) == (0, ""), result
    assert console_of() == {"bytes_out": len(READY), "bytes_in": 0, "dropped": len(READY)}
    assert "ready" not in (here / "log").read_text()


def test_stdout_whose_reader_is_gone(here):
    ours, theirs = os.pipe()
    os.close(ours)
    result = do(f"! {POWEROFF}", "--metrics-path", "m", stdout=theirs)
    os.close(theirs)
    assert (result.status, result.err) == (0, ""), result
    assert console_of()["dropped"] == len(READY)


def test_reader_that_goes_in_the_middle(here):
    """The guest sends on; a write to the pipe gives EPIPE and no signal."""
    ours, theirs = os.pipe()
    with volt.Vm("--metrics-path", "m", kernel="echo", stdin=subprocess.PIPE, stdout=theirs) as vm:
        os.close(theirs)
        vm.wait_for(fd=ours)
        os.close(ours)
        vm.type(b"abcq")
        assert vm.finish().status == 0
    assert console_of() == {"bytes_out": len(READY) + 4, "bytes_in": 4, "dropped": 4}


def test_full_device_as_stdout(here):
    with open("/dev/full", "wb") as full:
        result = do(f"! {POWEROFF}", "--metrics-path", "m", stdout=full)
    assert result.status == 0
    assert console_of()["dropped"] == len(READY)


def test_full_device_as_console(here):
    result = do(f"! {POWEROFF}", "--metrics-path", "m", "--console", "file=/dev/full")
    assert result.status == 0, result
    assert console_of()["dropped"] == len(READY)


def test_stderr_that_is_closed(here):
    result = do(f"! {POWEROFF}", "--metrics-path", "m", "--log-level", "info", stderr=None,
                preexec_fn=lambda: os.close(2))
    assert (result.status, result.out) == (0, READY), result
    assert volt.metrics("m")["log"]["dropped_bytes"] > len(POWERED_OFF)


def test_stderr_that_is_full_and_not_read(here):
    ours, theirs = small_pipe()
    os.write(theirs, b"x" * PAGE)
    result = do(POWEROFF, "--metrics-path", "m", "--log-level", "info", stderr=theirs)
    os.close(theirs)
    assert result.status == 0
    assert read_all(ours) == b"x" * PAGE
    assert volt.metrics("m")["log"]["dropped_bytes"] > len(POWERED_OFF)


def make_fifo(name):
    os.mkfifo(name)
    return name


def make_full_fifo(name):
    """A FIFO with a reader that does not read; both ends in one descriptor."""
    fd = os.open(make_fifo(name), os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(fd, F_SETPIPE_SZ, PAGE)
    os.write(fd, b"x" * PAGE)
    return fd


def test_log_fifo(here):
    fd = os.open(make_fifo("log"), os.O_RDWR)
    assert do(POWEROFF, "--log-level", "info", "--log-path", "log").status == 0
    lines = os.read(fd, PAGE).decode().splitlines()
    os.close(fd)
    assert [line.partition("machine: ")[2] for line in lines if "sandbox: " not in line] == [POWERED_OFF]


@pytest.mark.parametrize("setting", ["--log-path", "--metrics-path"])
def test_fifo_without_reader(here, setting):
    result = do(POWEROFF, "--log-level", "info", setting, make_fifo("fifo"))
    assert result.status == 0, result


def test_full_log_fifo(here):
    fd = make_full_fifo("log")
    result = do(POWEROFF, "--log-level", "info", "--log-path", "log", "--metrics-path", "m")
    os.close(fd)
    assert result.status == 0, result
    assert volt.metrics("m")["log"]["dropped_bytes"] > len(POWERED_OFF)


def test_metrics_fifo(here):
    fd = os.open(make_fifo("m"), os.O_RDWR)
    assert do(POWEROFF, "--metrics-path", "m").status == 0
    text = os.read(fd, 1 << 16).decode()
    os.close(fd)
    assert json.loads(text)["end"] == POWERED_OFF


def test_full_metrics_fifo(here):
    fd = make_full_fifo("m")
    result = do(POWEROFF, "--metrics-path", "m")
    os.close(fd)
    assert result.status == 0
    assert len(result.lines) == 1 and result.err.rstrip().endswith(f"--metrics-path m: {NOBODY_TOOK}")


def test_full_device_as_log_and_metrics():
    assert do(POWEROFF, "--log-level", "info", "--log-path", "/dev/full").status == 0
    result = do(POWEROFF, "--metrics-path", "/dev/full")
    assert result.status == 0
    assert result.err.rstrip().endswith(f"--metrics-path /dev/full: {NOBODY_TOOK}")


def test_console_file_is_appended_to(here):
    (here / "console").write_bytes(b"before\n")
    result = do(f"! {POWEROFF}", "--console", "file=console")
    assert (result.status, result.out) == (0, b""), result
    assert (here / "console").read_bytes() == b"before\n" + READY


def test_new_files_are_for_their_owner_alone(here):
    do(POWEROFF, "--console", "file=console", "--log-path", "log", "--metrics-path", "m")
    assert {path.name: path.stat().st_mode & 0o777 for path in here.iterdir()} == {
        "console": 0o600, "log": 0o600, "m": 0o600}


def test_console_none(here):
    result = do(f"! {POWEROFF}", "--console", "none", "--metrics-path", "m")
    assert (result.status, result.out) == (0, b""), result
    assert console_of() == {"bytes_out": len(READY), "bytes_in": 0, "dropped": 0}


def test_console_pty(here):
    """Its name is in the log, at the default level."""
    with volt.Vm("--console", "pty", kernel="echo") as vm:
        name = re.search(r"the guest's console is (/dev/pts/\d+)\n", vm.process.stderr.readline().decode())[1]
        fd = os.open(name, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"hello")
        vm.wait_for(b"hello", fd)
        os.write(fd, b"q")
        result = vm.finish()
        os.close(fd)
    assert vm.seen == READY + b"hello"
    assert (result.status, result.err) == (0, ""), result


def test_log_as_json(here):
    result = do(f"o600=20 {POWEROFF}", "--log-level", "info", "--log-format", "json", "--id", "a-1")
    lines = [json.loads(line) for line in result.lines]
    assert [(line["level"], line["room"], line["id"]) for line in lines] == [
        ("info", "sandbox", "a-1"), ("warn", "power", "a-1"), ("info", "machine", "a-1")]
    assert lines[2]["text"] == POWERED_OFF


@pytest.mark.parametrize("level, lines", [("error", 0), ("warn", 1), ("info", 3)])
def test_log_levels(level, lines):
    assert len(do(f"o600=20 {POWEROFF}", "--log-level", level).lines) == lines


def test_guest_cannot_flood_the_log():
    """240 reasons for a line; a few seconds may turn while they come."""
    result = do("o600=20 " * 240 + POWEROFF)
    assert result.status == 0
    assert 1 <= len(result.lines) <= 10 * LOG_BURST
