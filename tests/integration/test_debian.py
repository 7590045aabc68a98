# SPDX-License-Identifier: Apache-2.0
"""Real Debian guests on root disks: both kernels, several disks, and what the host finds afterwards."""
import hashlib
import os
import pathlib
import subprocess

import pytest

from linux import BIN, ROOT, Guest, Kernels

pytestmark = pytest.mark.linux

OWN = "own-vmlinux"
DISK = 64 << 20


@pytest.fixture(scope="session")
def kernels(tmp_path_factory):
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="session")
def stock(tmp_path_factory):
    """Debian's kernel as "volt kernel import" leaves it: a vmlinux with the initrd for its modules beside."""
    data = tmp_path_factory.mktemp("data")
    environment = {**os.environ, "XDG_DATA_HOME": str(data)}
    newest = max(pathlib.Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    done = subprocess.run([BIN / "volt", "kernel", "import", "--name", "stock", newest], check=True,
                          capture_output=True, text=True, env=environment)
    return pathlib.Path(done.stdout.strip())


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """A copy for this session, written to by one test after the other."""
    made = subprocess.run([ROOT / "tests/host/debian-image"], check=True, capture_output=True, text=True)
    copy = tmp_path_factory.mktemp("image") / "rootfs.ext4"
    subprocess.run(["cp", "--sparse=always", made.stdout.strip(), copy], check=True)
    return copy


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(b"")
    os.truncate(path, DISK)
    return path


def run(folder, kernel, image, *options, command):
    result = Guest(folder, kernel, None, "--rootfs", image, "--memory", "256M", "--cpus", "2", *options,
                   command=command).finish()
    assert_clean(image)
    return result


def assert_clean(image):
    checked = subprocess.run(["e2fsck", "-fn", image], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


COUNTED = r"""
echo "virtio=$(ls /sys/bus/virtio/devices | wc -l)"
echo "disks=$(ls -d /sys/block/vd* | wc -l)"
echo "serials=$(cat /sys/block/vd*/serial | tr '\n' ' ')"
"""


def test_stock_kernel(tmp_path, stock, image, disk):
    """By ACPI, with the initrd beside the kernel; each device is there once."""
    assert stock.with_name("vmlinux.initrd").exists()
    result = run(tmp_path, stock, image, "--drive", f"path={disk},id=data",
                 command=["sh", "-c", COUNTED + "dpkg -l"])
    assert result.status == 0, result.out + result.log
    assert "ii  base-files " in result.out
    assert (result.value("disks"), result.value("serials")) == ("2", "rootfsdata")
    assert result.value("virtio") == "3"
    assert "vmlinux.initrd" in result.log


@pytest.mark.parametrize("acpi", ["on", "off"])
def test_each_device_is_there_once(tmp_path, kernels, image, disk, acpi):
    """Announced by ACPI or by the command line, never by both."""
    result = run(tmp_path, kernels[OWN], image, "--acpi", acpi, "--drive", f"path={disk},id=data",
                 command=["sh", "-c", COUNTED + 'echo "cmdline=$(cat /proc/cmdline)"'])
    assert result.status == 0, result.out + result.log
    assert (result.value("virtio"), result.value("disks")) == ("3", "2")
    assert result.value("cmdline").count("virtio_mmio.device=") == (0 if acpi == "on" else 3)


def test_writes_are_there_afterwards(tmp_path, kernels, image):
    result = run(tmp_path, kernels[OWN], image,
                 command=["sh", "-c", "dd if=/dev/urandom of=/big bs=1M count=100 2>/dev/null && sync "
                          "&& sha256sum /big && exit 3"])
    assert result.status == 3, result.out + result.log
    written = result.out.split()[0]
    found = subprocess.run(["debugfs", "-R", "cat /big", image], check=True, capture_output=True).stdout
    assert len(found) == 100 << 20 and hashlib.sha256(found).hexdigest() == written
    counters = result.metrics["disks"]["rootfs"]
    assert counters["written_bytes"] >= 100 << 20 and counters["flushes"] > 0 and counters["errors"] == 0
    result = run(tmp_path, kernels[OWN], image, command=["sh", "-c", "rm /big; fstrim -v /"])
    assert result.status == 0, result.out + result.log
    assert result.metrics["disks"]["rootfs"]["discards"] > 0
    assert image.stat().st_blocks * 512 < 500 << 20


def test_readonly_disk(tmp_path, kernels, image, disk):
    disk.write_bytes(os.urandom(1 << 20) + bytes(DISK - (1 << 20)))
    before = digest(disk)
    result = run(tmp_path, kernels[OWN], image, "--drive", f"path={disk},id=data,readonly=on",
                 command=["sh", "-c", "cat /sys/block/vdb/ro; sha256sum /dev/vdb; "
                          "dd if=/dev/zero of=/dev/vdb bs=4k count=1 oflag=direct; echo status=$?; "
                          "blockdev --setrw /dev/vdb; "
                          "dd if=/dev/zero of=/dev/vdb bs=4k count=1 oflag=direct; echo forced=$?"])
    assert result.status == 0, result.out + result.log
    assert before in result.out
    assert result.value("status") != "0" and result.value("forced") != "0"
    assert digest(disk) == before


def test_readonly_root(tmp_path, kernels, image):
    before = image.stat().st_mtime_ns, image.stat().st_blocks
    result = Guest(tmp_path, kernels[OWN], None, "--drive", f"path={image},root=on,readonly=on", "--memory",
                   "256M", command=["sh", "-c", "touch /x; echo touched=$?; grep ' / ' /proc/mounts"]).finish()
    assert result.status == 0, result.out + result.log
    assert result.value("touched") != "0"
    assert (image.stat().st_mtime_ns, image.stat().st_blocks) == before


@pytest.mark.parametrize("engine", ["io_uring", "sync"])
def test_queues_with_threads(tmp_path, kernels, image, disk, engine):
    job = ("fio --name=x --filename=/dev/vdb --rw=randrw --bs=4k --direct=1 --ioengine=libaio --iodepth=8 "
           "--numjobs=2 --cpus_allowed=0,1 --cpus_allowed_policy=split --io_size=4M --verify=crc32c "
           "--verify_fatal=1 --group_reporting --size=32M --offset_increment=32M")
    result = run(tmp_path, kernels[OWN], image, "--drive",
                 f"path={disk},id=data,queues=2,iothreads=2,engine={engine}",
                 command=["sh", "-c", f"echo queues=$(ls /sys/block/vdb/mq | wc -l); {job} > /dev/null"])
    assert result.status == 0, result.out + result.log
    assert result.value("queues") == "2"
    counters = result.metrics["disks"]["data"]
    assert counters["engine"] == engine and counters["errors"] == 0
    assert counters["reads"] > 500 and counters["writes"] > 500


def test_rate_limit(tmp_path, kernels, image, disk):
    """Two seconds' worth after the burst: the queue waited, and nothing was lost."""
    result = run(tmp_path, kernels[OWN], image, "--drive", f"path={disk},id=data,rate=4M,burst=1M",
                 command=["sh", "-c", "set -- $(cat /proc/uptime); a=$1; "
                          "dd if=/dev/vdb of=/dev/null bs=1M count=9 iflag=direct 2>/dev/null; "
                          "set -- $(cat /proc/uptime); echo took=$a,$1"])
    assert result.status == 0, result.out + result.log
    begin, end = map(float, result.value("took").split(","))
    assert end - begin > 1.5
    assert result.metrics["disks"]["data"]["throttled"] > 0


def test_rng(tmp_path, kernels, image):
    result = run(tmp_path, kernels[OWN], image,
                 command=["sh", "-c", "cat /sys/class/misc/hw_random/rng_current; head -c 4096 /dev/hwrng | wc -c"])
    assert result.out.split() == ["virtio_rng.0", "4096"], result.out + result.log
    assert result.metrics["rng"]["bytes"] >= 4096


def test_what_an_image_says_about_its_workload(tmp_path, kernels, image):
    """init.json, hostname and environment on a disk."""
    subprocess.run(["debugfs", "-w", "-R", f"mkdir /etc/volt", image], capture_output=True)
    config = tmp_path / "init.json"
    config.write_text('{"command": ["sh", "-c", "echo who=$(id -un):$A:$(pwd):$(hostname)"], "env": {"A": "b c"}, '
                      '"user": "nobody", "cwd": "/var", "hostname": "crate"}')
    subprocess.run(["debugfs", "-w", "-R", f"write {config} /etc/volt/init.json", image], capture_output=True)
    result = run(tmp_path, kernels[OWN], image, command=())
    assert result.status == 0, result.out + result.log
    assert result.value("who") == "nobody:b c:/var:crate"
    subprocess.run(["debugfs", "-w", "-R", "rm /etc/volt/init.json", image], capture_output=True)
