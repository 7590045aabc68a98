# SPDX-License-Identifier: Apache-2.0
"""Linux on volumes: Debian from a store, two machines over one image, commit and boot again, and kills."""
import subprocess

import pytest

import disks
import store
from linux import ROOT, Guest
from store import ok

pytestmark = pytest.mark.linux

ROUNDS = 3
SIZE_MIB = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store "s" with a Debian in it."""
    place = tmp_path_factory.mktemp("volumes")
    made = subprocess.run([ROOT / "tests/host/debian-image"], check=True, capture_output=True, text=True)
    ok("init", place / "s", "--codec", "none")
    ok("import", place / "s", "debian", made.stdout.strip())
    return place


def boot(folder, volume, script, *options):
    """As README has it."""
    place = folder / f"of-{volume.partition(',')[0]}"
    place.mkdir(exist_ok=True)
    return Guest(place, disks.own_kernel(), None, "--volume", folder / volume, "--cas-store", folder / "s",
                 "--memory", "256M", *options, command=["sh", "-c", script])


def test_debian_from_volumes(folder):
    words = "test ! -e /who || exit 9; echo {0} > /who; head -c 8M /dev/urandom > /big; sync; sha256sum /big; grep ' / ' /proc/mounts"
    guests = {name: boot(folder, f"{name},image=debian", words.format(name)) for name in ("v", "w")}
    sums = {}
    for name, guest in guests.items():
        result = guest.finish()
        assert result.status == 0, result.out + result.log
        assert "/dev/root / ext4 rw" in result.out or "/dev/vda / ext4 rw" in result.out, result.out
        counters = result.metrics["disks"]["volume0"]
        assert counters["reads"] > 0 and counters["flushes"] > 0 and counters["errors"] == 0
        sums[name] = result.out.split()[0]
    made = store.as_json("commit", folder / "s", folder / "v", "debian/v")
    assert 8 << 20 <= made["raw_new"] < 64 << 20, made

    # The one is a new image now, the other's disk is there beside it.
    result = boot(folder, "x,image=debian/v", "cat /who; sha256sum /big; mount /dev/vdb /mnt; cat /mnt/who; sha256sum /mnt/big; "
                  "umount /mnt; rm /big; sync; fstrim -v /", "--volume", folder / "w").finish()
    assert result.status == 0, result.out + result.log
    words = result.out.split()
    assert (words[0], words[1], words[3], words[4]) == ("v", sums["v"], "w", sums["w"])
    assert result.metrics["disks"]["volume0"]["discards"] > 0
    assert store.as_json("volume", "info", folder / "s", folder / "x")["zeroed"] >= 8 << 20


def test_killed_under_load(tmp_path):
    """An acknowledged record is there, whenever volt-vmm is killed, and the volume goes on."""
    initrd = disks.records_initrd(tmp_path / "initrd.cpio")
    ok("init", tmp_path / "s")
    ok("import", tmp_path / "s", "empty", disks.sparse(tmp_path / "empty", SIZE_MIB))
    for n in range(ROUNDS):
        volume = tmp_path / ("v" if n % 2 == 0 else "w")
        with disks.RecordsGuest(tmp_path, initrd, "--drive", f"volume={volume},image=empty,queues=2", "--cas-store",
                                tmp_path / "s", "--cpus", "2", writers=1) as guest:
            guest.wait_for_acks(10 + 20 * n)
        count = disks.acked(guest.text)[0]
        ok("commit", tmp_path / "s", volume, "after", "--replace")
        (tmp_path / "after").unlink(missing_ok=True)
        ok("export", tmp_path / "s", "after", tmp_path / "after")
        assert disks.missing_in_file(tmp_path / "after", 0, count) == [], f"round {n}"
