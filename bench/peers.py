# SPDX-License-Identifier: Apache-2.0
"""The monitors that are measured, each as a command line for the same kernel, initrd and machine.

A peer is held against the same work: its smallest machine, no network, no disk, no display.
"""
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("VOLT_BUILD", ROOT / "build")) / "bin"

CMDLINE = "console=ttyS0 loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"


def volt(kernel, initrd, memory, cpus, metrics=None):
    command = [BIN / "volt-vmm", "--kernel", kernel, "--memory", f"{memory}M", "--cpus", cpus, "--cmdline", CMDLINE]
    command += ["--initrd", initrd] if initrd else []
    command += ["--metrics-path", metrics] if metrics else []
    return list(map(str, command))


def qemu_microvm(kernel, initrd, memory, cpus, cpu="qemu64"):
    command = ["qemu-system-x86_64", "-M", "microvm,accel=kvm,rtc=off", "-cpu", cpu, "-m", memory, "-smp", cpus,
               "-nodefaults", "-no-user-config", "-nographic", "-no-reboot", "-serial", "stdio", "-kernel", kernel,
               "-append", CMDLINE]
    command += ["-initrd", initrd] if initrd else []
    return list(map(str, command))


def kvmtool(kernel, initrd, memory, cpus):
    command = ["lkvm", "run", "-k", kernel, "-m", memory, "-c", cpus, "-p", CMDLINE, "--console", "serial",
               "--network", "mode=none"]
    command += ["-i", initrd] if initrd else []
    return list(map(str, command))


def found(program):
    return shutil.which(program) is not None


def version(program, flag="--version"):
    done = subprocess.run([program, flag], capture_output=True, text=True)
    return (done.stdout or done.stderr).splitlines()[0]
