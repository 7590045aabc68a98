# SPDX-License-Identifier: Apache-2.0
"""The serial console on pipes and files: every byte, in both directions, whatever stdin is."""
import os
import subprocess

import pytest

import volt

ALL_BYTES = bytes(range(256))
RING = 256 << 10  # what volt-vmm holds for a reader that is slow

# Without the byte that ends the guest that sends everything back.
INPUT = ALL_BYTES.replace(b"q", b"") * 4


def flood(size, *options, **more):
    return volt.run("--cmdline", f"{size:x}", *options, kernel="flood", **more)


def expected(size):
    return ALL_BYTES * (size // 256) + ALL_BYTES[:size % 256]


def test_output_is_intact(here):
    """More than the ring holds, so that it wraps; the reader is always there."""
    size = RING + 65536 + 77
    result = flood(size, "--metrics-path", "m")
    assert result.status == 0, result
    assert result.out == expected(size)
    console = volt.metrics("m")["console"]
    assert (console["bytes_out"], console["dropped"]) == (size, 0)


@pytest.mark.parametrize("kernel", ["echo", "irq"])
def test_input_comes_back(here, kernel):
    """By polling, and by interrupts alone: every byte, Ctrl-A too, for a pipe has no keys."""
    result = volt.run("--metrics-path", "m", kernel=kernel, input=INPUT + b"q")
    assert result.status == 0, result
    assert result.out.startswith(volt.READY + INPUT + b"q")
    got = volt.metrics("m")
    assert got["serial"]["bytes_in"] == got["console"]["bytes_in"] == len(INPUT) + 1
    assert got["serial"]["overruns"] == 0


def test_fewer_interrupts_than_bytes(here):
    """The guest empties the FIFO at each; and it takes no more of them than were sent."""
    result = volt.run("--metrics-path", "m", kernel="irq", input=INPUT + b"q")
    taken = volt.fields(result)["interrupts"][0]
    assert 1 <= taken < len(INPUT), result
    assert taken <= volt.metrics("m")["serial"]["interrupts"]


def test_guest_that_sleeps_is_woken_by_each_line():
    with volt.Vm(kernel="irq", stdin=subprocess.PIPE) as vm:
        vm.wait_for()
        for line in (b"one\n", b"two\n", b"three\n"):
            vm.type(line)
            vm.wait_for(line)
        vm.type(b"q")
        assert vm.finish().status == 0


def test_input_before_the_guest_listens_is_kept(here):
    """What is typed ahead waits on the host until the guest's driver is ready."""
    (here / "input").write_bytes(b"typed ahead" + INPUT + b"q")
    with open("input", "rb") as stdin:
        result = volt.run(kernel="irq", stdin=stdin)
    assert result.out.startswith(volt.READY + b"typed ahead" + INPUT + b"q")


def test_input_that_nobody_takes_stays_in_the_pipe():
    """64 KiB for a guest that reads up to a "q": what comes after is not read away."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    written = os.write(theirs, b"q" + b"x" * 65535)
    result = volt.run(kernel="echo", stdin=ours)
    os.close(theirs)
    with open(ours, "rb") as rest:
        left = len(rest.read())
    assert result.status == 0 and result.out == volt.READY + b"q", result
    assert written - 64 - 1 <= left < written


def closed_stdin():
    return {"stdin": None, "preexec_fn": lambda: os.close(0)}


def empty_pipe():
    ours, theirs = os.pipe()
    os.close(theirs)
    return {"stdin": ours}


def silent_pipe():
    ours, theirs = os.pipe()
    return {"stdin": ours, "pass_fds": [theirs]}


def big_file():
    with open("big", "wb") as file:
        file.write(b"x" * (1 << 20))
    return {"stdin": open("big", "rb")}


def empty_file():
    return {"stdin": open("empty", "w+b")}


def directory():
    return {"stdin": os.open(".", os.O_RDONLY)}


def dev(name):
    return lambda: {"stdin": open(f"/dev/{name}", "rb")}


KINDS = {"closed": closed_stdin, "null": dev("null"), "zero": dev("zero"), "empty pipe": empty_pipe,
         "silent pipe": silent_pipe, "big file": big_file, "empty file": empty_file, "directory": directory}


@pytest.mark.parametrize("kind", KINDS)
def test_any_stdin(here, kind):
    """A guest that prints and one that polls its line a while; neither waits for input."""
    words = "! " + "i3fd " * 40 + volt.POWEROFF
    result = volt.run("--cmdline", words, kernel="do", **KINDS[kind]())
    assert result.status == 0, result
    assert result.err == ""
    assert result.out.startswith(volt.READY)
    assert result.out.count(b"\n") == 41


def test_no_terminal_at_all():
    """As a service manager starts it: its own session, nothing on any standard descriptor."""
    result = volt.do(f"! {volt.POWEROFF}", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                     start_new_session=True)
    assert result.status == 0


def test_all_standard_descriptors_closed(here):
    """They must not be taken for what is opened first: the log, the metrics, the kernel."""
    result = volt.do(f"! {volt.POWEROFF}", "--log-path", "log", "--metrics-path", "m", "--log-level", "info",
                     stdin=None, stdout=None, stderr=None, preexec_fn=lambda: os.closerange(0, 3))
    assert result.status == 0
    assert "ready" not in (here / "log").read_text()
    got = volt.metrics("m")
    assert got["console"] == {"bytes_out": 6, "bytes_in": 0, "dropped": 6}
