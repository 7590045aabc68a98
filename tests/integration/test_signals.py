# SPDX-License-Identifier: Apache-2.0
"""Signals: the guest is asked first where it listens, and ended where it does not."""
import os
import pathlib
import signal

import pytest

import volt

ASKED = "asked the guest to shut down by Ctrl-Alt-Del"
NOBODY = "nobody in the guest listens for Ctrl-Alt-Del: ended by force"
TWICE = "asked twice: ended by force"
TIMEOUT = "the guest has not shut down within 1 s: ended by force"
ENDED = "the machine was ended by force"
POWERED_OFF = "the guest powered off"

# Ctrl, Alt and Del go down and come up again: scan codes of set 1.
CTRL_ALT_DEL = [0x1D, 0x38, 0xE0, 0x53, 0xE0, 0xD3, 0xB8, 0x9D]
STOPPING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

DO_NOTHING = {"kernel": "do", "words": "!"}
OBEYS = {"kernel": "keyboard", "words": "off"}
IGNORES = {"kernel": "keyboard", "words": "ignore"}


def start(*options, kernel, words, **more):
    vm = volt.Vm("--cmdline", words, "--log-level", "info", *options, kernel=kernel, **more)
    vm.wait_for()
    return vm


def story(result):
    return [line.partition("machine: ")[2] for line in result.lines if " machine: " in line]


def codes(result):
    return [int(line.partition("=")[2], 16) for line in result.text.splitlines() if line.startswith("code=")]


@pytest.mark.parametrize("number", STOPPING)
def test_guest_that_does_not_listen_is_ended_at_once(number):
    with start(**DO_NOTHING) as vm:
        vm.send(number)
        result = vm.finish()
    assert result.status == 1, result
    assert story(result) == [NOBODY, ENDED]


@pytest.mark.parametrize("number", STOPPING)
def test_guest_that_listens_powers_off(here, number):
    with start("--metrics-path", "m", **OBEYS) as vm:
        vm.send(number)
        result = vm.finish()
    assert result.status == 0, result
    assert story(result) == [ASKED, POWERED_OFF]
    assert codes(result) == CTRL_ALT_DEL[:4]
    assert volt.metrics("m")["i8042"]["interrupts"] >= 4


def test_guest_that_does_not_obey_is_ended_in_time():
    with start("--stop-timeout", "1", **IGNORES) as vm:
        vm.send()
        result = vm.finish()
    assert result.status == 1, result
    assert story(result) == [ASKED, TIMEOUT, ENDED]
    assert codes(result) == CTRL_ALT_DEL


@pytest.mark.parametrize("second", STOPPING)
def test_second_signal_ends_it(second):
    """It has an hour, and gets no second of it."""
    with start("--stop-timeout", "3600", **IGNORES) as vm:
        vm.send()
        vm.wait_for(b"code=0000009d\n")
        vm.send(second)
        result = vm.finish()
    assert result.status == 1, result
    assert story(result) == [ASKED, TWICE, ENDED]


def test_no_time_to_stop():
    with start("--stop-timeout", "0", **OBEYS) as vm:
        vm.send()
        result = vm.finish()
    assert result.status == 1, result
    assert story(result)[-1] == ENDED and ASKED not in result.err
    assert codes(result) == []


def test_sigquit_ends_it_at_once():
    with start(**OBEYS) as vm:
        vm.send(signal.SIGQUIT)
        result = vm.finish()
    assert result.status == 1, result
    assert story(result) == [ENDED]
    assert codes(result) == []


@pytest.mark.parametrize("guest, status", [(DO_NOTHING, 125), (OBEYS, 125)])
def test_status_with_a_workload(guest, status):
    """Neither guest has said how its workload ended."""
    with start("--", "x", **guest) as vm:
        vm.send()
        assert vm.finish().status == status


def test_processors_that_run_are_ended():
    """Every vCPU is in KVM_RUN: one in a loop, the others wait to be started."""
    with start("--cpus", "4", **IGNORES) as vm:
        vm.send(signal.SIGQUIT)
        assert story(vm.finish()) == [ENDED]


def test_sigcont_and_sigpipe_are_harmless():
    with start(**OBEYS) as vm:
        vm.send(signal.SIGCONT)
        vm.send(signal.SIGPIPE)
        vm.send()
        result = vm.finish()
    assert result.status == 0, result
    assert story(result) == [ASKED, POWERED_OFF]


def test_signals_reach_the_guest_with_any_mask_inherited():
    """A parent that blocked or ignored them does not make the machine deaf."""
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
    with start(preexec_fn=block, **OBEYS) as vm:
        vm.send()
        assert story(vm.finish()) == [ASKED, POWERED_OFF]


def test_signal_while_it_starts():
    """Whenever it comes: before the signals are taken it kills, later the machine ends in order."""
    for _ in range(30):
        with volt.Vm("--cmdline", "!") as vm:
            vm.send()
            result = vm.finish()
        assert result.status in (-signal.SIGTERM, 1), result
        assert result.status == -signal.SIGTERM or story(result) == [ENDED], result


def children(pid):
    return [child for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text().split()]


def test_sigkill_leaves_nothing(here):
    """No helper processes, no files beside those that were asked for."""
    with start("--cpus", "2", **OBEYS) as vm:
        assert children(vm.pid) == []
        vm.send(signal.SIGKILL)
        assert vm.finish().status == -signal.SIGKILL
    assert list(here.iterdir()) == []
    assert not os.path.exists(f"/proc/{vm.pid}")
