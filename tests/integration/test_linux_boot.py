# SPDX-License-Identifier: Apache-2.0
"""Real Linux guests: every kernel and entry, what they find, and how they end."""
import subprocess

import pytest

from linux import Guest, Kernels, make_initramfs

pytestmark = pytest.mark.linux

OWN, STOCK = "own-vmlinux", "stock-vmlinux"

# Everything one boot can tell, as key=value lines. The testbed's processor has a size of its own for
# the FPU's state, which every guest in it complains of, whatever the monitor.
FACTS = r"""
echo "release=$(uname -r)"
echo "nproc=$(nproc)"
echo "memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
echo "cmdline=$(cat /proc/cmdline)"
echo "serial_irqs=$(awk '/ttyS0/ { n = 0; for (i = 2; i <= NF && $i ~ /^[0-9]+$/; i++) n += $i; print n }' /proc/interrupts)"
echo "uart=$(dmesg | grep -c 'ttyS0 at I/O 0x3f8 .* is a 16550A')"
echo "keyboard=$(ls /sys/bus/serio/devices)"
echo "acpi=$(ls /sys/bus/acpi/devices 2>/dev/null | tr '\n' ' ')"
echo "clocksource=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "virtio=$(ls /sys/bus/virtio/devices 2>/dev/null | wc -l)"
echo "complaints=$(dmesg | grep -E 'BUG|Oops|WARNING: CPU|ACPI (BIOS )?Error|MP-BIOS|lockup|nobody cared' | grep -v fpu__init_system_xstate | tr '\n' ';')"
"""


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio", {"facts": FACTS})


@pytest.mark.parametrize("kernel, entry, cpus", [
    ("own-vmlinux", "pvh", 1), ("own-vmlinux", "linux64", 2), ("own-vmlinux", "auto", 4),
    ("own-bzimage", "auto", 2),
    ("stock-bzimage", "auto", 2), ("stock-vmlinux", "pvh", 4), ("stock-vmlinux", "linux64", 1),
])
def test_boots(tmp_path, kernels, initrd, kernel, entry, cpus):
    result = Guest(tmp_path, kernels[kernel], initrd, "--entry", entry, "--cpus", cpus, "--memory", "256M",
                   command=["sh", "/facts"]).finish()
    assert result.status == 0, result.out + result.log
    assert result.value("nproc") == str(cpus)
    assert 200 < int(result.value("memory")) <= 256
    assert result.value("uart") == "1"
    assert int(result.value("serial_irqs")) > 0
    assert result.value("keyboard") == "serio0"
    assert result.value("clocksource") == "kvm-clock"
    assert result.value("complaints") == ""
    assert "virtio_mmio.device" not in result.value("cmdline")
    if kernel.startswith("own"):  # the stock kernel's drivers are modules
        assert result.value("virtio") == "1"
    for device in ("PNP0501:00", "PNP0303:00", "QEMU0001:00", "LNRO0005:00"):
        assert device in result.value("acpi").split()
    assert "the guest powered off" in result.log
    assert result.metrics["timeline_ns"]["init"] > result.metrics["timeline_ns"]["run"]
    assert result.metrics["timeline_ns"]["done"] > result.metrics["timeline_ns"]["workload"]


def test_without_acpi(tmp_path, kernels, initrd):
    """Debian's cloud kernel cannot: it has no driver for MP tables."""
    result = Guest(tmp_path, kernels[OWN], initrd, "--acpi", "off", "--cpus", "2", "--memory", "256M",
                   command=["sh", "/facts"]).finish()
    assert result.status == 0, result.out + result.log
    assert result.value("nproc") == "2"
    assert result.value("acpi") == ""
    assert int(result.value("serial_irqs")) > 0
    assert result.value("complaints") == ""
    assert "acpi=off virtio_mmio.device=4K@0xc0000000:5" in result.value("cmdline")
    assert result.value("virtio") == "1"


def test_memory_on_both_sides_of_the_hole(tmp_path, kernels, initrd):
    result = Guest(tmp_path, kernels[OWN], initrd, "--memory", "5G", command=["sh", "/facts"]).finish()
    assert result.status == 0, result.out + result.log
    assert 4800 < int(result.value("memory")) <= 5120


@pytest.mark.parametrize("command, status", [
    (["true"], 0), (["sh", "-c", "exit 42"], 42), (["sh", "-c", "kill -9 $$"], 137),
    (["no-such-command"], 127), (["/etc"], 126),
])
def test_status_of_the_command(tmp_path, kernels, initrd, command, status):
    result = Guest(tmp_path, kernels[OWN], initrd, command=command).finish()
    assert result.status == status, result.out + result.log
    assert result.metrics["exit_status"] == status


def test_arguments_arrive_unchanged(tmp_path, kernels, initrd):
    arguments = ["a b", "", "\"quoted\" 'too'", "100%", "tab\tnewline\nend", "Grüße", "--", "-x", "a=b", "%00", "$HOME \\n"]
    arguments += [str(n) for n in range(180)]
    result = Guest(tmp_path, kernels[OWN], initrd,
                   command=["sh", "-c", "for a; do printf '<%s>' \"$a\"; done", "sh", *arguments]).finish()
    assert result.status == 0, result.log
    assert result.out == "".join(f"<{a}>" for a in arguments)


@pytest.mark.parametrize("kernel", [OWN, STOCK])
def test_last_words_arrive(tmp_path, kernels, initrd, kernel):
    """What the terminal has not sent yet when the workload ends is sent, not thrown away."""
    result = Guest(tmp_path, kernels[kernel], initrd, "--memory", "256M",
                   command=["sh", "-c", "head -c 3000 /dev/zero | tr '\\0' x; exit 5"]).finish()
    assert result.status == 5, result.out + result.log
    assert result.out.count("x") == 3000


@pytest.mark.parametrize("verb, text", [("poweroff", "the guest powered off"), ("reboot", "the guest rebooted")])
def test_forced_past_init(tmp_path, kernels, verb, text):
    initrd = make_initramfs(tmp_path / "initrd.cpio", {"etc/volt/init.json": f'{{"command": ["{verb}", "-f"]}}'})
    result = Guest(tmp_path, kernels[STOCK], initrd, "--cpus", "2", "--memory", "256M").finish()
    assert result.status == 0, result.out + result.log
    assert text in result.log


@pytest.mark.parametrize("verb", ["poweroff", "reboot"])
def test_asked_of_init(tmp_path, kernels, initrd, verb):
    result = Guest(tmp_path, kernels[OWN], initrd, command=["sh", "-c", f"{verb}; sleep 1000"]).finish()
    assert result.status == 143, result.out + result.log
    assert ("the guest powered off" if verb == "poweroff" else "the guest rebooted") in result.log


@pytest.mark.parametrize("kernel", [OWN, STOCK])
def test_panic(tmp_path, kernels, initrd, kernel):
    """Our kernel has pvpanic's driver, the stock one has it as a module that is not loaded."""
    result = Guest(tmp_path, kernels[kernel], initrd, "--memory", "256M",
                   command=["sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger"]).finish()
    assert result.status == 125, result.out + result.log
    assert "Kernel panic" in result.out
    assert "the guest's kernel panicked" in result.log


def test_sigterm_shuts_down_in_order(tmp_path, kernels, initrd):
    guest = Guest(tmp_path, kernels[OWN], initrd, "--stop-timeout", "120",
                  command=["sh", "-c", "trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 1; done"])
    guest.wait_for("ready")
    guest.send()
    result = guest.finish()
    assert result.status == 7, result.out + result.log
    assert "told" in result.out
    assert "asked the guest to shut down by Ctrl-Alt-Del" in result.log


def test_console_input(tmp_path, kernels, initrd):
    guest = Guest(tmp_path, kernels[OWN], initrd, stdin=subprocess.PIPE,
                  command=["sh", "-c", "stty -echo; echo ready; read line; echo \"got=$line\"; exit ${#line}"])
    guest.wait_for("ready")
    guest.process.stdin.write(b"x" * 40 + b"\n")
    guest.process.stdin.flush()
    result = guest.finish()
    assert result.value("got") == "x" * 40
    assert result.status == 40


def test_init_json(tmp_path, kernels):
    config = """{"command": ["sh", "-c", "echo who=$(id -u):$A:$(pwd)"],
                 "env": {"A": "b c"}, "user": "1000:1000", "cwd": "/tmp"}"""
    initrd = make_initramfs(tmp_path / "initrd.cpio", {"etc/volt/init.json": config})
    result = Guest(tmp_path, kernels[OWN], initrd).finish()
    assert result.status == 0, result.out + result.log
    assert result.value("who") == "1000:b c:/tmp"
