# SPDX-License-Identifier: Apache-2.0
"""volt-init as PID 1 of a PID namespace: everything that does not need a kernel of its own."""

import json
import pathlib
import struct
import subprocess

import pytest

from harness import Namespaces, binary, encode, in_namespaces

HERE = pathlib.Path(__file__).resolve().parent

STATUSES = {
    "zero": ("exit 0", 0),
    "small": ("exit 7", 7),
    "highest of its own": ("exit 124", 124),
    "as Volt's": ("exit 125", 125),
    "all bits": ("exit 255", 255),
    "killed": ("kill -9 $$", 137),
    "asked to end": ("kill -TERM $$", 143),
    "real-time signal": ("kill -40 $$", 168),
}


@pytest.mark.parametrize("script, status", STATUSES.values(), ids=STATUSES.keys())
def test_status(script, status):
    ended = in_namespaces(["sh", "-c", script])
    assert (ended.status, ended.ending) == (status, "power off")
    assert ended.own_lines() == []
    assert ended.seconds < 3


def test_program_is_missing():
    ended = in_namespaces(["no-such-program", "x"])
    assert ended.status == 127
    assert ended.own_lines() == ['volt-init: cannot execute "no-such-program": '
                                 'No such file or directory']


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "broken"])
def test_program_cannot_execute(path):
    ended = in_namespaces([path], files={"/etc/passwd": "", "/bin/broken": ("no program", 0o755)})
    assert ended.status == 126
    assert len(ended.own_lines()) == 1 and f'"{path}"' in ended.own_lines()[0]


SHOW = 'for a; do printf "%s" "$a" | od -An -v -tx1 | while read -r l; do printf "%s" "$l "; ' \
       'done; echo "|"; done'


def shown(ended):
    return [bytes.fromhex(line.rstrip("|")) for line in ended.lines() if line.endswith("|")]


def test_arguments_arrive_as_they_were():
    args = ["", "a b", 'say "hi"', "it's", "%41", "Grüße ☃ 𝄞", "two\nlines", "--", "a=b c", "\\", "$HOME", ""]
    ended = in_namespaces(["sh", "-c", SHOW, "sh", *args])
    assert shown(ended) == [arg.encode() for arg in args]


def test_every_byte_arrives():
    every = bytes(range(1, 256))
    assert shown(in_namespaces(["sh", "-c", SHOW, "sh", every])) == [every]


def test_two_hundred_arguments():
    args = [f"a{i}" for i in range(200)]
    ended = in_namespaces(["sh", "-c", 'echo "$# $1 ${200}"', "sh", *args])
    assert "200 a0 a199" in ended.lines()


def test_only_what_follows_the_dashes():
    ended = in_namespaces(cmdline='root=/dev/x splash "quoted --" volt.nothing -- echo "a  b" c%20d')
    assert "a  b c d" in ended.lines()


def test_empty_command_line_after_dashes_is_none():
    with Namespaces("quiet --  ") as guest:
        guest.expect("# ")


def test_damaged_encoding():
    ended = in_namespaces(cmdline="-- echo%2")
    assert ended.status == 125
    assert ended.own_lines() == ['volt-init: command line after "--": offset 4: '
                                 '% without two hexadecimal digits']


def test_empty_program_name():
    assert in_namespaces(cmdline='-- ""').status == 127


def test_no_shell():
    ended = in_namespaces(shell=False)
    assert ended.status == 127
    assert ended.own_lines() == ["volt-init: nothing to run: no command was given, there is no "
                                 "command in /etc/volt/init.json, and no /bin/sh"]


def image(**config):
    return {"/etc/volt/init.json": json.dumps(config),
            "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:0:0::/srv:/bin/sh\n"}


def test_init_json_command():
    ended = in_namespaces(files=image(command=["sh", "-c", "echo $A-$B; pwd; exit 3"], cwd="/etc/volt",
                                      env={"A": "one", "B": "zwei ☃"}))
    assert "one-zwei ☃" in ended.lines() and "/etc/volt" in ended.lines()
    assert ended.status == 3


def test_command_line_replaces_only_the_command():
    files = image(command=["false"], cwd="/etc", env={"A": "image", "B": "image"})
    ended = in_namespaces(["sh", "-c", "echo $A $B; pwd"], files=files, environ="B=start")
    assert "image start" in ended.lines() and "/etc" in ended.lines()


def test_environment_by_default():
    ended = in_namespaces(["env"])
    found = {line for line in ended.lines() if "=" in line}
    assert found == {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                     "HOME=/root", "TERM=vt220"}


def test_path_of_the_image_is_searched():
    files = image(command=["tool"], env={"PATH": "/opt"})
    files["/opt/tool"] = ("#!/bin/sh\nexit 9\n", 0o755)
    assert in_namespaces(files=files).status == 9


BAD_CONFIGS = {
    "unknown key": ('{"cmd": ["x"]}', 'offset 1: "cmd": unknown key'),
    "wrong type": ('{"command": "x"}', 'offset 12: "command": expected an array'),
    "twice": ('{"cwd": "/", "cwd": "/"}', 'offset 13: "cwd": the same key twice'),
    "relative": ('{"cwd": "x"}', 'offset 8: "cwd": not an absolute path'),
    "cut off": ('{"user": "ro', 'offset 12: "user": the string does not end'),
    "no such user": ('{"user": "x"}', 'user "x" is not in /etc/passwd'),
    "too large": (" " * 65537, "File too large"),
}


@pytest.mark.parametrize("text, message", BAD_CONFIGS.values(), ids=BAD_CONFIGS.keys())
def test_bad_init_json(text, message):
    ended = in_namespaces(["true"], files={"/etc/volt/init.json": text, "/etc/passwd": ""})
    assert ended.status == 125 and ended.ending == "power off"
    assert len(ended.own_lines()) == 1 and ended.own_lines()[0].endswith(message)


def test_missing_working_directory():
    ended = in_namespaces(["true"], files=image(cwd="/gone"))
    assert ended.status == 125
    assert ended.own_lines() == ["volt-init: the workload cannot enter /gone: "
                                 "No such file or directory"]


def test_orphans_are_reaped():
    script = """for i in $(seq 30); do (sleep 0.01 & exec true) & done; wait; sleep 0.3
                cat /proc/[0-9]*/status | grep -c '^State:.Z'; ls -d /proc/[0-9]* | grep -c proc"""
    ended = in_namespaces(["sh", "-c", script])
    left = [int(line) for line in ended.lines() if line.isdigit()]
    assert left[0] == 0 and left[1] <= 4  # PID 1, the shell, ls and grep
    assert ended.own_lines() == []


def test_obedient_orphans_cost_no_time():
    ended = in_namespaces(["sh", "-c", "for i in 1 2 3; do setsid sleep 1000 & done; "
                                       "setsid sleep 1000 & kill -STOP $!; exit 4"])
    assert ended.status == 4 and ended.seconds < 3 and ended.own_lines() == []


def test_orphans_may_end_in_order():
    script = "trap 'echo saving; sleep 1; echo saved; exit' TERM; echo up; while :; do sleep 0.1; done"
    ended = in_namespaces(["sh", "-c", f"setsid sh -c \"{script}\" & sleep 0.5; exit 4"])
    assert "saved" in ended.lines() and ended.status == 4
    assert ended.own_lines() == []


def test_disobedient_orphans_are_killed():
    ended = in_namespaces(["sh", "-c", "trap '' TERM; setsid sleep 1000 & setsid sleep 1000 & sleep 0.5; exit 5"])
    assert ended.status == 5 and 5 <= ended.seconds < 8
    assert ended.own_lines() == ["volt-init: killing what did not end within 5 s"]


def test_disobedient_workload_is_killed():
    ended = in_namespaces(["sh", "-c", "trap 'echo no' TERM; kill -USR2 1; while :; do sleep 0.2; done"])
    assert ended.status == 137 and 5 <= ended.seconds < 8


# What programs send to PID 1, and what becomes of the machine.
REQUESTS = {
    "Ctrl-Alt-Del": ("kill -INT 1", "power off"),
    "busybox poweroff": ("poweroff", "power off"),
    "busybox halt": ("halt", "power off"),
    "busybox reboot": ("reboot", "restart"),
    "SIGPWR": ("kill -PWR 1", "power off"),
    "systemd halt": ("kill -37 1", "power off"),
    "systemd poweroff": ("kill -38 1", "power off"),
    "systemd reboot": ("kill -39 1", "restart"),
    "systemd kexec": ("kill -40 1", "restart"),
}


@pytest.mark.parametrize("command, ending", REQUESTS.values(), ids=REQUESTS.keys())
def test_requests(command, ending):
    ended = in_namespaces(["sh", "-c", f"{command}; sleep 100; exit 1"])
    assert (ended.ending, ended.status) == (ending, 143)
    assert ended.seconds < 4 and ended.own_lines() == []


@pytest.mark.parametrize("level, ending", [("0", "power off"), ("6", "restart")])
def test_initctl(level, ending):
    request = struct.pack("=iiii368x", 0x03091969, 1, ord(level), 0)
    ended = in_namespaces(["sh", "-c", "cat /request > /run/initctl; sleep 100"],
                          files={"/request": request})
    assert (ended.ending, ended.status) == (ending, 143) and ended.seconds < 4


def test_nonsense_on_initctl():
    ended = in_namespaces(["sh", "-c", "cat /noise > /run/initctl; sleep 0.3; exit 6"],
                          files={"/noise": bytes(range(256)) * 40})
    assert (ended.ending, ended.status) == ("power off", 6)


def test_signals_that_mean_nothing():
    script = "for s in SEGV BUS ILL FPE ABRT TRAP SYS KILL STOP TSTP TTIN ALRM VTALRM PIPE 34 63; do " \
             "kill -$s 1; done; sleep 0.3; exit 8"
    ended = in_namespaces(["sh", "-c", script])
    assert (ended.ending, ended.status) == ("power off", 8) and ended.own_lines() == []


@pytest.mark.parametrize("name", ["HUP", "QUIT", "WINCH", "CONT"])
def test_forwarded(name):
    script = f"trap 'exit 11' {name}; kill -{name} 1; while :; do usleep 50000; done"
    ended = in_namespaces(["sh", "-c", script])
    assert ended.status == 11


def test_forwarded_to_the_whole_group():
    script = "sh -c 'trap \"echo child; exit\" HUP; while :; do usleep 50000; done' & " \
             "trap 'wait; exit 11' HUP; usleep 300000; kill -HUP 1; while :; do usleep 50000; done"
    ended = in_namespaces(["sh", "-c", script])
    assert ended.status == 11 and "child" in ended.lines()


def test_interactive_shell():
    with Namespaces("quiet") as guest:
        before = guest.expect("# ")
        assert "job control" not in before
        guest.type("tty; echo [$-]\n")
        assert "/dev/console" in guest.expect("[smi]")
        guest.expect("# ")

        guest.type("sh -c 'echo run; exec sleep 100'\n")
        guest.expect("\r\nrun\r\n")
        guest.type("\x03")
        guest.expect("# ")  # Ctrl-C ends the foreground job, not the shell

        guest.type("sh -c 'echo run; exec sleep 100'\n")
        guest.expect("\r\nrun\r\n")
        guest.type("\x1a")
        guest.expect("Stopped")
        guest.expect("# ")
        guest.type("jobs; kill %1; fg\n")
        guest.expect("# ")

        guest.type("exit 13\n")
        ended = guest.wait()
    assert (ended.ending, ended.status) == ("power off", 13) and ended.seconds < 6


def test_ctrl_z_does_not_stop_the_workload_for_good():
    command = encode(["sh", "-c", "echo ready; read line; echo got=$line; exit 9"])
    with Namespaces("quiet -- " + command) as guest:
        guest.expect("ready")
        guest.type("\x1a")
        guest.expect("^Z")
        guest.type("on\n")
        guest.expect("got=on")
        ended = guest.wait()
    assert ended.status == 9


def test_poweroff_from_an_interactive_shell_is_quick():
    with Namespaces("quiet") as guest:
        guest.expect("# ")
        guest.type("poweroff\n")
        ended = guest.wait()
    assert ended.ending == "power off" and ended.status == 129 and ended.seconds < 4
    assert ended.own_lines() == []


def test_debug_says_each_step():
    ended = in_namespaces(["true"], cmdline="volt.debug")
    text = "\n".join(ended.own_lines())
    for step in ("started", "/sys is ready", "/tmp is ready", "runs true", "status is 0", "power off"):
        assert step in text
    assert all("volt-init: [" in line for line in ended.own_lines())


def test_own_fault_ends_in_order():
    # Takes away the addresses that PID 1 will return to after the call it waits in.
    script = "set -- $(cat /proc/1/syscall); shift 7; " \
             "dd if=/dev/zero of=/proc/1/mem bs=1 seek=$(($1)) count=256 conv=notrunc 2>/dev/null; exit 3"
    ended = in_namespaces(["sh", "-c", script])
    assert (ended.ending, ended.status) == ("power off", 125)
    assert ended.own_lines() == ["volt-init: a mistake of its own, powering off"]


def test_without_standard_descriptors():
    ended = in_namespaces(["sh", "-c", "echo out; echo err >&2; ls /proc/self/fd | wc -l; exit 5"],
                          closed=True)
    assert ended.status == 5 and ended.own_lines() == []
    for line in ("out", "err", "4"):  # 0, 1, 2 and the folder that ls reads
        assert line in ended.lines()


def test_blocked_console_does_not_stop_the_end():
    with Namespaces("volt.debug -- " + "sh%00-c%00echo%20now;sleep%200.5;exit%203") as guest:
        guest.expect("now")
        guest.type("\x13")  # Ctrl-S: the terminal takes nothing from now on
        ended = guest.wait()
    assert ended.ending == "power off" and ended.seconds < 10


def test_not_pid_1():
    done = subprocess.run([binary()], capture_output=True, text=True, timeout=10)
    assert done.returncode == 125


FSTAB = """
# <file system>	<mount point>	<type>	<options>	<dump>	<pass>
nothing	/	ext4	rw	0	1
small	/data/a\\040b	tmpfs	size=64k,noexec,x-made=up	0	0
/etc	/ro	none	bind,ro	0	0
tmpfs	/later	tmpfs	noauto
tmpfs	/dev/shm	tmpfs	size=128k
too few
UUID=0123	/gone	ext4	defaults	0	2
LABEL=none	/quiet	ext4	nofail	0	2
PARTUUID=1	/unknown	auto
"""


def test_fstab():
    ended = in_namespaces(["sh", "-c", "cat /proc/self/mounts; ls -d /later"], files={"/etc/fstab": FSTAB})
    found = {line.split()[1]: (line.split()[2], set(line.split()[3].split(","))) for line in ended.lines()
             if line.count(" ") == 5 and line.endswith(" 0 0")}
    assert found["/data/a\\040b"][0] == "tmpfs" and {"size=64k", "noexec", "rw"} <= found["/data/a\\040b"][1]
    assert "ro" in found["/ro"][1]
    assert {"size=128k", "nosuid", "nodev"} <= found["/dev/shm"][1]  # one that is there gets what it says
    assert "/later" not in found and "ls: /later: No such file or directory" in ended.lines()
    assert ended.status == 1
    assert ended.own_lines() == [
        "volt-init: /etc/fstab: a line has too few fields",
        "volt-init: /etc/fstab: cannot mount UUID=0123 on /gone: No such device",
        "volt-init: /etc/fstab: cannot mount PARTUUID=1 on /unknown: Not supported"]


HOSTNAMES = {
    "file": ("quiet", {"/etc/hostname": "# ours\nfrom-file\n"}, "from-file"),
    "init.json": ("quiet", {"/etc/hostname": "x\n", "/etc/volt/init.json": '{"hostname": "image"}'}, "image"),
    "command line": ("volt.hostname=start", {"/etc/volt/init.json": '{"hostname": "image"}'}, "start"),
}


@pytest.mark.parametrize("cmdline, files, name", HOSTNAMES.values(), ids=HOSTNAMES.keys())
def test_hostname(cmdline, files, name):
    ended = in_namespaces(["cat", "/proc/sys/kernel/hostname"], cmdline=cmdline, files=files)
    assert name in ended.lines() and ended.own_lines() == []


def test_command_line_goes_over_the_image():
    files = image(cwd="/", env={"A": "image", "B": "image", "C": "image"})
    ended = in_namespaces(["sh", "-c", "echo $A $B $C; pwd"], files=files, environ="B=kernel",
                          cmdline='volt.cwd=/etc volt.env.A=start "volt.env.B=a b" volt.env.=x')
    assert "start a b image" in ended.lines() and "/etc" in ended.lines()


def test_user_on_the_command_line_goes_over_the_image():
    ended = in_namespaces(["true"], cmdline="volt.user=start", files=image(user="image"))
    assert ended.status == 125 and ended.own_lines() == ['volt-init: user "start" is not in /etc/passwd']


def test_bad_working_directory_on_the_command_line():
    ended = in_namespaces(["true"], cmdline="volt.cwd=etc")
    assert ended.status == 125 and ended.own_lines() == ["volt-init: volt.cwd=etc: not an absolute path"]


def test_loopback_is_up():
    ended = in_namespaces(["cat", "/sys/class/net/lo/operstate"])
    assert "unknown" in ended.lines()  # up, for an interface without a wire


@pytest.mark.parametrize("option, expected", [
    ("volt.ip=banana", 'volt-init: volt.ip: "banana": expected ADDRESS/LENGTH'),
    ("volt.ip=10.0.0.2/24", "volt-init: volt.ip: no network interface is there"),
    ("volt.ip.eth7=10.0.0.2/24,10.0.0.1", "volt-init: volt.ip: no network interface eth7"),
])
def test_addresses_that_do_not_work_cost_a_line(option, expected):
    ended = in_namespaces(["sh", "-c", "exit 9"], cmdline=option)
    assert ended.status == 9 and ended.own_lines() == [expected]


def test_dhcp_leases_that_are_lost_and_change():
    """What the interface and resolv.conf look like after each lease: what the one before left is gone."""
    script = "until grep -q 10.0.0.8 /etc/resolv.conf; do usleep 50000; done; cat /log /etc/resolv.conf; " \
             "for p in /proc/[0-9]*; do [ $(cat $p/comm) != volt-dhcp ] || ls -l $p/fd | grep -c socket; done"
    ended = in_namespaces(["sh", "-c", script], before=str(HERE / "dhcp_leases.py"),
                          cmdline="volt.ip.eth0=dhcp volt.ip.lo=10.1.0.1/32,,9.9.9.9", limit=60)
    first = "10.0.0.2/24 via 10.0.0.1 mtu 1500 dns 10.0.0.1 9.9.9.9"
    assert [line for line in ended.lines() if line.startswith("asked: ")] == [
        "asked: nothing", f"asked: {first}", "asked: nothing, still named 10.0.0.1 9.9.9.9",
        f"asked: {first}", "asked: nothing, still named 10.0.0.1 9.9.9.9",
        "asked: 10.0.0.5/24 via 10.0.0.1 mtu 1500 dns 10.0.0.3 10.0.0.4 9.9.9.9",
        "asked: 10.0.0.5/16 via 10.0.0.9 mtu 1400 dns 10.0.0.6 9.9.9.9",
        "asked: nothing, still named 10.0.0.6 9.9.9.9"]
    lines = ended.lines()
    named = lines.index("nameserver 10.0.0.8")
    assert lines[named:named + 3] == ["nameserver 10.0.0.8", "nameserver 9.9.9.9", "1"]  # one socket is of the start
    assert ended.own_lines() == ["volt-init: volt.ip: eth0 has lost the address that DHCP gave it; asking for another"]


def test_root_on_the_command_line_means_nothing_outside_of_an_initramfs():
    assert in_namespaces(["sh", "-c", "exit 9"], cmdline="root=/dev/vda rw").status == 9
