# SPDX-License-Identifier: Apache-2.0
"""The monitors that are measured, each as a command line for the same kernel, initrd and machine.

A peer is held against the same work: its smallest machine, no network, no disk, no display.
"""
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(os.environ.get("VOLT_BUILD", ROOT / "build")) / "bin"

CMDLINE = "console=ttyS0 loglevel=3 panic=-1 reboot=k pci=off i8042.noaux i8042.nomux i8042.dumbkbd"


def volt(kernel, initrd, memory, cpus, metrics=None, binaries=BIN):
    command = [binaries / "volt-vmm", "--kernel", kernel, "--memory", f"{memory}M", "--cpus", cpus, "--cmdline", CMDLINE]
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


# --- disks: a list of (path, readonly), the first with Debian and volt-init on it, the third a shell's input ---


def volt_disks(kernel, disks, engine, binaries=BIN):
    command = [*volt(kernel, None, 256, 1, binaries=binaries), "--log-level", "error"]
    for (path, readonly), name in zip(disks, "abc"):
        command += ["--drive", f"path={path},id={name},engine={engine},readonly={'on' if readonly else 'off'}"
                    + (",root=on" if name == "a" else "")]
    return [*command, "--", "sh", "/dev/vdc"]


def qemu_disks(kernel, disks, aio):
    command = qemu_microvm(kernel, None, 256, 1, cpu="host")
    at = command.index("-append") + 1
    command[at] += " root=/dev/vda ro init=/sbin/volt-init -- sh%00/dev/vdc"
    for i, (path, readonly) in enumerate(disks):
        command += ["-drive", f"if=none,id=d{i},file={path},format=raw,cache=writeback,aio={aio},"
                    f"readonly={'on' if readonly else 'off'}", "-device", f"virtio-blk-device,drive=d{i}"]
    return command


# --- NICs: on a TAP device that is there ---


def volt_net(kernel, initrd, address, tap, mac, backend, binaries=BIN):
    command = [*volt(kernel, initrd, 256, 1, binaries=binaries), "--log-level", "error", "--net",
               f"backend={backend},tap={tap},mac={mac}"]
    command[command.index("--cmdline") + 1] += f" volt.ip={address}"
    return command


def qemu_net(kernel, initrd, address, tap, mac, vhost):
    """With the current virtio interface, which is not microvm's default: it has merged receive buffers either way."""
    command = qemu_microvm(kernel, initrd, 256, 1, cpu="host")
    command[command.index("-append") + 1] += f" volt.ip={address}"
    return [*command, "-global", "virtio-mmio.force-legacy=off", "-netdev",
            f"tap,id=n,ifname={tap},script=no,downscript=no,vhost={vhost}", "-device", f"virtio-net-device,netdev=n,mac={mac}"]


def debian_image():
    """A Debian root disk with fio, made once; for reading only."""
    made = subprocess.run([ROOT / "tests/host/debian-image"], check=True, stdout=subprocess.PIPE, text=True)
    return pathlib.Path(made.stdout.strip())


def own_kernel():
    built = subprocess.run([ROOT / "kernel/build"], check=True, capture_output=True, text=True)
    return pathlib.Path(built.stdout.strip()) / "vmlinux"


# --- where it runs ---


def in_testbed():
    return "NESTED_KVM" in os.environ


def move_to_testbed(script, seconds, cpus=2, memory=4096):
    """Go on there if this host's KVM cannot run Linux."""
    done = subprocess.run([BIN / "volt", "doctor", "--can-run-linux"], check=False)
    if done.returncode != 0 and not in_testbed():
        nested = ROOT / "tests/testbed/nested-kvm"
        os.execv(nested, [str(nested), "-c", str(cpus), "-t", str(seconds), "-m", str(memory), "-e", "VOLT_BUILD", "--",
                          sys.executable, script, *sys.argv[1:]])


@contextlib.contextmanager
def disk_folder(folder, mib):
    """Where measured disks are: in the testbed, whose files are in RAM, an ext4 of their own."""
    if not in_testbed():
        yield folder
        return
    image, place = folder / "ext4", folder / "mounted"
    place.mkdir()
    with image.open("wb") as f:
        f.truncate(mib << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, place], check=True)
    # What has been written stays in the page cache: it is the monitors that are measured.
    for name in ("dirty_ratio", "dirty_background_ratio"):
        pathlib.Path("/proc/sys/vm", name).write_text("90")
    pathlib.Path("/proc/sys/vm/dirty_expire_centisecs").write_text("360000")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)
