# SPDX-License-Identifier: Apache-2.0
"""On a terminal: raw mode while the guest runs, back on every way out, and keys for volt-vmm."""
import os
import signal
import subprocess

import pytest

import volt
from terminal import Terminal

CTRL_A = b"\x01"
QUIT = CTRL_A + b"x"
DO_NOTHING = ["--cmdline", "!"]
HELP = b"Ctrl-A X"


@pytest.fixture
def terminal():
    with Terminal() as made:
        yield made


def test_raw_mode_while_the_guest_runs(terminal):
    with terminal.vm(kernel="echo") as vm:
        assert terminal.is_raw
        terminal.press(b"q")
        assert vm.finish().status == 0
    assert terminal.is_as_before


def test_every_other_key_is_the_guests(terminal):
    """Ctrl-C, Ctrl-Z, Ctrl-\\ and Ctrl-D, too; a return key is what it is."""
    keys = bytes(range(2, 32)) + b"Aa~\x7f"
    with terminal.vm(kernel="echo") as vm:
        terminal.press(keys + b"q")
        terminal.wait_for(b"q")
        assert vm.finish().status == 0
    # What the guest sends is shown as on any terminal: a line feed goes back to the left edge.
    assert terminal.seen == b"ready\r\n" + keys.replace(b"\n", b"\r\n") + b"q"


@pytest.mark.parametrize("number, status", [
    (signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGHUP, 1), (signal.SIGQUIT, 1),
    (signal.SIGSEGV, -signal.SIGSEGV), (signal.SIGBUS, -signal.SIGBUS), (signal.SIGFPE, -signal.SIGFPE),
    (signal.SIGILL, -signal.SIGILL), (signal.SIGABRT, -signal.SIGABRT), (signal.SIGSYS, -signal.SIGSYS),
])
def test_restored_after_a_signal(terminal, number, status):
    """A fatal one, sent from outside, still ends the process as its default action would."""
    with terminal.vm(*DO_NOTHING) as vm:
        assert terminal.is_raw
        vm.send(number)
        result = vm.finish()
    assert result.status == status, result
    assert terminal.is_as_before


@pytest.mark.parametrize("words, status", [(volt.POWEROFF, 0), ("o602=1", 0), ("f", 1), ("e", 1), ("o505=1", 1)])
def test_restored_after_every_end(terminal, words, status):
    """Too soon for anybody to see the raw mode: it is taken back all the same."""
    with volt.Vm("--cmdline", f"! {words}", **terminal.child()) as vm:
        result = vm.finish()
    assert result.status == status, result
    assert terminal.is_as_before


def test_restored_before_the_fault_is_told(terminal):
    """So that the line begins at the left edge and can be read."""
    with terminal.vm("--cmdline", "! e", stderr=terminal.theirs) as vm:
        terminal.wait_for(b"KVM cannot emulate")
        terminal.wait_for(b"Linux guests\r\n")
        assert vm.finish().status == 1
    assert b"\r\nvolt-vmm: vCPU 0: KVM cannot emulate" in terminal.seen


def test_quit(terminal):
    """Nobody in this guest listens for Ctrl-Alt-Del."""
    with terminal.vm(*DO_NOTHING, "--log-level", "info") as vm:
        terminal.press(QUIT)
        result = vm.finish()
    assert result.status == 1, result
    assert "nobody in the guest listens for Ctrl-Alt-Del: ended by force" in result.err
    assert terminal.is_as_before


def test_quit_asks_a_guest_that_listens(terminal):
    with terminal.vm("--cmdline", "off", kernel="keyboard") as vm:
        terminal.press(QUIT)
        assert vm.finish().status == 0
    assert terminal.is_as_before


def test_the_key_itself(terminal):
    with terminal.vm(kernel="echo") as vm:
        terminal.press(b"<" + CTRL_A + b"a>q")
        terminal.wait_for(b"q")
        assert vm.finish().status == 0
    assert terminal.seen == b"ready\r\n<" + CTRL_A + b">q"


def test_help_key(terminal):
    with terminal.vm(kernel="echo") as vm:
        terminal.press(CTRL_A + b"h")
        terminal.wait_for(HELP)
        terminal.press(b"q")
        assert vm.finish().status == 0


def test_configuration_error_leaves_it_alone(terminal):
    with volt.Vm("--cpus", "0", **terminal.child()) as vm:
        assert vm.finish().status == volt.STATUS_CONFIGURATION
    assert terminal.is_as_before


def test_output_alone_on_a_terminal(terminal):
    """Keys go elsewhere, so nothing is to be made raw."""
    with volt.Vm(*DO_NOTHING, **{**terminal.child(), "stdin": subprocess.DEVNULL}) as vm:
        terminal.wait_for(b"ready\r\n")
        assert terminal.is_as_before
        vm.send(signal.SIGQUIT)
        assert vm.finish().status == 1


def test_raw_again_after_it_was_stopped(terminal):
    """A shell takes the terminal back while a program is stopped."""
    with terminal.vm(kernel="echo") as vm:
        vm.send(signal.SIGSTOP)
        os.waitpid(vm.pid, os.WUNTRACED)
        terminal.make_cooked()
        vm.send(signal.SIGCONT)
        volt.wait_until(lambda: terminal.is_raw, "raw mode after SIGCONT")
        terminal.press(b"q")
        assert vm.finish().status == 0
    assert terminal.is_as_before


def test_background_process_does_not_stop(terminal):
    """A job in the background that changed or read its terminal would be stopped by the kernel."""
    job = " ".join(volt.command("--cmdline", f"'! {volt.POWEROFF}'", kernel="do"))
    script = f"set -m; {job} & wait $!; echo status=$?"
    child = {**terminal.child(), "stdout": subprocess.PIPE}
    done = subprocess.run(["bash", "-c", script], timeout=volt.LIMIT_S, **child)
    assert done.stdout == volt.READY + b"status=0\n"
    assert terminal.is_as_before
