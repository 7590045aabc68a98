# SPDX-License-Identifier: Apache-2.0
"""Firecracker's clients and a real guest: what the Go SDK, firectl and Kata do, byte for byte."""
import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

import disks
import fcclient
import volt
from fcclient import STATUS_CONFIGURATION, Firecracker, GoClient
from linux import ROOT
from test_debian import DISK, assert_clean, digest

pytestmark = pytest.mark.linux


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """A copy for this session; what each test wants the guest to do is written to it."""
    made = subprocess.run([ROOT / "tests/host/debian-image"], check=True, capture_output=True, text=True)
    copy = tmp_path_factory.mktemp("image") / "rootfs.ext4"
    subprocess.run(["cp", "--sparse=always", made.stdout.strip(), copy], check=True)
    subprocess.run(["debugfs", "-w", "-R", "mkdir /etc/volt", copy], capture_output=True)
    return copy


def guest_runs(image, folder, script):
    """The guest's first program does this, then powers off: no client has a way to say it."""
    config = folder / "init.json"
    config.write_text(json.dumps({"command": ["sh", "-c", script]}))
    subprocess.run(["debugfs", "-w", "-R", "rm /etc/volt/init.json", image], capture_output=True)
    subprocess.run(["debugfs", "-w", "-R", f"write {config} /etc/volt/init.json", image], check=True, capture_output=True)


def value(text, key):
    for line in text.splitlines():
        if line.startswith(key + "="):
            return line.partition("=")[2]
    raise AssertionError(f"the guest printed no {key}=:\n{text}")


class Fifo:
    """A named pipe as the SDK makes them, and all that has come through it."""

    def __init__(self, path):
        os.mkfifo(path, 0o600)
        self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def read(self):
        data = b""
        while part := os.read(self.fd, 65536):
            data += part
        return data.decode()


def configure(client, here, kernel_args, drives, cpus, nic=None):
    """The SDK's order, from its first request to the last before the start."""
    client.get("/machine-config")
    client.put("/logger", {"level": "Debug", "log_path": str(here / "log.fifo"), "show_level": True, "show_log_origin": False})
    client.put("/metrics", {"metrics_path": str(here / "metrics.fifo")})
    client.put("/machine-config", {"mem_size_mib": 256, "smt": False, "vcpu_count": cpus})
    machine = client.get("/machine-config")
    assert (machine["vcpu_count"], machine["mem_size_mib"], machine["smt"]) == (cpus, 256, False)
    client.put("/boot-source", {"boot_args": kernel_args, "kernel_image_path": str(disks.own_kernel())})
    for drive in drives:
        client.put(f"/drives/{drive['drive_id']}", drive)
    if nic is not None:
        client.put("/network-interfaces/1", {"guest_mac": nic, "host_dev_name": "fctap0", "iface_id": "1"})
    client.put("/actions", {"action_type": "InstanceStart"})


def drive(name, path, root=False, readonly=False):
    return {"drive_id": name, "is_read_only": readonly, "is_root_device": root, "path_on_host": str(path)}


# Numbered blocks, each flushed; the largest step of the monotonic clock between two looks.
STANDING_STILL = r"""
( last=$(cut -d. -f1 /proc/uptime); most=0; done=
  while [ -z "$done" ]; do
    [ -e /run/done ] && done=1
    now=$(cut -d. -f1 /proc/uptime); step=$((now - last)); last=$now
    [ $step -gt $most ] && most=$step; [ $step -lt 0 ] && echo "backwards=1"; sleep 0.3
  done; echo "step=$most" ) &
n=0
while [ "$(blockdev --getsize64 /dev/vdb)" = 67108864 ] || [ $n -lt 24 ]; do
  printf '%08d' $n | dd of=/dev/vdb bs=4096 seek=$((n % 4096)) conv=notrunc,fsync 2>/dev/null || echo "failed=$n"
  n=$((n + 1))
  [ $n = 12 ] && echo "twelve=1"
done
touch /run/done; wait
echo "blocks=$n"
echo "size=$(blockdev --getsize64 /dev/vdb)"
dmesg | grep -iE 'lockup|rcu.*stall|hung|I/O error' | sed 's/^/complaint=/'
"""


def test_go_sdk_with_a_pause_under_load_and_a_disk_that_grows(here, image):
    """Its cold boot, PauseVM, ResumeVM, UpdateGuestDrive, and the guest's own power off."""
    disk = here / "disk"
    disk.write_bytes(b"")
    os.truncate(disk, DISK)
    guest_runs(image, here, "cat /sys/class/net/eth0/address | sed s/^/mac=/; " + STANDING_STILL)
    socket = here / "firecracker.sock"
    log, metrics = Fifo(here / "log.fifo"), Fifo(here / "metrics.fifo")
    with Firecracker("--api-sock", socket, "--no-seccomp", "--id", "e7a3e6c2-3fb7-4d8a-9d3e-5a1f7a9f3c11") as vm:
        fcclient.wait_for_socket(socket)
        with GoClient(socket) as client:
            configure(client, here, "console=ttyS0 reboot=k panic=1 pci=off init=/sbin/volt-init",
                      [drive("1", image, root=True), drive("2", disk)], cpus=2, nic="02:fc:00:00:00:01")
            vm.wait_for(b"twelve=1")
            assert client.get("/")["state"] == "Running"
            client.patch("/vm", {"state": "Paused"})
            before = digest(disk)
            time.sleep(10)
            assert client.get("/")["state"] == "Paused" and digest(disk) == before
            client.patch("/vm", {"state": "Resumed"})
            os.truncate(disk, 2 * DISK)
            client.patch("/drives/2", {"drive_id": "2", "path_on_host": str(disk)})
            assert fcclient.threads(vm.pid)[:3] == ["fc_vcpu 0", "fc_vcpu 1", "firecracker"]
            result = vm.finish()
    text = result.text.replace("\r\n", "\n")
    assert (result.status, result.err) == (0, ""), result
    assert value(text, "mac") == "02:fc:00:00:00:01"
    assert "failed=" not in text and "backwards=" not in text and "complaint=" not in text, text
    assert int(value(text, "size")) == 2 * DISK and int(value(text, "step")) >= 9
    blocks, data = int(value(text, "blocks")), disk.read_bytes()
    assert [int(data[4096 * n:4096 * n + 8]) for n in range(blocks)] == list(range(blocks))
    assert_clean(image)
    line = json.loads(metrics.read().splitlines()[-1])
    assert line["block_2"]["write_count"] >= blocks and line["block"]["write_count"] > line["block_2"]["write_count"]
    assert line["latencies_us"]["pause_vm"] > 0 and "net_1" in line
    assert "[e7a3e6c2-3fb7-4d8a-9d3e-5a1f7a9f3c11:main:INFO] the guest powered off\n" in log.read()


def test_firectl(here, image):
    """Its own kernel command line, its order of disks, and its end: the guest resets."""
    extra = here / "extra"
    extra.write_bytes(bytes(1 << 20))
    guest_runs(image, here, "echo disks=$(cat /sys/block/vd*/size | tr '\\n' ' '); echo ro=$(cat /sys/block/vd*/ro | tr '\\n' ' '); "
                            "echo nproc=$(nproc); reboot -f")
    socket = here / "firecracker.sock"
    Fifo(here / "log.fifo"), Fifo(here / "metrics.fifo")
    with Firecracker("--api-sock", socket, "--no-seccomp", "--id", "a1") as vm:
        fcclient.wait_for_socket(socket)
        with GoClient(socket) as client:
            configure(client, here, "ro console=ttyS0 noapic reboot=k panic=1 pci=off nomodules init=/sbin/volt-init",
                      [drive("2", extra, readonly=True), drive("1", image, root=True)], cpus=1)
            result = vm.finish()
    text = result.text.replace("\r\n", "\n")
    assert (result.status, result.err) == (0, ""), result
    assert value(text, "disks").split() == ["2097152", "2048"], text
    assert value(text, "ro").split() == ["0", "1"], text
    assert value(text, "nproc") == "1"
    assert os.path.exists(socket)


KATA_ARGS = ("root=/dev/vda rootflags=data=ordered,errors=remount-ro ro rootfstype=ext4 pci=off reboot=k panic=1 iommu=off "
             "net.ifnames=0 random.trust_cpu=on acpi=off quiet console=ttyS0 init=/sbin/volt-init")
POOL = 8


@contextlib.contextmanager
def bound(what, where):
    disks.run("mount", "--bind", what, where)
    try:
        yield
    finally:
        disks.run("umount", "--lazy", where)


@contextlib.contextmanager
def shared(folder):
    """As Kata makes its folder: what is mounted in it is told to other namespaces."""
    with bound(folder, folder):
        disks.run("mount", "--make-shared", folder)
        yield


def kata_config(here, image, **more):
    """As its fcConfig.json: the root disk, eight disks to come, log and metrics on pipes."""
    drives = [drive("rootfs", image, readonly=True)]
    for n in range(POOL):
        placeholder = here / f"drive_{n}"
        placeholder.touch()
        drives.append(drive(f"drive_{n}", placeholder))
    config = {
        "boot-source": {"kernel_image_path": str(disks.own_kernel()), "boot_args": KATA_ARGS},
        "machine-config": {"vcpu_count": 1, "mem_size_mib": 256, "smt": False},
        "drives": drives,
        "logger": {"log_path": str(here / "log.fifo"), "level": "Error"},
        "metrics": {"metrics_path": str(here / "metrics.fifo")},
        **more,
    }
    path = here / "fcConfig.json"
    path.write_text(json.dumps(config, indent="\t"))
    return path


def test_kata(here, image):
    """
    Its configuration file, GET / until it runs, placeholders that become disks, SIGTERM at the end. Kata mounts
    a container's block device over the placeholder, whose path stays the same.
    """
    config = kata_config(here, image)
    Fifo(here / "log.fifo"), Fifo(here / "metrics.fifo")
    guest_runs(image, here, 'echo "before=$(cat /sys/block/vd*/size | tr "\\n" " ")"; for d in vdd vde; do '
                            'while [ "$(cat /sys/block/$d/size)" = 0 ]; do sleep 0.1; done; '
                            'echo "$d=$(cat /sys/block/$d/size)"; head -c 9 /dev/$d; echo; done; sleep 1000')
    for name, size in (("file", 3 << 20), ("device", 2 << 20)):
        (here / name).write_bytes(name.encode().ljust(9, b"!").ljust(size, b"\0"))
    socket = here / "firecracker.socket"
    with shared(here), disks.loop(here / "device") as device, \
            Firecracker("--api-sock", socket, "--config-file", config) as vm:
        fcclient.wait_for_socket(socket)
        with GoClient(socket) as client:
            volt.wait_until(lambda: client.get("/")["state"] == "Running", "the machine")
            vcpus = [name for name in fcclient.threads(vm.pid) if name.startswith("fc_vcpu")]
            assert [int(name.removeprefix("fc_vcpu").strip()) for name in vcpus] == [0]
            vm.wait_for(b"before=")
            client.patch("/drives/drive_2", {"drive_id": "drive_2", "path_on_host": str(here / "file")})
            vm.wait_for(b"file!!!!!")
            with bound(device, here / "drive_3"):
                client.patch("/drives/drive_3", {"drive_id": "drive_3", "path_on_host": str(here / "drive_3")})
                vm.wait_for(b"device!!!")
                vm.send()
                result = vm.finish()
    text = result.text.replace("\r\n", "\n")
    assert (result.status, result.err) == (-signal.SIGTERM, ""), result
    assert value(text, "before").split()[1:] == ["0"] * POOL
    assert (int(value(text, "vdd")), int(value(text, "vde"))) == ((3 << 20) // 512, (2 << 20) // 512)


def test_kata_with_a_vsock_is_refused_by_name(here, image):
    config = kata_config(here, image, vsock={"guest_cid": 3, "uds_path": str(here / "kata.hvsock"), "vsock_id": "root"})
    Fifo(here / "log.fifo"), Fifo(here / "metrics.fifo")
    result = fcclient.run("--api-sock", here / "firecracker.socket", "--config-file", config)
    assert result.status == STATUS_CONFIGURATION, result
    assert len(result.lines) == 1 and "vsock" in result.err, result
