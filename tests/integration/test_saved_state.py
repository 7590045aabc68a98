# SPDX-License-Identifier: Apache-2.0
"""A machine's state, taken and given to another one: `clone` does both in one process (vmm/machine/clone.c).

It also asks the new machine's vCPUs for their state before they run, and fails where that is not what it gave them.
"""
import json
import re
import subprocess
import time

import pytest

import linux
import volt

CLONE = volt.BUILD / "vmm/main/clone"
VOLT = volt.BUILD / "bin/volt"

TICKS = "".join(f"tick={n:08x}\n" for n in range(1, 0x41))
REGISTERS = "sysenter=12345678\npat=00070106\ndr1=87654321\ncr2=abcd0000\nscratch=0000005a\n"


def clone(state, milliseconds, generations, *options, kernel, initrd=None, command=()):
    arguments = [CLONE, milliseconds, generations, state, "--kernel", kernel, *(["--initrd", initrd] if initrd else []),
                 *options, *(["--", *command] if command else [])]
    done = subprocess.run(list(map(str, arguments)), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=linux.LIMIT_S)
    assert done.returncode == 0, done.stderr + done.stdout[-2000:]
    return done.stdout.replace("\r\n", "\n"), done.stderr


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    path = tmp_path_factory.mktemp("state") / "state"
    clone(path, 300, 1, "--memory", "16M", "--pit", "on", kernel=volt.guest("ticks"))
    return path


@pytest.mark.parametrize("options", [(), ("--pit", "on"), ("--cpus", "2"), ("--acpi", "off")])
def test_a_guest_goes_on_where_it_was(here, options):
    """Its timer, its registers of every kind, its console: as if nothing had happened, several times over."""
    out, err = clone(here / "state", 150, 5, "--memory", "16M", *options, kernel=volt.guest("ticks"))
    assert "generations=5\n" in err and "the guest powered off" in err
    assert out == TICKS + REGISTERS


def test_inspect_says_it_as_json(state):
    done = subprocess.run([VOLT, "snapshot", "inspect", state], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["vm"] == [{"cpus": 1, "memory": "0x1000000", "virtio": 1, "panicked": False}]
    assert said["virtio"][0]["device"] == 4 and len(said["virtio"][0]["queues"]) == 1
    msrs = dict(zip(said["vcpu"][0]["msr_indices"], said["vcpu"][0]["msr_values"]))
    assert msrs[0x176] == "0x12345678"
    assert said["serial"][0]["scr"] == 0x5A
    assert said["pit"] and len(said["vcpu"][0]["lapic"]) == 2 * 1024


def test_check_finds_nothing_on_the_host_that_it_is_of(state):
    done = subprocess.run([VOLT, "snapshot", "check", state], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "this host can restore it\n"), done.stderr


def test_a_damaged_file_is_refused(here, state):
    """Every bit and every length are tried in vmm/state/state_test.c; here, what the user is told."""
    content = state.read_bytes()
    for what, damaged, text in (("bit", content[:9000] + bytes([content[9000] ^ 4]) + content[9001:], "checksum"),
                                ("cut", content[:-1], "when it was written"),
                                ("empty", b"", "no state of a machine"),
                                ("other", b"\x7fELF" + content[4:], "no state of a machine")):
        (here / what).write_bytes(damaged)
        for verb in "inspect", "check":
            done = subprocess.run([VOLT, "snapshot", verb, here / what], capture_output=True, text=True)
            assert done.returncode == 1 and text in done.stderr and done.stdout == "", (what, done)


@pytest.mark.parametrize("options, said", [
    (("--memory", "32M", "--pit", "on"), "33554432 bytes of memory, and the saved one 16777216"),
    (("--memory", "16M", "--pit", "on", "--cpus", "2"), "2 vCPUs, and the saved one 1"),
    (("--memory", "16M", "--pit", "on", "--rng", "off"), "0 virtio devices (0 NICs), and the saved one 1 (0)"),
    (("--memory", "16M"), "a PIT"),
])
def test_another_machine_refuses_it(state, options, said):
    done = subprocess.run([CLONE, "0", "0", state, "--restore", "--kernel", volt.guest("ticks"), *options],
                          capture_output=True, text=True, timeout=linux.LIMIT_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and said in done.stderr, done


WORK = r"""
i=0; last=0
while [ $i -lt 100 ]; do
	now=$(cut -d' ' -f1 /proc/uptime | tr -d .)
	[ $now -ge $last ] || echo "back=$last to $now"
	last=$now
	echo "line=$i"
	echo "record $i" | dd of=/dev/vda bs=512 seek=$i conv=sync,fsync 2>/dev/null
	i=$((i+1)); sleep 0.05
done
i=0; bad=0
while [ $i -lt 100 ]; do
	[ "$(dd if=/dev/vda bs=512 skip=$i count=1 2>/dev/null | head -n 1)" = "record $i" ] || bad=$((bad+1))
	i=$((i+1))
done
echo "bad=$bad"
echo "date=$(date +%s)"
echo "random=$(dd if=/dev/hwrng bs=16 count=1 2>/dev/null | wc -c)"
echo "reseeded=$(dmesg | grep -c 'crng reseeded due to virtual machine fork')"
echo "complaints=$(dmesg | grep -E 'BUG|Oops|WARNING: CPU|ACPI (BIOS )?Error|lockup|nobody cared|stall|I/O error' | grep -v fpu__init_system_xstate | tr '\n' ';')"
"""


@pytest.mark.linux
def test_linux_goes_on_fifty_times(tmp_path):
    """Two processors, timers, a disk and its entropy source; from its first instructions on."""
    kernel = linux.Kernels(tmp_path)["own-vmlinux"]
    initrd = linux.make_initramfs(tmp_path / "initrd.cpio", {"work": WORK})
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    out, err = clone(tmp_path / "state", 150, 50, "--memory", "128M", "--cpus", "2", "--drive", f"id=d,path={disk}",
                     kernel=kernel, initrd=initrd, command=["sh", "/work"])
    now = time.time()
    assert "generations=50\n" in err and "the guest powered off" in err, err
    assert re.findall(r"^line=(\d+)$", out, re.M) == [str(n) for n in range(100)]
    assert "back=" not in out
    assert "\nbad=0\n" in out and "\nrandom=16\n" in out and "\ncomplaints=\n" in out, out[-2000:]
    assert int(re.search(r"^reseeded=(\d+)$", out, re.M)[1]) >= 1
    # The wall clock, and the time that the guest's end takes.
    assert abs(now - int(re.search(r"^date=(\d+)$", out, re.M)[1])) < 10
    assert b"record 99\n" in disk.read_bytes()
