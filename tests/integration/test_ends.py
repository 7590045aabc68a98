# SPDX-License-Identifier: Apache-2.0
"""How a machine ends, and the exit status and reason that come of it; the table is in --help."""
import re

import pytest

import volt
from volt import POWEROFF, STATUS_CONFIGURATION, STATUS_FAILED, STATUS_VOLT_FAILED, do

RESET = "o602=1"
I8042_RESET = "o64=fe"
# I/O APIC: the low half of pin 4's entry, vector 0x24 and not masked; then one handed to the 8259s.
PIN_OPEN = "wfec00000=18 wfec00010=24"
PIN_EXTINT = "wfec00000=18 wfec00010=700"
FAULT = "f"
PANIC, CRASH_KERNEL = "o505=1", "o505=2"
ALL_ONES = "ffffffff"

POWERED_OFF = "the guest powered off"
REBOOTED = "the guest rebooted"
PANICKED = "the guest's kernel panicked"
TRIPLE_FAULT = "the guest's processor took a triple fault"

# What the guest does, the status without a workload, the reason.
ENDS = [
    (POWEROFF, 0, POWERED_OFF),
    (RESET, 0, REBOOTED),
    (I8042_RESET, 0, REBOOTED),
    ("o64=d1 o60=0", 0, REBOOTED),  # the reset line of the controller's output port
    (f"{PIN_OPEN} {RESET}", STATUS_FAILED, PANICKED),  # a kernel that reboots in order has masked it
    (f"{PIN_OPEN} {I8042_RESET}", STATUS_FAILED, PANICKED),
    (f"{PIN_EXTINT} {RESET}", 0, REBOOTED),
    (FAULT, STATUS_FAILED, TRIPLE_FAULT),
    (PANIC, STATUS_FAILED, PANICKED),
    (f"{PANIC} {RESET}", STATUS_FAILED, PANICKED),
    (f"{CRASH_KERNEL} {POWEROFF}", 0, POWERED_OFF),
]

# Written, and nothing ends: another value to the reset register, lines pulsed that reset nothing.
NO_ENDS = ["o602=0", "o602=2", "o64=ff", "o64=f1", "o505=0", "o505=4", "o600=14"]


def reasons(result):
    return [line.partition("machine: ")[2] for line in result.lines if " machine: " in line]


@pytest.mark.parametrize("words, status, reason", ENDS)
def test_status_and_reason(words, status, reason):
    result = do(words, "--log-level", "info")
    assert result.status == status, result
    assert reasons(result) == [reason]


@pytest.mark.parametrize("words, status, reason", ENDS)
def test_bad_ends_are_logged_by_default(words, status, reason):
    assert reasons(do(words)) == ([reason] if status else [])


@pytest.mark.parametrize("words", NO_ENDS)
def test_not_an_end(words):
    result = do(f"{words} ! {POWEROFF}", "--log-level", "info")
    assert result.status == 0, result
    assert result.out == volt.READY
    assert reasons(result) == [POWERED_OFF]


@pytest.mark.parametrize("kind", [0, 1, 3, 4, 7])
def test_other_sleep_states_do_not_exist(kind):
    result = do(f"o600={0x20 | kind << 2:x} ! {POWEROFF}")
    assert (result.status, result.out) == (0, volt.READY), result
    assert [line.partition("power: ")[2] for line in result.lines] == [
        f"the guest asked for sleep type {kind}, which this machine has not"]


@pytest.mark.parametrize("words, status", [
    (f"o604=2a {POWEROFF}", 42),
    (f"o604=0 {POWEROFF}", 0),
    (f"o604=7c {POWEROFF}", 124),
    (f"o604=89 {POWEROFF}", 137),
    (f"o604=1 o604=2 o604=3 {POWEROFF}", 3),
    (f"o604=2a {RESET}", 42),
    (POWEROFF, STATUS_VOLT_FAILED),
    (RESET, STATUS_VOLT_FAILED),
    (f"o604=2a {FAULT}", STATUS_VOLT_FAILED),
    (f"o604=0 {PANIC}", STATUS_VOLT_FAILED),
    (f"o604=0 {PIN_OPEN} {RESET}", STATUS_VOLT_FAILED),
    ("o604=2a e", STATUS_VOLT_FAILED),
])
def test_status_of_a_workload(words, status):
    assert do(words, "--", "x").status == status


def test_reported_status_without_a_workload():
    assert do(f"o604=2a {POWEROFF}").status == 0


def test_configuration_error_with_a_workload():
    volt.assert_fault(volt.run("--cpus", "0", "--", "x"), STATUS_VOLT_FAILED, "--cpus 0")


def test_marks_are_on_the_time_line(here):
    result = do(f"o605=1 o605=2 o605=3 o605=1 o605=0 o605=4 o605=ff {POWEROFF}", "--metrics-path", "m")
    assert result.status == 0, result
    times = volt.metrics("m")["timeline_ns"]
    in_order = ["build", "opened", "vm", "loaded", "connected", "ready", "run", "init", "workload", "done", "now"]
    assert list(times) == in_order
    assert sorted(times.values()) == list(times.values()) and times["build"] > 0


def test_unwritten_marks_are_zero(here):
    do(f"o605=2 {POWEROFF}", "--metrics-path", "m")
    times = volt.metrics("m")["timeline_ns"]
    assert times["init"] == times["done"] == 0 < times["workload"]


def test_metrics_of_an_end(here):
    result = do(f"! {FAULT}", "--metrics-path", "m", "--id", "vm-1", "--cpus", "2", "--", "x")
    got = volt.metrics("m")
    assert result.status == got["exit_status"] == STATUS_VOLT_FAILED
    assert (got["id"], got["end"], got["vcpus"]) == ("vm-1", TRIPLE_FAULT, 2)
    assert got["exits"]["KVM_EXIT_SHUTDOWN"] == 1
    assert got["exits"]["KVM_EXIT_IO"] == got["console"]["bytes_out"] == len(volt.READY)
    assert got["exits"]["total"] == len(volt.READY) + 1
    assert got["memory"]["bytes"] == 128 << 20


def test_instruction_that_kvm_cannot_emulate(here):
    """One line with the instruction pointer and the bytes there, which the guest's file has, too."""
    result = do("! e", "--metrics-path", "m")
    volt.assert_fault(result, STATUS_FAILED, "vCPU 0", "KVM cannot emulate", "volt doctor")
    assert result.out == volt.READY
    rip, code = re.search(r"RIP (0x\w+) \(bytes ([0-9a-f ]+)\)", result.err).groups()
    assert code.startswith("db 2d 00 00 00 d0")  # fldt 0xD0000000
    assert bytes.fromhex(code) in volt.guest("do").read_bytes()
    assert 0x100000 <= int(rip, 16) < 0x101000
    assert volt.metrics("m")["end"] == "the host failed"


@pytest.mark.parametrize("words, printed", [
    ("i1234", "000000ff"), ("I1234", ALL_ONES),  # nobody's ports
    ("iffff", "000000ff"), ("Iffff", ALL_ONES),  # past the last one
    ("i604", "000000ff"), ("i605", "000000ff"),  # write only
    ("i505", "00000003"),  # the events that pvpanic knows
    ("i600", "00000000"), ("i601", "00000000"), ("o600=14 i600", "00000014"),
    ("rc0000000", "74726976"), ("rc0001000", ALL_ONES), ("rc0000200", ALL_ONES),  # one virtio device
    ("rd0000000", ALL_ONES), ("rf0000000", ALL_ONES),
    ("wd0000000=12345678 rd0000000", ALL_ONES),
    ("r8000000", ALL_ONES), ("r7fffffc", "00000000"),  # both sides of the end of 128 MiB
    ("o1234=1 offff=1 i1234", "000000ff"),
])
def test_what_nobody_answers_reads_as_ones(words, printed):
    result = do(f"{words} {POWEROFF}")
    assert (result.status, result.text) == (0, printed + "\n"), result


def test_help_has_the_table():
    text = volt.run("--help", kernel=None).text
    assert "Exit status: 0 the guest powered off or rebooted; 1 it failed, or Volt did; 2 the\n" in text
    assert "or 125 when Volt or the guest failed before it ended." in text
    assert STATUS_CONFIGURATION == 2 and STATUS_VOLT_FAILED == 125
