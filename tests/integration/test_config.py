# SPDX-License-Identifier: Apache-2.0
"""A wrong configuration: one line that names setting, value and what was expected; nothing created."""
import json
import os
import pathlib
import re

import pytest

import strace
import volt
from volt import STATUS_CONFIGURATION, assert_fault, run

SETTING = re.compile(r"^  --([a-z-]+)(?: (\S+))?\s+\S", re.M)

# By the placeholder that --help shows: a value that is wrong, and what the message then expects.
BAD_VALUES = {
    "FILE": ("/no/such/directory/file", "No such file or directory"),
    "PATH": ("/no/such/directory/file", "No such file or directory"),
    "TEXT": ("x" * 3000, "3000 bytes long, at most 2047"),
    "SIZE": ("12Q", "expected a size such as 128M or 1G"),
    "N": ("0x10", "expected a whole number, 1 to 255"),
    "FD": ("0x10", "expected a whole number, 0 to 65535"),
    "SECONDS": ("-1", "expected a whole number, 0 to 3600"),
    "NAME": ("a b", "expected 1 to 64 of A-Z a-z 0-9 -"),
    "INTERFACE": ("a/b", "expected the name of an interface, 1 to 15 characters"),
    "LAYER[,LAYER...]": ("banana", "expected some of seccomp, landlock, capabilities, namespaces, limits"),
    "DIR[:DIR...]": ("/no/such", "No such file or directory"),
    "UID": ("0x10", "expected a whole number, 0 to 4294967294"),
    "GID": ("root", "expected a whole number, 0 to 4294967294"),
    "CGROUP": ("a/../b", "expected a name, or a path from /"),
    "PERCENT": ("1.5", "expected a whole number, 0 to 1000000"),
    "COUNT": ("-1", "expected a whole number, 0 to 4194304"),
    "MAJOR:MINOR,KEY=N...": ("8:0,speed=1", "expected MAJOR:MINOR,KEY=N..., such as"),
    "on|off": ("maybe", "expected on or off"),
    "path=FILE[,KEY=VALUE...]": ("banana", "banana: unknown key; expected one of path id root"),
    "DIR[,KEY=VALUE...]": ("banana", "expected --cas-store STORE"),
    "STORE": ("banana", "expected a --volume"),
    "KEY=VALUE[,KEY=VALUE...]": ("banana", "banana: unknown key; expected one of backend tap fd"),
    "stdio|file=PATH|pty|none": ("banana", "expected stdio, file=PATH, pty or none"),
}


def settings():
    """(flag, placeholder) of each; the placeholder is "" for those that take no value."""
    return SETTING.findall(run("--help", kernel=None).text.partition("\nOptions")[2])


def settings_with_value():
    return [(flag, placeholder) for flag, placeholder in settings() if placeholder]


def test_help_is_understood():
    flags = [flag for flag, _ in settings()]
    assert len(flags) == len(set(flags)) >= 20
    assert {"kernel", "memory", "console", "metrics-path", "help"} <= set(flags)


def refused(folder, *options, **more):
    """The result of a run that is to leave nothing in `folder` and never look at KVM."""
    result, calls = strace.trace(folder.parent, "open,openat,openat2", *options, **more)
    assert not any("/dev/kvm" in call.arguments for call in calls)
    assert list(folder.iterdir()) == []
    assert result.out == b""
    return result


OUTPUTS = ["--log-path", "log", "--metrics-path", "metrics", "--console", "file=console"]


@pytest.mark.parametrize("flag, placeholder", settings_with_value())
def test_bad_value(here, flag, placeholder):
    value, expected = BAD_VALUES.get(placeholder, ("banana", f"expected {placeholder}"))
    if flag == "restore":
        expected = "No such file or directory"
    if placeholder == "TEXT":
        assert_fault(refused(here, f"--{flag}", value), STATUS_CONFIGURATION, expected)
        return
    kernel = None if flag == "kernel" else "hello"
    result = refused(here, f"--{flag}", value, kernel=kernel)
    assert_fault(result, STATUS_CONFIGURATION, f"--{flag}", value, expected)


@pytest.mark.parametrize("flag, placeholder", settings())
def test_value_is_missing_or_too_many(here, flag, placeholder):
    if placeholder:
        result = refused(here, f"--{flag}", kernel=None)
        assert_fault(result, STATUS_CONFIGURATION, f"--{flag}: expected a value: {placeholder}")
    else:
        result = refused(here, f"--{flag}=on", kernel=None)
        assert_fault(result, STATUS_CONFIGURATION, f"--{flag}", "takes no value")


@pytest.mark.parametrize("flag, value, expected", [
    ("memory", "", "expected a size such as 128M or 1G"),
    ("memory", "1M", "expected a size from 2M to 4T"),
    ("memory", "5T", "expected a size from 2M to 4T"),
    ("memory", "3M", "expected a multiple of 2M"),
    ("memory", "-128M", "expected a size such as 128M or 1G"),
    ("memory", "18446744073709551616", "expected a size such as 128M or 1G"),
    ("memory", "16777216T", "expected a size such as 128M or 1G"),
    ("memory", "128MB", "expected a size such as 128M or 1G"),
    ("memory", " 128M", "expected a size such as 128M or 1G"),
    ("cpus", "0", "expected 1 to 255"),
    ("cpus", "256", "expected 1 to 255"),
    ("cpus", "4294967297", "expected 1 to 255"),
    ("cpus", "1.5", "expected a whole number, 1 to 255"),
    ("cpus", "", "expected a whole number, 1 to 255"),
    ("stop-timeout", "3601", "expected 0 to 3600"),
    ("id", "", "expected 1 to 64 of"),
    ("id", "x" * 65, "expected 1 to 64 of"),
    ("id", "ä", "expected 1 to 64 of"),
    ("console", "file=", "expected stdio, file=PATH, pty or none"),
    ("console", "stdio2", "expected stdio, file=PATH, pty or none"),
    ("kernel", "", "expected a path"),
    ("log-level", "WARN", "expected error|warn|info|debug"),
    ("huge-pages", "2m", "expected auto|off|thp|2M"),
    ("huge-pages", "auto|off", "expected auto|off|thp|2M"),
])
def test_bad_values_at_the_edges(here, flag, value, expected):
    result = refused(here, *OUTPUTS, f"--{flag}={value}")
    assert_fault(result, STATUS_CONFIGURATION, f"--{flag}", expected)
    assert value == "3M" or value in result.err


@pytest.mark.parametrize("words, expected", [
    ([], "--kernel: missing; expected the path of a vmlinux or bzImage"),
    (["--bogus"], "--bogus: unknown option; see --help"),
    (["--kernel-x=1"], "--kernel-x: unknown option; see --help"),
    (["--"], "--: expected the guest's command after it"),
    (["kernel"], "kernel: expected an option; the guest's command goes after --"),
    (["-k"], "-k: expected an option"),
    ([""], "expected an option"),
    (["--help=1"], "--help=1: takes no value"),
])
def test_bad_words(here, words, expected):
    assert_fault(refused(here, *words, kernel=None), STATUS_CONFIGURATION, expected)


def test_control_characters_do_not_break_the_line(here):
    result = refused(here, "--memory", "1\n2\x1b[1m\x7f")
    assert_fault(result, STATUS_CONFIGURATION, "--memory 1?2?[1m?")


def test_cmdline_of_two_lines(here):
    assert_fault(refused(here, "--cmdline", "a\nb"), STATUS_CONFIGURATION, "--cmdline: expected one line")


@pytest.mark.parametrize("length", [2048, 5000])
def test_cmdline_too_long(here, length):
    result = refused(here, *OUTPUTS, "--cmdline", "x" * length)
    assert_fault(result, STATUS_CONFIGURATION, f"is {length} bytes long, at most 2047")


def test_longest_cmdline(here):
    words = f"! {volt.POWEROFF}"
    assert volt.do(words + " " * (2047 - len(words))).status == 0


def test_workload_too_long(here):
    """Its own statuses: 125 says that Volt failed. Every byte that is encoded counts as three."""
    result = refused(here, "--cmdline", "a", "--", "sh", "-c", "%" * 700)
    length = len("a PAGER=cat -- sh%00-c%00") + 3 * 700
    assert_fault(result, volt.STATUS_VOLT_FAILED, f"is {length} bytes long, at most 2047")


def test_workload_beside_a_separator(here):
    assert_fault(refused(here, "--cmdline", "a -- b", "--", "sh"), volt.STATUS_VOLT_FAILED,
                 "--cmdline: has a \"--\" of its own beside a COMMAND")


@pytest.mark.parametrize("setting, path", [
    ("--log-path", "/no/such/directory/x"), ("--metrics-path", "/no/such/directory/x"),
    ("--console", "file=/no/such/directory/x"), ("--log-path", "."), ("--metrics-path", "."),
    ("--console", "file=."),
])
def test_output_that_cannot_be_written(here, setting, path):
    """The others are not made, either."""
    result = refused(here, *OUTPUTS, setting, path)
    assert_fault(result, STATUS_CONFIGURATION, setting, path.removeprefix("file="), "cannot write to")


# --- configuration files ---


def from_file(folder, text, *options, **more):
    path = folder.parent / "config.json"
    path.write_bytes(text.encode("latin-1"))
    return refused(folder, "--config-file", path, *options, **more)


@pytest.mark.parametrize("text, expected", [
    ('{"bogus": 1}', "bogus: 1: unknown key"),
    ('{"memory": true}', "memory: true: expected a size such as \"128M\", or bytes"),
    ('{"memory": "12Q"}', "memory: \"12Q\": expected a size such as 128M or 1G"),
    ('{"memory": -1}', "memory: -1: expected a size"),
    ('{"memory": 1}', "memory: 1: expected a size from 2M to 4T"),
    ('{"cpus": "2"}', "cpus: \"2\": expected a whole number, 1 to 255"),
    ('{"cpus": 0}', "cpus: 0: expected 1 to 255"),
    ('{"cpus": -1}', "cpus: -1: expected 1 to 255"),
    ('{"cpus": 4294967297}', "cpus: 4294967297: expected 1 to 255"),
    ('{"cpus": 1.0}', "cpus: 1.0: expected a whole number"),
    ('{"prefault": "on"}', "prefault: \"on\": expected true or false"),
    ('{"kernel": ["a"]}', "kernel: [\"a\"]: expected a string: FILE"),
    ('{"kernel": null}', "kernel: null: expected a string: FILE"),
    ('{"entry": "x"}', "entry: \"x\": expected auto|pvh|linux64"),
    ('{"workload": "sh"}', "workload: \"sh\": expected an array of strings, the command first"),
    ('{"workload": []}', "workload: []: expected an array of strings"),
    ('{"workload": ["sh", 1]}', "expected an array of strings"),
    ('{"help": true}', "help: true: unknown key"),
    ('{"config_file": "x"}', "config_file: \"x\": unknown key"),
    ('{"log-level": "info"}', "log-level: \"info\": unknown key"),
    ('{"cpus": 1, "cpus": 2}', "duplicate object key"),
    ('{"cpus": 1', ":1:"),
    ('{"cpus": 1} x', ":1:"),
    ('{\n  "cpus": }', ":2:"),
    ('[]', "expected a JSON object"),
    ('1', "config.json"),
    ('', "config.json:1:0"),
    ('{"id": "a\\u0000b"}', "config.json"),
    ('{"id": "\xff"}', "config.json"),
    pytest.param("[" * 100000, "config.json", id="deep"),
])
def test_bad_file(here, text, expected):
    result = from_file(here, text)
    assert result.status in (STATUS_CONFIGURATION, volt.STATUS_VOLT_FAILED)
    assert_fault(result, result.status, "config.json", expected)


def test_file_too_large(here):
    size = (1 << 20) + 1
    assert_fault(from_file(here, " " * size), STATUS_CONFIGURATION, f"{size} bytes, at most {1 << 20}")


def dry_run(*options, **more):
    result = run("--dry-run", *options, **more)
    assert (result.status, result.err) == (0, ""), result
    return json.loads(result.text)


ALL = ["--memory", "1G", "--cpus", "3", "--huge-pages", "off", "--prefault", "on", "--entry", "pvh", "--acpi", "off",
       "--pit", "on", "--console", "file=c", "--stop-timeout", "7", "--id", "a-1", "--log-level", "debug",
       "--log-format", "json", "--log-path", "l", "--metrics-path", "m", "--cmdline", "a \"b\" ä",
       "--sandbox-skip", "limits", "--sandbox-require", "seccomp,landlock", "--live-dir", "/tmp", "--netns", "n",
       "--cpuid", "0x7:0:ebx=0bx", "--snapshot-dir", "/tmp",
       "--cgroup", "a/b", "--io-max", "8:0,rbps=1"]


def test_dry_run_prints_a_file(here):
    """What it prints is what --config-file takes; nothing is made, and KVM not needed."""
    (here.parent / "initrd").write_bytes(b"x")
    for disk in ("root", "data,1"):
        (here.parent / disk).write_bytes(bytes(4096))
    shown = dry_run(*ALL, "--initrd", here.parent / "initrd", "--rng", "off",
                    "--drive", f"path={here.parent}/data,,1,readonly=on,queues=2,iothreads=2,rate=1M,ops-burst=3",
                    "--rootfs", here.parent / "root", "--", "sh", "-c", "echo \t\"ä\" %")
    assert set(shown) == {flag.replace("-", "_") for flag, _ in settings()} - {
        "api_socket", "hold_fd", "config_file", "restore", "clock", "paused", "personality", "dry_run", "help", "version", "drive", "rootfs", "volume", "cas_store", "net", "tap",
        "net_bridge", "publish"} | {"workload", "drives", "volumes", "nets"}
    root, data = shown["drives"]
    assert (root["id"], root["root"], root["path"], root["readonly"]) == ("rootfs", True, f"{here.parent}/root", False)
    assert (data["id"], data["path"], data["readonly"], data["queues"], data["iothreads"], data["rate"],
            data["ops_burst"]) == ("disk1", f"{here.parent}/data,1", True, 2, 2, "1M", 3)
    assert shown["workload"] == ["sh", "-c", "echo \t\"ä\" %"]
    assert (shown["memory"], shown["cpus"], shown["prefault"], shown["pit"]) == ("1G", 3, True, "on")
    (here.parent / "shown").write_text(json.dumps(shown))
    assert dry_run("--config-file", here.parent / "shown", kernel=None) == shown
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("value, expected", [
    ("", "path: missing; expected path=FILE"),
    ("path=", "path=: expected a path"),
    ("path", "path: expected path=FILE"),
    ("readonly=on", "path: missing"),
    ("path=disk,path=disk", "path=disk: given twice"),
    ("path=disk,colour=red", "colour=red: unknown key; expected one of path id"),
    ("path=disk,readonly=yes", "readonly=yes: expected on or off"),
    ("path=disk,id=a b", "expected 1 to 64 of A-Z a-z 0-9 _ -"),
    ("path=disk,id=" + "x" * 65, "expected 1 to 64 of"),
    ("path=disk,cache=none", "cache=none: expected writeback|unsafe"),
    ("path=disk,engine=aio", "engine=aio: expected auto|io_uring|sync"),
    ("path=disk,queues=0", "queues=0: expected 1 to 16"),
    ("path=disk,iothreads=2", "iothreads=2: expected at most one a queue, queues=1"),
    ("path=disk,rate=fast", "rate=fast: expected a size such as 128M or 1G"),
    ("path=nowhere", "cannot open nowhere: No such file or directory"),
    ("path=/dev/null", "expected a regular file or a block device"),
    ("path=.", "Is a directory"),
    ("path=.,readonly=on", "expected a regular file or a block device"),
])
def test_bad_drive(here, value, expected):
    os.chdir(here.parent)
    pathlib.Path("disk").write_bytes(bytes(4096))
    result = refused(here, *OUTPUTS, "--drive", value)
    assert_fault(result, STATUS_CONFIGURATION, "--drive", expected)


@pytest.mark.parametrize("options, expected", [
    (["--drive", "path=a,id=x", "--drive", "path=b,id=x"], "--drive id=x: two disks have this name"),
    (["--rootfs", "a", "--drive", "path=b,root=on"], "2 root disks"),
    (["--rootfs", "a", "--drive", "path=a"], "in use by process"),
    (["--rootfs", "nowhere"], "--rootfs: cannot open nowhere"),
    (["--drive", "path=a,readonly=on"] * 17, "at most 16 of them"),
])
def test_bad_drives(here, options, expected):
    os.chdir(here.parent)
    for disk in "ab":
        pathlib.Path(disk).write_bytes(bytes(4096))
    assert_fault(refused(here, *OUTPUTS, *options), STATUS_CONFIGURATION, expected)


@pytest.mark.parametrize("drives, expected", [
    ('{}', "drives: {}: expected an array of objects"),
    ('[1]', "number 1: expected an object"),
    ('[{"path": "a"}, {"path": 1}]', "number 2: path: expected a string: FILE"),
    ('[{"path": "a", "ops-burst": 1}]', "ops-burst: unknown key"),
    ('[{"path": "a", "queues": 17}]', "queues: expected 1 to 16"),
])
def test_bad_drives_in_a_file(here, drives, expected):
    assert_fault(from_file(here, f'{{"drives": {drives}}}'), STATUS_CONFIGURATION, "config.json", expected)


def test_a_flag_replaces_the_files_disk_of_that_name(here):
    os.chdir(here.parent)
    for disk in "abc":
        pathlib.Path(disk).write_bytes(bytes(4096))
    pathlib.Path("f").write_text('{"drives": [{"path": "a", "id": "x", "queues": 4}, {"path": "b", "id": "y"}]}')
    shown = dry_run("--config-file", "f", "--drive", "path=c,id=x")
    assert [(d["id"], d["path"], d["queues"]) for d in shown["drives"]] == [("x", "c", 1), ("y", "b", 1)]


def test_later_flags_and_flags_over_the_file(here):
    (here / "f").write_text('{"cpus": 2, "memory": "64M", "workload": ["a"]}')
    shown = dry_run("--cpus", "3", "--config-file", "f", "--id=x", "--id=y", "--", "b", "c")
    assert (shown["cpus"], shown["memory"], shown["id"]) == (3, "64M", "y")
    assert shown["workload"] == ["b", "c"]


def test_help_and_version():
    """Whatever else is asked for; on stdout, for a pager."""
    long, short = run("--help", kernel=None), run("-h", kernel="/no/such/file")
    assert (long.status, long.err) == (short.status, short.err) == (0, "")
    assert long.out == short.out and long.text.startswith("Usage: volt-vmm --kernel FILE [OPTION...]")
    version = run("--version", kernel=None)
    assert (version.status, version.err) == (0, "")
    assert re.fullmatch(r"volt-vmm \d+\.\d+\.\d+\n", version.text)


def test_every_setting_is_documented_with_its_default():
    text = run("--help", kernel=None).text
    for default in ("[128M]", "[1]", "[auto]", "[off]", "[on]", "[stdio]", "[10]", "[warn]", "[text]"):
        assert default in text
