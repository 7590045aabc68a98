# SPDX-License-Identifier: Apache-2.0
"""A captured thread (vmm/sandbox/escape.c) tries everything: what stops it, and what stops it without that."""
import concurrent.futures
import contextlib
import itertools
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

import pytest

import volt
import worlds

LAYERS = ["seccomp", "landlock", "capabilities", "namespaces", "limits"]
THREADS = ["main", "vcpu", "worker"]
KILLED = -signal.SIGSYS
ABI = worlds.landlock_abi()

# Who stops what, beside seccomp, and how: docs/threat-model.md says the same.
# "landlock:6" needs that ABI; "root" in the place of a layer: only root could at all.
NOWHERE, FORBIDDEN, FULL = {"ENOENT", "EROFS"}, {"EACCES"}, {"EMFILE"}
NO_FOLDER = {"ENOTDIR", "EMFILE"}
ATTACKS = {
    "execve": {"landlock": FORBIDDEN, "namespaces": NOWHERE},
    "open": {"landlock": FORBIDDEN, "namespaces": NOWHERE, "limits": FULL},
    "open_relative": {"landlock": FORBIDDEN, "namespaces": NOWHERE, "limits": FULL},
    "open_beneath": {"landlock": NO_FOLDER, "capabilities": NO_FOLDER, "namespaces": NO_FOLDER, "limits": NO_FOLDER},
    "create": {"landlock": FORBIDDEN, "namespaces": NOWHERE, "limits": FULL},
    "unlink": {"landlock": FORBIDDEN, "namespaces": NOWHERE},
    "proc_self_mem": {"landlock": FORBIDDEN, "namespaces": NOWHERE, "limits": FULL},
    "mknod": {"landlock": {"EACCES", "EPERM"}, "namespaces": {"EPERM", "EROFS", "EACCES"},
              "capabilities": {"EPERM", "EROFS", "EACCES"}},
    "ptrace": {"landlock": {"EPERM"}, "namespaces": {"EPERM"}},
    "process_vm_readv": {"landlock": {"EPERM"}, "namespaces": {"EPERM"}},
    "pidfd_getfd": {"landlock": {"EPERM"}, "namespaces": {"EPERM"}, "limits": FULL},
    "kill": {"landlock:6": {"EPERM"}},
    "tgkill": {"landlock:6": {"EPERM"}},
    "tcp": {"landlock:4": FORBIDDEN, "namespaces": {"ENETUNREACH"}, "limits": FULL},
    "abstract_socket": {"landlock:6": {"EPERM"}, "namespaces": {"ECONNREFUSED"}, "limits": FULL},
    "packet_socket": {"capabilities": {"EPERM"}, "limits": {"EMFILE", "EPERM"}},
    "mount": {"landlock": {"EPERM"}, "capabilities": {"EPERM"}},
    "umount": {"capabilities": {"EPERM"}},
    "chroot": {"capabilities": {"EPERM"}},
    "unshare": {"capabilities": {"EPERM"}},
    "user_namespace": {"namespaces": {"EPERM"}},
    "fork": {},
    "userfaultfd": {"limits": FULL},
    "keyctl": {},
    "io_uring_setup": {"limits": {"EMFILE", "ENOMEM"}},
    "memfd": {"limits": FULL},
    "map_executable": {},
    "protect_executable": {},
    "dup": {"limits": FULL},
    "dumpable": {},
    "setgroups": {"capabilities": {"EPERM"}, "namespaces": {"EPERM"}},
    "hostname": {"capabilities": {"EPERM"}},
    "clock": {"capabilities": {"EPERM"}, "namespaces": {"EPERM"}},
    "ioctl": {},
}
# No call, or one that the thread must be allowed: not for seccomp to stop.
CALM = {
    "stray": {"limits": {"EBADF"}},
    "environment": {"limits": {"ENODATA"}},
    "grow_disk": {"limits": {"EFBIG"}},
}
# Without any layer it does what it wants, to root at least; not where the host's setting decides.
TELLING = sorted(set(ATTACKS) - {"clock", "keyctl", "umount", "userfaultfd", "io_uring_setup", "bpf", "mknod"}) + sorted(CALM)


@contextlib.contextmanager
def open_folder(path):
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


class Target:
    """What there is to attack: a process, a port, an abstract socket, a file, a descriptor, a secret."""

    def __init__(self, folder):
        self.folder = folder
        folder.chmod(0o777)
        self.numbers = itertools.count()
        self.sockets = (folder / f"api-{n}" for n in itertools.count())
        self.tcp = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.unix = socket.socket(socket.AF_UNIX)
        self.name = f"volt-escape-{os.getpid()}"
        self.unix.bind("\0" + self.name)
        self.unix.listen(64)
        self.victims = {}

    def victim(self, world):
        """A process of the same user that minds no signal."""
        if world.name not in self.victims:
            self.victims[world.name] = subprocess.Popen(
                [*world.prefix, "sh", "-c", "trap '' USR1; echo; exec sleep 1000"], stdout=subprocess.PIPE)
            self.victims[world.name].stdout.readline()
        return self.victims[world.name].pid

    def close(self):
        for process in self.victims.values():
            process.kill()
            process.communicate()
        self.tcp.close()
        self.unix.close()

    def attack(self, world, thread, attack, *options):
        """What came of it: "done", an error's name, or "killed"; and the result."""
        file = self.folder / f"file-{next(self.numbers)}"
        file.touch()
        file.chmod(0o666)
        env = {"VOLT_ESCAPE": f"{thread}:{attack}", "VOLT_ESCAPE_PID": str(self.victim(world)),
               "VOLT_ESCAPE_PORT": str(self.tcp.getsockname()[1]), "VOLT_ESCAPE_SOCKET": self.name,
               "VOLT_ESCAPE_FILE": str(file), "VOLT_ESCAPE_SECRET": "hunter2"}
        disk = file.with_suffix(".disk")
        disk.write_bytes(bytes(4096))
        disk.chmod(0o666)
        with disk.open() as stray, open_folder("/etc") as stdin:
            env["VOLT_ESCAPE_FD"] = str(stray.fileno())
            command = [*world.prefix, worlds.program("volt-escape"), "--kernel", volt.guest("do"), "--cmdline", "!",
                       "--drive", f"path={disk},engine=sync", *options]
            done = subprocess.run(list(map(str, command)), stdin=stdin, capture_output=True, env={
                **os.environ, **env}, pass_fds=[stray.fileno()], preexec_fn=world.prepare, timeout=60)
        result = volt.Result(done.returncode, done.stdout, done.stderr)
        told = re.search(rf"^escape: {attack}=(\w+)$", result.err, re.M)
        assert told or result.status == KILLED, result
        return told[1] if told else "killed", result


@pytest.fixture(scope="module")
def target():
    with tempfile.TemporaryDirectory() as folder:  # pytest's are nobody else's to look into
        made = Target(pathlib.Path(folder))
        yield made
        made.close()


def only(*layers):
    return "--sandbox-skip=" + ",".join(layer for layer in LAYERS if layer not in layers)


def claims(attack, world):
    """(layer, errors) of those that stop it in this world."""
    for claim, errors in {**ATTACKS, **CALM}[attack].items():
        layer, _, abi = claim.partition(":")
        if layer == "landlock" and ("landlock" in world.lacks or ABI < int(abi or 1)):
            continue
        if layer == "namespaces" and "user" in world.lacks:
            continue
        yield layer, errors


every_world = pytest.mark.parametrize("world", worlds.WORLDS, ids=repr)
whole_worlds = pytest.mark.parametrize("world", [w for w in worlds.WORLDS if w.name in ("user", "root")], ids=repr)


def all_of(runs):
    """run(*arguments) of each, some at once: most of their time they wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for task in [pool.submit(*run) for run in runs]:
            task.result()


def check_killed(target, world, thread, attack, *options):
    outcome, result = target.attack(world, thread, attack, *options)
    assert outcome == "killed", (attack, result)
    assert re.search(rf"sandbox: a {thread} thread made system call \d+ \(\w+; second argument (0x)?[0-9a-f]+\), which its filter does not have: "
                     "killed$", result.err, re.M), (attack, result)


def check_stopped(target, world, attack, option, errors):
    outcome, result = target.attack(world, "worker", attack, option)
    assert outcome in errors, (attack, option, result)


@whole_worlds
@pytest.mark.parametrize("thread", THREADS)
def test_seccomp_kills_and_says_whom(target, world, thread):
    all_of((check_killed, target, world, thread, attack) for attack in ATTACKS)


@every_world
def test_each_layer_alone(target, world):
    """What the threat model says of a layer is so without any other."""
    if world.name in ("user", "root"):
        all_of((check_killed, target, world, "worker", attack, only("seccomp")) for attack in ATTACKS)
    all_of((check_stopped, target, world, attack, only(layer), errors)
           for attack in [*ATTACKS, *CALM] for layer, errors in claims(attack, world))


def check_left_out(target, world, layers):
    """Without one of the layers there is another, for all that has more than one."""
    for attack in [*ATTACKS, *CALM]:
        stoppers = dict(claims(attack, world))
        if attack in ATTACKS:
            stoppers["seccomp"] = {"killed"}
        for layer in set(layers) & set(stoppers) if len(stoppers) > 1 else ():
            others = set().union(*(errors for other, errors in stoppers.items() if other != layer))
            yield check_stopped, target, world, attack, f"--sandbox-skip={layer}", others


@every_world
def test_without_seccomp_another_layer_stops_it(target, world):
    all_of(check_left_out(target, world, ["seccomp"]))


@whole_worlds
def test_without_another_layer_seccomp_stops_it(target, world):
    all_of(check_left_out(target, world, LAYERS[1:]))


def test_attacks_work_where_nothing_stops_them(target):
    """So that it is the sandbox that the other tests see; an ordinary user's may fail for other reasons."""
    for world in [world for world in worlds.WORLDS if world.name == "root"]:
        for attack in TELLING:
            outcome, result = target.attack(world, "worker", attack, "--sandbox", "off")
            assert outcome == "done", (attack, result)


@every_world
def test_what_needs_no_call_is_stopped_with_all_layers(target, world):
    outcome, result = target.attack(world, "vcpu", "environment")
    assert outcome == "ENODATA", result


@whole_worlds
def test_while_it_waits_to_be_configured(target, world):
    """Files can be opened then, and passt run, but no other process is looked into."""
    def waiting(attack):
        env = {**os.environ, "VOLT_ESCAPE": f"waiting:{attack}", "VOLT_ESCAPE_PID": str(target.victim(world))}
        command = [*world.prefix, worlds.program("volt-escape"), "--api-socket", next(target.sockets)]
        done = subprocess.run(list(map(str, command)), capture_output=True, env=env, timeout=60)
        return volt.Result(done.returncode, done.stdout, done.stderr)

    for attack in ("ptrace", "process_vm_readv", "kill", "keyctl", "userfaultfd", "hostname", "clock"):
        result = waiting(attack)
        assert result.status == KILLED and "sandbox: a waiting thread made system call" in result.err, (attack, result)
    assert "escape: open=done" in waiting("open").err


@every_world
def test_the_call_that_opens_finds_nothing(target, world):
    """openat2() is the main thread's, for --live-dir."""
    outcome, result = target.attack(world, "main", "openat2", "--api-socket", next(target.sockets))
    assert outcome in {"EACCES", "ENOENT"} or (world.name == "poor user" and outcome == "done"), result
    for thread in ("vcpu", "worker"):
        check_killed(target, world, thread, "openat2")


@every_world
def test_no_way_up_from_a_held_folder(target, world):
    """The socket's and those of --live-dir: a mount of their own stops it, and Landlock does."""
    for options in ([], [only("namespaces")], [only("landlock")]):
        for more in [[], ["--uid", "65534", "--gid", "65534"]] if world.name == "root" else [[]]:
            outcome, result = target.attack(world, "main", "openat2_up", "--api-socket", next(target.sockets),
                                            "--live-dir", target.folder, *options, *more)
            open_way = world.name == "poor user" or (world.name == "poor root" and options == [only("landlock")])
            assert outcome in ({"done"} if open_way else {"EACCES", "ENOENT"}), (options, more, result)


def test_numbers_of_another_table_kill(target):
    """int 0x80: where the host has it, its calls are no filter's."""
    _, result = target.attack(worlds.WORLDS[0], "vcpu", "other_abi")
    assert result.status in (KILLED, -signal.SIGSEGV), result
