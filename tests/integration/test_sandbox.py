# SPDX-License-Identifier: Apache-2.0
"""The sandbox from the outside: what is in force, what is said of it, and its settings."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

import volt
import worlds
from api import START, Client, wait_for_socket
from volt import STATUS_CONFIGURATION, STATUS_FAILED, assert_fault

LAYERS = {
    "seccomp": {"seccomp"},
    "landlock": {"landlock"},
    "capabilities": {"capabilities", "bounding", "securebits"},
    "namespaces": {"user", "mount", "net", "ipc", "uts", "cgroup", "root"},
    "limits": {"limits", "undumpable", "environment"},
}
ALL = {"no_new_privs"}.union(*LAYERS.values())
NAMESPACES = ["user", "mnt", "net", "ipc", "uts", "cgroup"]
every_world = pytest.mark.parametrize("world", worlds.WORLDS, ids=repr)


def as_root(test):
    """What only root can do is no test of an ordinary user's, not even a skipped one."""
    return test if worlds.ROOT else None


@pytest.fixture
def anywhere():
    """A folder that every user may look into and write to."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


def in_force(folder, world, *options):
    """(what metrics say, the result) of a run that powers off."""
    metrics = folder / "metrics"
    metrics.unlink(missing_ok=True)
    result = volt.do(volt.POWEROFF, "--metrics-path", metrics, *options, prefix=world.prefix, preexec_fn=world.prepare)
    assert result.status == 0, result
    return volt.metrics(metrics)["sandbox"], result


def expected_in(world):
    """All, less what this world lacks: without user namespaces an ordinary user has no way to others."""
    lost = {"landlock", "user"} if world.lacks else set()
    if world.lacks and "root" not in world.name:
        lost |= LAYERS["namespaces"] | {"bounding", "securebits"}
    return ALL - lost


@every_world
def test_all_that_the_host_has_is_in_force(anywhere, world):
    told, result = in_force(anywhere, world)
    assert set(told["in_force"]) == expected_in(world)
    assert told["filtered_threads"] == 2
    assert told["landlock_abi"] == (0 if world.lacks else worlds.landlock_abi())
    lines = [line for line in result.lines if "sandbox" in line]
    assert len(lines) == (1 if world.lacks else 0), result
    for part in ALL - expected_in(world):
        assert re.search(rf"\b{part} \(", lines[0]), result


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_left_out(anywhere, layer):
    told, result = in_force(anywhere, worlds.WORLDS[0], "--sandbox-skip", layer)
    left = ALL - LAYERS[layer]
    if layer == "namespaces":
        left -= {"bounding", "securebits"}  # an ordinary user's right to those comes from his own namespace
    assert set(told["in_force"]) - {"capabilities", "undumpable"} == left - {"capabilities", "undumpable"}, result


def test_off(anywhere):
    told, result = in_force(anywhere, worlds.WORLDS[0], "--sandbox", "off", "--log-level", "info")
    assert set(told["in_force"]) == set() and told["filtered_threads"] == 0
    assert "sandbox: in force: nothing" in result.err


@every_world
@pytest.mark.parametrize("layer", ["landlock", "namespaces"])
def test_a_layer_that_is_required(anywhere, world, layer):
    """Where the host refuses it nothing runs."""
    result = volt.do(f"! {volt.POWEROFF}", "--sandbox-require", layer, prefix=world.prefix, preexec_fn=world.prepare)
    if world.lacks:
        assert result.out == b""
        assert_fault(result, STATUS_FAILED, f"--sandbox-require {layer}: this host refuses")
    else:
        assert result.status == 0, result


@pytest.mark.parametrize("options, words", [
    (["--sandbox", "off", "--sandbox-skip", "seccomp"], ["--sandbox off", "--sandbox-skip"]),
    (["--sandbox", "off", "--sandbox-require", "seccomp"], ["--sandbox off", "--sandbox-require"]),
    (["--sandbox-skip", "limits,landlock", "--sandbox-require", "landlock"], ["landlock is in", "one of them"]),
    (["--sandbox-skip", "seccomp,"], ['unknown layer ""']),
    (["--sandbox-require", "all"], ['unknown layer "all"', "seccomp, landlock"]),
    (["--sandbox", "off", "--uid", "1000"], ["--uid", "--sandbox on"]),
    (["--new-pid-ns", "--net", "backend=macvtap,parent=lo"], ["--new-pid-ns", "parent=lo"]),
    (["--pids-max", "9"], ["--pids-max", "--cgroup"]),
    (["--io-max", "8:0,rbps=1"], ["--io-max", "--cgroup"]),
    (["--cgroup", "a", "--memory-max", "64M"], ["--memory-max", "--memory"]),
    (["--cgroup", "../a"], ["--cgroup ../a", "expected a name"]),
    (["--netns", "/dev/null"], ["--netns /dev/null", "network namespace"]),
    (["--netns", "/no/such"], ["--netns", "/no/such", "No such file"]),
])
def test_settings_that_make_no_sense(here, options, words):
    result = volt.run(*options)
    assert_fault(result, STATUS_CONFIGURATION, *words)
    assert result.out == b"" and list(here.iterdir()) == []


def test_only_root_becomes_somebody_else():
    assert_fault(volt.run("--uid", "1000", prefix=worlds.WORLDS[0].prefix), STATUS_CONFIGURATION, "--uid", "only root")


def status_of(pid, tid=None):
    text = pathlib.Path(f"/proc/{pid}/task/{tid or pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def test_what_the_kernel_says_of_every_thread(anywhere):
    disk = anywhere / "disk"
    disk.write_bytes(bytes(4096))
    with volt.Vm("--cmdline", "!", "--cpus", "2", "--drive", f"path={disk},engine=sync,queues=2,iothreads=2") as vm:
        vm.wait_for()
        threads = os.listdir(f"/proc/{vm.pid}/task")
        assert len(threads) == 1 + 2 + 2 + 4 + sum("kvm" in status_of(vm.pid, t)["Name"] for t in threads)
        for tid in threads:
            status = status_of(vm.pid, tid)
            assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1"), status
            for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[field], 16) == 0, status


@as_root
def test_what_is_left_of_it(anywhere, monkeypatch):
    """Namespaces, root, limits, environment, descriptors: as root looks at it."""
    monkeypatch.setenv("SECRET", "hunter2")
    with open("/etc/passwd") as stray, volt.Vm("--cmdline", "!", pass_fds=[stray.fileno()]) as vm:
        vm.wait_for()
        proc = pathlib.Path(f"/proc/{vm.pid}")
        for name in NAMESPACES:
            assert os.readlink(proc / "ns" / name) != os.readlink(f"/proc/self/ns/{name}"), name
        assert os.listdir(proc / "root") == [] and os.listdir(proc / "cwd") == []
        assert len((proc / "mountinfo").read_text().splitlines()) == 1
        assert b"hunter2" not in (proc / "environ").read_bytes()
        assert not any(os.path.realpath(fd) == "/etc/passwd" for fd in (proc / "fd").iterdir())
        limits = (proc / "limits").read_text()
        count = max(map(int, os.listdir(proc / "fd"))) + 1
        assert re.search(rf"^Max open files +{count} +{count} ", limits, re.M), limits
        assert re.search(r"^Max core file size +0 +0 ", limits, re.M), limits


def test_nobody_else_may_look_into_it(anywhere):
    """Its own user included: the memory of a guest is nobody's but the monitor's."""
    user = worlds.WORLDS[0]
    with volt.Vm("--cmdline", "!", prefix=user.prefix) as vm:
        vm.wait_for()
        for what in ("mem", "environ", "maps"):
            done = subprocess.run([*user.prefix, "cat", f"/proc/{vm.pid}/{what}"], capture_output=True)
            assert b"Permission denied" in done.stderr, what


@as_root
def test_becomes_another_user(anywhere):
    group = os.stat("/dev/kvm").st_gid
    for options, uid, gid in ((["--uid", "4242", "--gid", "4243"], 4242, 4243), (["--gid", "4243"], 0, 4243)):
        with volt.Vm("--cmdline", "!", *options) as vm:
            vm.wait_for()
            status = status_of(vm.pid)
            assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(gid)] * 4
            assert str(group) not in status["Groups"].split() and int(status["CapBnd"], 16) == 0


@as_root
@pytest.mark.parametrize("skipped", ["capabilities,namespaces", "seccomp,landlock,capabilities,namespaces,limits"])
def test_becomes_another_user_without_the_layers_that_follow(anywhere, skipped):
    with volt.Vm("--cmdline", "!", "--uid", "4242", "--gid", "4243", "--sandbox-skip", skipped) as vm:
        vm.wait_for()
        status = status_of(vm.pid)
        assert status["Uid"].split() == ["4242"] * 4 and status["Gid"].split() == ["4243"] * 4
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


@as_root
def test_another_user_has_a_group_of_his_own(here):
    assert_fault(volt.run("--uid", "4242"), STATUS_CONFIGURATION, "--uid 4242: expected --gid")


@as_root
def test_finds_its_tap_in_a_network_namespace(anywhere):
    """In the one that is named, and is in none of its own when the guest runs."""
    name = f"volt{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "tuntap", "add", "tapsb", "mode", "tap"], check=True)
        with volt.Vm("--cmdline", "!", "--netns", f"/run/netns/{name}", "--tap", "tapsb") as vm:
            vm.wait_for()
            link = subprocess.run(["ip", "-n", name, "link", "show", "tapsb"], capture_output=True, text=True, check=True)
            assert "UP" in link.stdout
            assert os.stat(f"/proc/{vm.pid}/ns/net").st_ino != os.stat(f"/run/netns/{name}").st_ino
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


class TestPidNamespace:
    OPTIONS = ["--new-pid-ns"]

    def test_status_comes_through(self, anywhere):
        world = worlds.WORLDS[0]
        metrics = anywhere / "m"
        result = volt.do(f"o604=2a {volt.POWEROFF}", *self.OPTIONS, "--metrics-path", metrics, "--", "x", prefix=world.prefix)
        assert result.status == 42, result
        assert "pid" in volt.metrics(metrics)["sandbox"]["in_force"]

    def test_signals_come_through(self):
        with volt.Vm("--cmdline", "!", *self.OPTIONS) as vm:
            vm.wait_for()
            vm.send(signal.SIGTERM)
            result = vm.finish()
        assert result.status == STATUS_FAILED and "ended by force" in result.err, result

    def test_starter_that_ignores_the_end_of_children(self):
        """That is inherited, and would keep the end from whoever waits for it."""
        ignore = ["sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"]
        assert volt.do(volt.POWEROFF, *self.OPTIONS, prefix=ignore).status == 0

    @pytest.mark.parametrize("user", [[], ["--uid", "4242", "--gid", "4243"]] if os.geteuid() == 0 else [[]])
    def test_its_end_by_force_is_the_monitors(self, user):
        with volt.Vm("--cmdline", "!", *self.OPTIONS, *user) as vm:
            vm.wait_for()
            child = pathlib.Path(f"/proc/{vm.pid}/task/{vm.pid}/children").read_text().split()
            assert len(child) == 1
            vm.send(signal.SIGKILL)
            vm.finish()
            volt.wait_until(lambda: not os.path.exists(f"/proc/{child[0]}/exe"), "its end")

    def test_a_kill_of_the_monitor_shows(self):
        with volt.Vm("--cmdline", "!", *self.OPTIONS) as vm:
            vm.wait_for()
            child = int(pathlib.Path(f"/proc/{vm.pid}/task/{vm.pid}/children").read_text())
            os.kill(child, signal.SIGKILL)
            assert vm.finish().status == -signal.SIGKILL


class TestLiveFolder:
    """Which files a disk can be given while the guest runs."""

    @pytest.fixture
    def disks(self, here):
        for name in ("one", "live/two", "live/deep/three", "elsewhere"):
            path = here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(8192))
        (here / "live/link").symlink_to(here / "elsewhere")
        (here / "live/up").symlink_to("..")
        os.mkfifo(here / "live/fifo")
        return here

    @pytest.mark.parametrize("engine", ["auto", "sync"])
    def test_beneath_it(self, disks, engine):
        live = disks / "live"
        options = ["--live-dir", f"/etc:{live}/", "--drive", f"path=one,id=a,engine={engine}"]
        with volt.Vm("--cmdline", "!", *options, *START) as vm, Client() as client:
            vm.wait_for()
            for path in (live / "two", live / "deep/three"):
                assert client.call("PATCH", "/v1/vm/drives/a", {"path": str(path)})[0] == 200
            for path in (live / "link", live / "up/elsewhere", live / "../elsewhere"):
                assert "through a link, or out of --live-dir" in client.fault(400, "PATCH", "/v1/vm/drives/a", {
                    "path": str(path)})
            for path in (live / "fifo", live / "deep", live / "none"):
                assert str(path) in client.fault(400, "PATCH", "/v1/vm/drives/a", {"path": str(path)})
            assert client.get("/v1/vm/drives/a")["path"] == str(live / "deep/three")
            client.act("kill")
            vm.finish()

    def test_none(self, disks):
        """Only the file that is open, which may have grown."""
        with volt.Vm("--cmdline", "!", "--drive", "path=one,id=a", *START) as vm, Client() as client:
            vm.wait_for()
            with open("one", "ab") as file:
                file.write(bytes(4096))
            assert client.call("PATCH", "/v1/vm/drives/a", {"path": "one"})[0] == 200
            assert "expected a path in a folder of --live-dir" in client.fault(400, "PATCH", "/v1/vm/drives/a", {
                "path": "live/two"})
            client.act("kill")
            vm.finish()
        assert not os.path.exists(START[-1])  # the socket is removed all the same


def cgroup_mount():
    for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(f"{path}/cgroup.procs") and os.path.exists(f"{path}/cgroup.controllers"):
            return pathlib.Path(path)
    return None


@as_root
def test_runs_in_a_cgroup():
    mount, name = cgroup_mount(), f"volt-test-{os.getpid()}"
    if mount is None:
        assert_fault(volt.run("--cgroup", "/x"), STATUS_CONFIGURATION, "no cgroup v2 is mounted")
        return
    controllers = (mount / "cgroup.controllers").read_text().split()
    wanted = {"cpu": (["--cpu-quota", "150"], "cpu.max", "150000 100000"),
              "memory": (["--memory-max", "256M"], "memory.max", str(256 << 20)),
              "pids": (["--pids-max", "50"], "pids.max", "50")}
    there = {c: w for c, w in wanted.items() if c in controllers}
    missing = {c: w for c, w in wanted.items() if c not in controllers}
    try:
        with volt.Vm("--cmdline", "!", "--cgroup", f"/{name}/vm", *(o for w in there.values() for o in w[0])) as vm:
            vm.wait_for()
            assert str(vm.pid) in (mount / name / "vm/cgroup.procs").read_text().split()
            for _, file, value in there.values():
                assert (mount / name / "vm" / file).read_text().strip() == value
        for controller, (options, _, _) in missing.items():
            result = volt.run("--cgroup", f"/{name}/vm", *options)
            assert_fault(result, STATUS_CONFIGURATION, options[0], f'no controller "{controller}"')
    finally:
        for folder in (mount / name / "vm", mount / name):
            volt.wait_until(lambda: not (folder / "cgroup.procs").read_text(), "the cgroup is empty")
            folder.rmdir()


@as_root
def test_a_start_that_failed_in_a_cgroup_can_be_mended(here):
    """By then the process is in it: the same name is the same cgroup, not one below."""
    mount, name = cgroup_mount(), f"volt-test-{os.getpid()}"
    own = [line[4:].strip() for line in open("/proc/self/cgroup") if line.startswith("0::/")]
    if mount is None or not own:
        assert_fault(volt.run("--cgroup", "x"), STATUS_CONFIGURATION, "--cgroup")
        return
    folder = mount / own[0] / name
    try:
        with volt.Vm(*START, kernel=None) as vm:
            wait_for_socket()
            with Client() as client:
                client.call("PATCH", "/v1/vm/config", {"cgroup": name, "kernel": "none"})
                for _ in range(2):
                    assert "none: No such file" in client.fault(400, "PUT", "/v1/vm/state", {"action": "start"})
                client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!"})
                assert client.act("start")[0] == 200
                vm.wait_for()
                assert str(vm.pid) in (folder / "cgroup.procs").read_text().split()
                assert not [path for path in folder.iterdir() if path.is_dir()]
    finally:
        for made in (folder / name / name, folder / name, folder):
            if made.exists():
                volt.wait_until(lambda: not (made / "cgroup.procs").read_text(), "the cgroup is empty")
                made.rmdir()


def test_hostile_guests_on_the_monitor_as_it_is_shipped():
    """Elsewhere the attacks are made on ASan's build, without a sandbox: some of them once more, confined."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                           "test_hostile_disks.py::test_reset_of_a_queue_that_waits_for_its_rate",
                           "test_hostile_disks.py::test_every_type_with_every_shape", "test_hostile_nets.py"],
                          cwd=volt.ROOT / "tests/integration", env={**os.environ, "VOLT_VMM": str(volt.VMM)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]


# --- what was put in the place of a file beforehand ---

def plant(kind, path, victim):
    if kind == "symlink":
        path.symlink_to(victim)
    elif kind == "dangling symlink":
        path.symlink_to(victim.with_name("new"))
    elif kind == "hard link":
        path.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))


KINDS = ["symlink", "dangling symlink", "hard link", "fifo", "folder", "socket"]
OUTPUTS = {"--log-path": "{}", "--metrics-path": "{}", "--console": "file={}"}
INPUTS = {"--kernel": "{}", "--initrd": "{}", "--rootfs": "{}", "--drive": "path={}", "--config-file": "{}", "--netns": "{}"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flag", OUTPUTS)
def test_planted_in_the_place_of_an_output(anywhere, flag, kind):
    """Nothing that somebody else chose is made or written to; a FIFO is an output like others."""
    victim, path = anywhere / "victim", anywhere / "planted"
    victim.write_text("precious")
    plant(kind, path, victim)
    result = volt.do(volt.POWEROFF, flag, OUTPUTS[flag].format(path), "--log-level", "info")
    assert victim.read_text() == "precious" and not victim.with_name("new").exists()
    if kind == "fifo":
        assert result.status == 0, result
    else:
        assert_fault(result, STATUS_CONFIGURATION, flag, path)


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "dangling symlink"])
@pytest.mark.parametrize("flag", INPUTS)
def test_planted_in_the_place_of_an_input(anywhere, flag, kind):
    """What is read is the file that the user named, through links too; other things are refused, and at once."""
    victim, path = anywhere / "victim", anywhere / "planted"
    plant(kind, path, victim)
    kernel = None if flag in ("--kernel", "--config-file") else "hello"
    result = volt.run(flag, INPUTS[flag].format(path), kernel=kernel)
    assert_fault(result, STATUS_CONFIGURATION, flag, path)


def test_settings_of_the_sandbox_are_settings_like_others(here):
    shown = volt.run("--dry-run", "--sandbox-skip", "limits", "--new-pid-ns", "--uid", "0")
    assert json.loads(shown.out)["new_pid_ns"] is True and json.loads(shown.out)["sandbox_skip"] == "limits"
