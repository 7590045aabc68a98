# SPDX-License-Identifier: Apache-2.0
"""volt-init on a real kernel: mounts, ports, the terminal, power."""

import glob
import re
import subprocess

import pytest

from harness import binary
from machine import Machine, encode, in_machine

MOUNTS = {
    "/proc": ("proc", {"nosuid", "nodev", "noexec"}),
    "/sys": ("sysfs", {"nosuid", "nodev", "noexec"}),
    "/dev": ("devtmpfs", {"nosuid", "mode=755"}),
    "/dev/pts": ("devpts", {"nosuid", "noexec", "gid=5", "mode=620", "ptmxmode=666"}),
    "/dev/shm": ("tmpfs", {"nosuid", "nodev"}),
    "/run": ("tmpfs", {"nosuid", "nodev", "mode=755"}),
    "/sys/fs/cgroup": ("cgroup2", {"nosuid", "nodev", "noexec", "nsdelegate"}),
}


def test_world_of_the_workload():
    script = """cat /proc/self/mounts; for i in fd stdin stdout stderr; do readlink /dev/$i; done
                stat -c '%a %n' /tmp /dev/shm /run; umask; id; echo nodes > /dev/stdout
                cat /proc/sys/kernel/ctrl-alt-del; exit 7"""
    ended = in_machine(["sh", "-c", script])
    found = {line.split()[1]: (line.split()[2], line.split()[3]) for line in ended.lines()
             if re.match(r"\S+ /\S* \S+ r[wo],", line)}
    for target, (kind, options) in MOUNTS.items():
        assert found[target][0] == kind and options <= set(found[target][1].split(",")), target
    assert "/tmp" not in found  # the initramfs itself is in memory
    for line in ("/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2",
                 "1777 /tmp", "1777 /dev/shm", "755 /run", "0022", "nodes"):
        assert line in ended.lines(), line
    assert "0" in ended.lines()  # Ctrl-Alt-Del is PID 1's
    assert (ended.status, ended.marks, ended.ending) == ([7], [1, 2, 3], "Power down")
    assert ended.own_lines() == []


@pytest.mark.parametrize("script, status", [("kill -KILL $$", 137), ("exit 255", 255)])
def test_status(script, status):
    ended = in_machine(["sh", "-c", script])
    assert (ended.status, ended.marks, ended.ending) == ([status], [1, 2, 3], "Power down")


def test_volt_itself_fails():
    ended = in_machine(["true"], files={"/etc/volt/init.json": "{"})
    assert (ended.status, ended.marks, ended.ending) == ([125], [1, 3], "Power down")
    assert ended.own_lines() == ["volt-init: /etc/volt/init.json: offset 1: expected a string"]


def test_long_command_line():
    args = [f"{i:04d}" for i in range(200)] + ["", "a b", 'q"q', "ü\n"]
    script = 'echo $# $1 ${200}; for a; do last=$a; done; printf "%s" "$last" | od -An -tx1'
    argv = ["sh", "-c", script, "sh", *args]
    assert 1500 < len(encode(argv)) < 2048 - 80
    ended = in_machine(argv)
    assert "204 0000 0199" in ended.lines() and " c3 bc 0a" in ended.lines()


def test_user_and_groups():
    files = {"/etc/passwd": "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n",
             "/etc/group": "tty:x:5:\nvideo:x:44:other,app\ndisk:x:6:other\n",
             "/etc/volt/init.json": '{"user": "app", "command": ["sh", "-c", "id; echo $HOME; '
                                    'echo up > /dev/stderr; echo x 2>/dev/null > /proc/1/oom_adj; '
                                    'kill -USR2 1; exit 21"]}'}
    ended = in_machine(files=files)
    assert "uid=1000(app) gid=1001 groups=44(video)" in ended.lines()
    assert "/srv/app" in ended.lines() and "up" in ended.lines()
    assert ended.status == [21]


@pytest.mark.parametrize("command, ending", [
    ("poweroff", "Power down"), ("halt", "Power down"), ("reboot", "Restarting system")])
def test_busybox(command, ending):
    ended = in_machine(["sh", "-c", f"{command}; sleep 60"])
    assert (ended.ending, ended.status) == (ending, [143]) and ended.own_lines() == []


def with_systemctl():
    """systemctl and what it needs, as files of an image."""
    files = {}
    for name in ("poweroff", "reboot", "halt"):
        files[f"/usr/sbin/{name}"] = (open("/bin/systemctl", "rb").read(), 0o755)
    needs = subprocess.run(["ldd", "/bin/systemctl"], capture_output=True, text=True, check=True)
    for path in re.findall(r"(/\S+) \(0x", needs.stdout):
        files[path] = (open(path, "rb").read(), 0o755)
    return files


@pytest.mark.parametrize("command, ending", [
    ("poweroff", "Power down"), ("halt", "Power down"), ("reboot", "Restarting system")])
def test_systemd(command, ending):
    ended = in_machine(["sh", "-c", f"/usr/sbin/{command} || echo refused; sleep 60"],
                       files=with_systemctl())
    assert (ended.ending, ended.status) == (ending, [143]), ended.output


def test_no_shell():
    ended = in_machine(shell=False)
    assert ended.status == [127]
    assert "and no /bin/sh" in ended.own_lines()[0]


def test_interactive_shell_on_the_serial_line():
    with Machine("") as machine:
        assert "job control" not in machine.expect("# ")
        machine.type("tty; ps -o tty,args | grep -e -sh; echo flags=$-\n")
        assert "/dev/console" in machine.expect("flags=smi")
        machine.expect("# ")
        machine.type("sh -c 'echo run; exec sleep 100'\n")
        machine.expect("\r\nrun\r\n")
        machine.type("\x03")
        machine.expect("# ")
        machine.type("poweroff\n")
        ended = machine.wait()
        assert (ended.status, ended.ending) == ([129], "Power down")


def test_without_acpi_a_power_off_is_a_restart():
    ended = in_machine(["sh", "-c", "exit 9"], cmdline="acpi=off", machine="q35")
    assert ended.ending == "Restarting system"


def test_ctrl_alt_del():
    with Machine("-- " + encode(["sh", "-c", "echo up; sleep 100"]), machine="q35") as machine:
        machine.expect("up")
        machine.ask_monitor("sendkey ctrl-alt-delete")
        assert machine.wait().ending == "Power down"


def check_disk(path):
    done = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True)
    features = subprocess.run(["dumpe2fs", "-h", path], capture_output=True, text=True).stdout
    assert done.returncode == 0, done.stdout
    assert "needs_recovery" not in features and "clean" in features


def test_disks_are_clean_afterwards():
    script = """mkdir -p "/mnt/a b"; mount /dev/nvme1n1 "/mnt/a b"
                dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null
                trap '' TERM; setsid sh -c 'cd "/mnt/a b"; while :; do echo x >> log; done' &
                sleep 0.3; exit 6"""
    with Machine("volt.debug root=/dev/nvme0n1 rw init=/init -- " + encode(["sh", "-c", script]),
                 machine="q35", rootfs=True, second=True) as machine:
        ended = machine.wait()
        check_disk(machine.path / "disk")
        check_disk(machine.path / "second")
        log = subprocess.run(["debugfs", "-R", "cat log", machine.path / "second"],
                             capture_output=True, text=True, check=True).stdout
    assert "status is 6" in ended.output and ended.ending == "Power down"
    for line in ("killing what did not end", "unmounted /mnt/a b", "unmounted /\r\n"):
        assert line in ended.output
    assert log and set(log) == {"x", "\n"}


def test_read_only_root():
    with Machine("root=/dev/nvme0n1 ro init=/init -- " +
                 encode(["sh", "-c", "cat /proc/self/mounts; echo x > /tmp/x && echo written"]),
                 machine="q35", rootfs=True) as machine:
        ended = machine.wait()
        check_disk(machine.path / "disk")
    assert "written" in ended.lines() and ended.own_lines() == []
    assert any(line.startswith("tmpfs /tmp tmpfs rw,nosuid,nodev") for line in ended.lines())


UUID = "01234567-89ab-cdef-fedc-ba9876543210"


def on_disk(**files):
    """Files of a root disk: volt-init where the kernel or an initramfs looks for it, and these."""
    files = {path.replace("__", "/"): content for path, content in files.items()}
    return {"/sbin/volt-init": (open(binary(), "rb").read(), 0o755), **files}


def installed_kernels():
    return sorted(glob.glob("/boot/vmlinuz-*-amd64"))


def from_disk(cmdline, argv, limit=180, **options):
    with Machine(f"{cmdline} -- {encode(argv)}", virtio="initrd", limit=limit, **options) as machine:
        ended = machine.wait()
        ended.marks = machine.port("mark")
        check_disk(machine.path / "disk")
        return ended


@pytest.mark.parametrize("kernel", installed_kernels(), ids=lambda path: path.split("-", 1)[1])
def test_root_disk_of_a_modular_kernel(kernel):
    script = """cat /proc/self/mounts; cat /proc/modules; readlink /proc/1/exe
                cat /sys/class/net/lo/operstate; [ -e /modules ] || echo gone
                dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; sync; exit 42"""
    ended = from_disk("root=/dev/vda rw", ["sh", "-c", script], files=on_disk(), kernel=kernel)
    assert (ended.status, ended.ending) == ([42], "Power down") and ended.own_lines() == []
    assert ended.marks == [1, 1, 2, 3]  # both of them; the monitor keeps the first
    mounted = {line.split()[1]: line.split() for line in ended.lines() if re.match(r"\S+ /\S* \S+ r[wo],", line)}
    assert mounted["/"][0] == "/dev/vda" and mounted["/"][2] == "ext4"
    assert "rw" in mounted["/"][3].split(",") and "/tmp" not in mounted
    for target in ("/proc", "/sys", "/dev", "/dev/pts", "/run"):
        assert mounted[target][2] == MOUNTS[target][0], target
    for module in ("virtio_mmio", "virtio_blk", "virtio_net", "virtio_rng"):
        assert any(line.startswith(module + " ") for line in ended.lines()), module
    for line in ("/sbin/volt-init", "unknown", "gone"):  # what an interface without a wire says when it is up
        assert line in ended.lines(), line


@pytest.mark.parametrize("root", [f"UUID={UUID}", "LABEL=the-root"])
def test_root_disk_by_what_is_on_it(root):
    ended = from_disk(f"root={root} rootfstype=xfs,ext4 rootflags=noatime ro",
                      ["sh", "-c", "grep ' / ' /proc/self/mounts; exit 7"],
                      files=on_disk(), options=["-U", UUID, "-L", "the-root"])
    assert ended.status == [7] and ended.own_lines() == []
    assert "/dev/vda / ext4 ro,noatime 0 0" in ended.lines()


BAD_ROOTS = {
    "init": ("root=/dev/vda rw init=/no/init", 'the root disk has no /no/init: "volt rootfs build" puts volt-init'),
    "type": ("root=/dev/vda rootfstype=xfs", "cannot mount root=/dev/vda as xfs: "),
    "way": ("root=PARTUUID=1 rw", "root=PARTUUID=1: expected /dev/NAME, UUID=... or LABEL=..."),
    "disk": ("root=/dev/vdb rw", "root=/dev/vdb: there is no such disk, after 10 s"),
    "no init": ("root=/dev/vda", 'the root disk has no init: "volt rootfs build" puts volt-init'),
    "script": ("root=/dev/vda init=/broken", "cannot execute init=/broken: Exec format error"),
}


@pytest.mark.parametrize("cmdline, message", BAD_ROOTS.values(), ids=BAD_ROOTS.keys())
def test_no_way_to_the_root_disk(cmdline, message):
    ended = from_disk(cmdline, ["true"], files={"/broken": ("no program", 0o755)}, shell=False)
    assert (ended.status, ended.marks, ended.ending) == ([125], [1, 3], "Power down")
    assert len(ended.own_lines()) == 1 and ended.own_lines()[0].startswith("volt-init: " + message)


def test_another_init_is_started_as_the_kernel_would():
    init = "#!/bin/sh\necho args: $0 $@; grep SigBlk /proc/self/status; env; mount -o remount,ro /; poweroff -f\n"
    with Machine("root=/dev/vda rw COLOUR=red -- one two", virtio="initrd",
                 files={"/sbin/init": (init, 0o755)}) as machine:
        ended = machine.wait()
    assert "args: /sbin/init one two" in ended.lines() and "COLOUR=red" in ended.lines()
    assert "SigBlk:\t0000000000000000" in ended.lines()
    assert ended.own_lines() == [] and ended.status == []


def test_root_is_as_fstab_has_it_where_the_command_line_says_nothing():
    fstab = "/dev/vda / ext4 noatime,errors=remount-ro 0 1\n"
    ended = from_disk("root=/dev/vda", ["sh", "-c", "grep ' / ' /proc/self/mounts"],
                      files=on_disk(__etc__fstab=fstab))
    assert "/dev/vda / ext4 rw,noatime,errors=remount-ro 0 0" in ended.lines()


def test_swap_file(tmp_path):
    swap = tmp_path / "swap"
    swap.write_bytes(b"\xff" * (4 << 20))
    subprocess.run(["mkswap", "-q", swap], check=True)
    files = on_disk(__swap=(swap.read_bytes(), 0o600), __etc__fstab="/swap none swap sw,pri=3 0 0\n")
    ended = from_disk("root=/dev/vda rw volt.debug", ["cat", "/proc/swaps"], files=files,
                      options=["-b", "4096"])  # of smaller blocks the first would be a hole
    assert any(re.match(r"/swap\s+file\s+4092\s+0\s+3", line) for line in ended.lines())
    assert "swap on /swap is off" in ended.output and "unmounted /" in ended.output


def test_disk_of_fstab():
    fstab = f"UUID={UUID.upper()} /data/here auto nodev 0 0\n/dev/nvme7n1 /gone ext4 nofail\n"
    with Machine("root=/dev/nvme0n1 rw init=/init -- " +
                 encode(["sh", "-c", "grep ' /data' /proc/self/mounts; echo kept > /data/here/file"]),
                 machine="q35", rootfs=True, second=True, options=["-U", UUID],
                 files={"/etc/fstab": fstab}) as machine:
        ended = machine.wait()
        check_disk(machine.path / "disk")
        check_disk(machine.path / "second")
        kept = subprocess.run(["debugfs", "-R", "cat file", machine.path / "second"],
                              capture_output=True, text=True, check=True).stdout
    assert "/dev/nvme1n1 /data/here ext4 rw,nodev,relatime 0 0" in ended.lines()
    assert kept == "kept\n" and ended.own_lines() == []
