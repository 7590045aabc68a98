# SPDX-License-Identifier: Apache-2.0
"""The unit volt@.service under the real systemd, as PID 1 of namespaces: bare guests, each with another network."""
import json
import os
import pathlib
import subprocess

import pytest

import volt

pytestmark = pytest.mark.linux

UNITS = "/run/units"
CGROUP = pathlib.Path("/sys/fs/cgroup/volt-service")
GROUP = "kvm"  # which the unit's machines are in

# Targets that a unit is ordered behind; empty, for the real ones bring up all of a host.
TARGETS = ["sysinit", "basic", "shutdown", "umount", "network", "multi-user"]

# A machine's user must be able to read the program and its guest, and writes to /var/lib.
SET_UP = f"""
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -n -t sysfs sysfs /sys
mount -n -t cgroup2 cgroup2 /sys/fs/cgroup
for folder in /run /opt /var/lib; do mount -n -t tmpfs -o mode=755 tmpfs $folder; done
mkdir -p /etc/volt {UNITS}/volt@.service.d
mount -n -t tmpfs tmpfs /etc/volt
mkdir /etc/volt/machines
{volt.ROOT}/packaging/install {volt.BUILD} "" /opt/volt > /dev/null
cp {volt.guest("do")} /opt/do
cp /opt/volt/lib/systemd/system/volt@.service {UNITS}/
printf '[Service]\\nStandardOutput=append:/var/lib/%%i.out\\nRestart=no\\n' > {UNITS}/volt@.service.d/test.conf
for target in {" ".join(TARGETS)}; do printf '[Unit]\\nDefaultDependencies=no\\n' > {UNITS}/$target.target; done
ip link set lo up
ip link add out type dummy
ip link set out up
ip addr add 10.20.0.2/24 dev out
ip route add default via 10.20.0.1
ip tuntap add tap0 mode tap group {GROUP}
ip link set tap0 up
ip link add link out name mv0 type macvtap mode bridge
ip link set mv0 up
node=/dev/tap$(cat /sys/class/net/mv0/ifindex)
chgrp {GROUP} $node
chmod 660 $node
echo there
exec env -i container=volt SYSTEMD_UNIT_PATH={UNITS} PATH=/usr/bin:/bin:/usr/sbin:/sbin /lib/systemd/systemd --unit=basic.target \
	--log-level=warning --log-target=kmsg
"""


class Systemd:
    def __init__(self):
        CGROUP.mkdir()
        # In a control group of its own, which is then the root of what it sees.
        enter = f'echo $$ > {CGROUP}/cgroup.procs && exec unshare --kill-child -mpfnCui bash -c "$1"'
        self.process = subprocess.Popen(["sh", "-c", enter, "sh", SET_UP], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "there\n"
        self.pid, = map(int, pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())
        volt.wait_until(lambda: self.run("systemctl", "is-active", "basic.target", check=False) == "active\n", "systemd")

    def run(self, *words, check=True):
        done = subprocess.run(["nsenter", "-m", "-p", "-n", "-C", "-t", str(self.pid), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        assert not check or done.returncode == 0, (words, done.stdout)
        return done.stdout

    def path(self, name):
        return pathlib.Path(f"/proc/{self.pid}/root/{name}")

    def machine(self, name, nic):
        """A guest that prints "ready" and halts."""
        settings = {"kernel": "/opt/do", "cmdline": "!", "log_level": "info", "stop_timeout": 0, "nets": [nic]}
        self.path(f"etc/volt/machines/{name}.json").write_text(json.dumps(settings))
        self.run("systemctl", "start", f"volt@{name}")
        out = self.path(f"var/lib/{name}.out")
        volt.wait_until(lambda: "ready" in out.read_text() or self.state(name) != "active", name)
        text = out.read_text()
        assert "ready" in text and self.state(name) == "active", text
        return text

    def state(self, name):
        return self.run("systemctl", "is-active", f"volt@{name}", check=False).strip()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        volt.wait_until(lambda: "populated 0" in (CGROUP / "cgroup.events").read_text(), "an empty control group")
        for folder, _, _ in os.walk(CGROUP, topdown=False):
            os.rmdir(folder)


@pytest.fixture
def systemd():
    made = Systemd()
    yield made
    made.close()


NICS = {
    "passt": {"backend": "passt", "publish": "8080-8081:80-81"},
    "vhost-net": {"backend": "vhost-net", "tap": "tap0"},
    "macvtap": {"backend": "macvtap", "tap": "mv0"},
}


def test_machines_with_networks(systemd):
    """Each backend by what the unit lets a machine of a user of its own do; and the whole sandbox is in force."""
    for name, nic in NICS.items():
        text = systemd.machine(name, nic)
        assert f", by {name}" in text
        for layer in ("seccomp;", "landlock;", "capabilities: bounding", "namespaces: user mount net ipc uts cgroup root;"):
            assert layer in text, text
    listening = systemd.run("ss", "-Hlnt")
    assert ":8080 " in listening and ":8081 " in listening
    for name in NICS:
        systemd.run("systemctl", "stop", f"volt@{name}")
    assert systemd.run("ss", "-Hlnt") == "" and "passt" not in systemd.run("ps", "-eo", "comm")
