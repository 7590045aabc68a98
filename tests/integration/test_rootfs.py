# SPDX-License-Identifier: Apache-2.0
"""Root disks, looked at with the tools of ext4's makers: no root, no mount, no KVM."""
import gzip
import hashlib
import io
import lzma
import os
import pathlib
import re
import signal
import socket
import subprocess
import tarfile
import time

import pytest

import volt

VOLT = volt.BUILD / "bin/volt"
INIT = volt.BUILD / "bin/volt-init"
ENV = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}  # e2fsck's, of ordinary users

MTIME = 1234567890
ACL = "user::rw-,user:who:r--:9,group::r--,mask::r--,other::---"
CAPABILITY = "\1\0\0\2\0\4" + "\0" * 14  # cap_net_bind_service
LONG = "far/" * 40 + "away"


def run(*command, **more):
    more = {"stdin": subprocess.DEVNULL, **more} if "input" not in more else more
    done = subprocess.run(list(map(str, command)), capture_output=True, timeout=volt.LIMIT_S,
                          env=more.pop("env", ENV), **more)
    return volt.Result(done.returncode, done.stdout, done.stderr)


def build(*options, output="disk", prefix=(), **more):
    return run(*prefix, VOLT, "rootfs", "build", *options, "-o", output, **more)


def built(*options, output="disk", **more):
    """Build a disk that e2fsck has nothing to say about; silently."""
    result = build(*options, output=output, **more)
    assert (result.status, result.out, result.err) == (0, b"", ""), result
    checked = run("e2fsck", "-fn", output)
    assert checked.status == 0, checked
    return pathlib.Path(output)


def debugfs(disk, request):
    result = run("debugfs", "-R", request, disk)
    assert result.status == 0, result
    return result.text


def content(disk, path):
    return run("debugfs", "-R", f"cat {path}", disk).out


def names(disk, path="/"):
    """name -> (inode, mode in octal, uid, gid, size)"""
    found = {}
    for line in debugfs(disk, f"ls -p {path}").splitlines():
        fields = line.split("/")
        if len(fields) == 8:
            _, inode, mode, uid, gid, name, size, _ = fields
            found[name] = (int(inode), mode, int(uid), int(gid), size)
    return found


def entry(name, kind=tarfile.REGTYPE, link="", data=b"", **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mtime = kind, link, len(data), MTIME
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def archive(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


BIG = bytes(range(256)) * 4096 + bytes(300000) + b"end"
TREE = archive(
    entry("./", tarfile.DIRTYPE),
    entry("./usr", tarfile.DIRTYPE), entry("./usr/sbin", tarfile.DIRTYPE, mode=0o2775, gid=50),
    entry("./sbin", tarfile.SYMTYPE, "usr/sbin"),
    entry("./sbin/volt-init", data=b"an old one", mode=0o600),
    entry("./file", data=b"content\n", mode=0o4711, uid=1000, gid=70000),
    entry("./hard", tarfile.LNKTYPE, "./file"),
    entry("./big", data=BIG),
    entry("./long", tarfile.SYMTYPE, LONG),
    entry("./dev", tarfile.DIRTYPE), entry("./dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3, mode=0o666),
    entry("./dev/disk", tarfile.BLKTYPE, devmajor=259, devminor=70000, mode=0o660, gid=6),
    entry("./fifo", tarfile.FIFOTYPE),
    entry("./näme", data=b"x", pax_headers={"SCHILY.xattr.user.note": "a value", "SCHILY.acl.access": ACL,
                                            "SCHILY.xattr.security.capability": CAPABILITY,
                                            "mtime": f"{MTIME}.25"}),
)


@pytest.fixture
def tree(here):
    path = here.parent / "tree.tar"
    path.write_bytes(TREE)
    return path


def test_what_is_in_the_tar_is_on_the_disk(tree):
    disk = built("--from", tree)
    assert disk.stat().st_size == 1 << 30
    assert disk.stat().st_blocks * 512 < 8 << 20
    root = names(disk)
    assert root["file"][1:] == ("104711", 1000, 70000, "8")
    assert root["hard"] == root["file"]
    assert root["sbin"][1] == "120644"
    assert names(disk, "/usr")["sbin"][1:4] == ("042775", 0, 50)
    assert content(disk, "/file") == b"content\n"
    assert content(disk, "/big") == BIG
    assert f'Fast link dest: "usr/sbin"' in debugfs(disk, "stat /sbin")
    assert content(disk, "/long").decode() == LONG
    assert "Device major/minor number: 01:03" in debugfs(disk, "stat /dev/null")
    assert "Device major/minor number: 259:70000" in debugfs(disk, "stat /dev/disk")
    assert root["fifo"][1] == "010644"
    named = debugfs(disk, "stat /näme")
    assert re.search(rf"mtime: {MTIME:#x}:{250000000 << 2:08x}", named), named
    assert 'user.note (7) = "a value"' in named
    assert "security.capability (20)" in named
    assert "system.posix_acl_access" in named


def test_volt_init_and_mount_points(tree, here):
    disk = built("--from", tree)
    assert content(disk, "/usr/sbin/volt-init") == INIT.read_bytes()
    assert names(disk, "/usr/sbin")["volt-init"][1:4] == ("100755", 0, 0)
    root = names(disk)
    assert {name: root[name][1] for name in ("proc", "sys", "run", "tmp", "lost+found")} == \
        {"proc": "040555", "sys": "040555", "run": "040755", "tmp": "041777", "lost+found": "040700"}
    (here / "mine").write_bytes(b"#!/bin/sh\n")
    assert content(built("--from", tree, "--init", "mine"), "/sbin/volt-init") == b"#!/bin/sh\n"
    assert content(built("--from", tree, "--no-init"), "/sbin/volt-init") == b"an old one"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_files_give_the_same_bytes(tree, here):
    """A second later, packed or not, from a pipe; in another order; from a folder."""
    first = digest(built("--from", tree, "--size", "64M"))
    time.sleep(1.1)
    assert digest(built("--from", tree, "--size", "64M")) == first
    zstd = subprocess.run(["zstd", "-c", tree], check=True, capture_output=True).stdout
    for data in (TREE, gzip.compress(TREE), lzma.compress(TREE), zstd):
        assert digest(built("--from", "-", "--size", "64M", input=data)) == first
    assert digest(built("--from", tree, "--size", "65M")) != first


def test_folder(here):
    """As the tar of it."""
    folder = here / "folder"
    (folder / "sub/deep").mkdir(parents=True)
    (folder / "file").write_bytes(b"content\n")
    (folder / "sub/big").write_bytes(BIG)
    os.link(folder / "file", folder / "sub/hard")
    (folder / "link").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo", 0o600)
    with open(folder / "sparse", "wb") as file:
        file.truncate(1 << 30)
        file.seek(1 << 29)
        file.write(b"x")
    try:
        os.setxattr(folder / "file", "user.note", b"value")
    except OSError:
        pass  # not every file system has them
    subprocess.run(["tar", "--format=pax", "--xattrs", "--sparse", "-cf", "tar", "-C", folder, "."], check=True)
    disk = built("--from", folder, "--size", "64M")
    assert digest(disk) == digest(built("--from", "tar", "--size", "64M", output="other"))
    assert names(disk)["file"][2:4] == (os.geteuid(), os.getegid())
    assert names(disk)["file"][0] == names(disk, "/sub")["hard"][0]
    disk = built("--from", folder, "--owner", "root", "--size", "64M")
    assert names(disk)["file"][2:4] == (0, 0)
    disk = built("--from", folder, "--owner", "12:34", "--size", "64M")
    assert names(disk, "/sub")["big"][2:4] == (12, 34)
    link = here / "a-link"
    link.symlink_to(folder)
    assert "file" in names(built("--from", link, "--size", "64M"))


def test_many_files(here):
    """Folders of many blocks, more inodes than the size alone would bring."""
    data = archive(*(entry(f"d/{'n' * (i % 200)}{i}") for i in range(20000)))
    (here / "tar").write_bytes(data)
    disk = built("--from", "tar", "--size", "64M")
    assert len(names(disk, "/d")) == 20002


def assert_refused(result, *words, status=volt.STATUS_CONFIGURATION, left=()):
    """One line that has these words, and nothing left."""
    assert result.status == status, result
    assert len(result.lines) == 1 and result.lines[0].startswith("volt rootfs build: "), result
    for word in words:
        assert str(word) in result.lines[0], f"no {word!r} in {result.lines[0]!r}"
    assert sorted(os.listdir(".")) == sorted(left)


@pytest.mark.parametrize("options, words", [
    (["--size", "0"], ["--size", "expected a size"]),
    (["--size", "1X"], ["--size", "expected a size"]),
    (["--size", "17T"], ["more than 16 TiB"]),
    (["--suite", "sid"], ["--from is instead of --suite"]),
    (["--owner", "me"], ["--owner", "1000:1000"]),
    (["--owner", "1:-1"], ["--owner", "1000:1000"]),
    (["--owner", "4294967295:0"], ["--owner"]),
    (["--init", "x", "--no-init"], ["exclude each other"]),
    (["--init", "/nowhere"], ["--init", "/nowhere", "No such file"]),
    (["--init", "/dev/null"], ["--init", "/dev/null"]),
])
def test_bad_arguments(tree, options, words):
    assert_refused(build("--from", tree, *options), *words)


def test_output(tree, here):
    assert_refused(run(VOLT, "rootfs", "build", "--from", tree), "expected -o FILE")
    assert_refused(build("--from", tree, output="/nowhere/disk"), "/nowhere/disk", "No such file")
    assert_refused(build("--from", tree, output=here.parent), "not a regular file")
    assert_refused(build("--from", tree, output="/proc/disk"), "/proc/disk")
    pathlib.Path("disk").write_text("as before")
    assert_refused(build("--from", tree, "--size", "1M"), "too small", left=["disk"])
    assert pathlib.Path("disk").read_text() == "as before"


def test_the_named_size_is_enough(tree):
    result = build("--from", tree, "--size", "1M")
    assert_refused(result, "disk", "too small", "--size")
    least = re.search(r"--size (\d+M)", result.err).group(1)
    assert content(built("--from", tree, "--size", least), "/big") == BIG


BAD = {
    "not-there": (None, ["not-there", "No such file"]),
    "empty": (b"", ["not a tar"]),
    "text": (b"some text\n" * 100, ["not a tar"]),
    "bzip2": (b"BZh91AY&SY" + bytes(600), ["not a tar"]),
    "cut": (TREE[:len(TREE) // 2], ["Truncated"]),
    "cut-gzip": (gzip.compress(TREE)[:-40], ["cut-gzip"]),
    "up": (archive(entry("a/../../etc/passwd")), ["a/../../etc/passwd", "upwards"]),
    "hard": (archive(entry("h", tarfile.LNKTYPE, "/etc/passwd")), ["h: a hard link to a file that is not there"]),
    "loop": (archive(entry("x", tarfile.SYMTYPE, "x"), entry("x/y")), ["x/y", "more than 40 links"]),
    "parent": (archive(entry("f"), entry("f/g")), ["f/g: its folder is a file"]),
    "folder": (archive(entry("d/f"), entry("d")), ["d: is a folder with files in it"]),
    "name": (archive(entry("n" * 256)), ["a name of 256 bytes"]),
    "terminal": (archive(entry("\033[2J/..")), ["?[2J/..: its path"]),
    "init": (archive(entry("sbin/volt-init/x")), ["/sbin/volt-init: is a folder"]),
    "proc": (archive(entry("sbin")), ["/sbin/volt-init: its folder is a file"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_archive(here, name):
    data, words = BAD[name]
    path = here.parent / name
    if data is not None:
        path.write_bytes(data)
    assert_refused(build("--from", path), *words)


def test_outside_paths_are_inside(here):
    """Absolute paths and links that lead out, as tar would have them in a root of its own."""
    (here.parent / "tar").write_bytes(archive(
        entry("/abs/f", data=b"1"), entry("out", tarfile.SYMTYPE, "../../.."), entry("out/g", data=b"2"),
        entry("dup", data=b"first"), entry("dup", data=b"second")))
    disk = built("--from", here.parent / "tar")
    assert content(disk, "/abs/f") == b"1"
    assert content(disk, "/g") == b"2"
    assert content(disk, "/dup") == b"second"


def test_huge_hole(here):
    """A terabyte of nothing takes no room; one of something is refused, or read to its early end."""
    with open(here.parent / "sparse", "wb") as file:
        file.truncate(1 << 40)
    subprocess.run(["tar", "--sparse", "-cf", here.parent / "tar", "-C", here.parent, "sparse"], check=True)
    assert names(built("--from", here.parent / "tar", "--size", "16M"))["sparse"][4] == str(1 << 40)
    info, _ = entry("huge")
    info.size = 1 << 40
    (here / "disk").unlink()
    (here.parent / "tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(100000))
    assert_refused(build("--from", here.parent / "tar"), "huge: Truncated")


def test_full_file_system(tree, here):
    script = 'mount -t tmpfs -o size=1m none . && cd . && "$@"; status=$?; ls -A; exit $status'
    result = run(*volt.OWN_MOUNTS, "sh", "-c", script, "sh", VOLT, "rootfs", "build", "--from", tree, "-o", "disk",
                 cwd=here)
    assert result.status == volt.STATUS_FAILED, result
    assert "No space left on device" in result.err and len(result.lines) == 1, result
    assert result.out == b"", result


def start(*options, prefix=(), **more):
    return subprocess.Popen([*prefix, VOLT, "rootfs", "build", *options, "-o", "disk"], stderr=subprocess.PIPE, **more)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_reading(here, number):
    with start("--from", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write(TREE)
        process.stdin.flush()
        volt.wait_until(lambda: any(name.startswith("disk.") for name in os.listdir(".")), "a file")
        process.send_signal(number)
        assert process.wait(volt.LIMIT_S) == -number
        assert process.stderr.read() == b""
    assert os.listdir(".") == []


@pytest.fixture
def tool(here):
    """Writes an mmdebstrap that does as told; gives the environment in which it is found."""
    def write(script):
        folder = here.parent / "bin"
        folder.mkdir(exist_ok=True)
        path = folder / "mmdebstrap"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
        return {**ENV, "PATH": f"{folder}:{ENV['PATH']}"}
    return write


@pytest.mark.parametrize("options, words", [
    (["--suite", "-x"], ["--suite"]),
    (["--suite", "a b"], ["--suite", '" "']),
    (["--include", "a,$b"], ["--include", '"$"']),
    (["--mirror", "-"], ["--mirror", "URL"]),
])
def test_bad_debian_arguments(here, options, words):
    assert_refused(build(*options), *words)


def test_no_mmdebstrap(here):
    assert_refused(build(env={**ENV, "PATH": "/nowhere"}), "mmdebstrap", "apt-get install mmdebstrap uidmap",
                   status=volt.STATUS_FAILED)


# Root, if only in a namespace, needs no /etc/subuid: there mmdebstrap is run whoever tests.
AS_ROOT = [] if os.geteuid() == 0 else ["unshare", "-r"]


def test_what_mmdebstrap_writes(tree, tool):
    env = tool(f'echo "$@" >&2; cat {tree}')
    result = build("--suite", "sid", "--include", "a,b", "--mirror", "http://m/", env=env,
                   prefix=AS_ROOT)
    assert result.status == 0, result
    assert re.search(r"^--mode=\w+ --variant=minbase --format=tar --quiet --include=a,b sid - http://m/$", result.err,
                     re.M), result
    assert content("disk", "/file") == b"content\n"


@pytest.mark.parametrize("script, words", [
    ("exit 7", ["mmdebstrap failed with status 7"]),
    ("kill -9 $$", ["mmdebstrap was ended by signal 9"]),
    ("echo no tar", ["not a tar"]),
    ("exit 0", ["not a tar"]),
])
def test_mmdebstrap_fails(here, tool, script, words):
    result = build(env=tool(script), prefix=AS_ROOT)
    assert result.status != 0
    assert_refused(result, *words, status=result.status)


def has_ended(pid):
    """Gone, or waiting for whoever adopted it."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_mmdebstrap(here, tool, number):
    """All that it started ends, too, and is waited for."""
    env = tool('trap "sleep 0.2; exit 1" INT TERM; sh -c "echo \\$\\$ > child; exec sleep 1000" & wait; wait')
    with start(env=env, prefix=AS_ROOT) as process:
        volt.wait_until(lambda: pathlib.Path("child").exists() and pathlib.Path("child").read_text(), "a child")
        child = pathlib.Path("child").read_text().strip()
        process.send_signal(number)
        assert process.wait(volt.LIMIT_S) == -number
        assert process.stderr.read() == b""
    volt.wait_until(lambda: has_ended(child), "its child's end")
    assert os.listdir(".") == ["child"]


def can_reach_debian():
    try:
        socket.create_connection(("deb.debian.org", 80), 10).close()
        return True
    except OSError:
        return False


def test_debian(here):
    """The real thing, made once a week."""
    made = run(volt.ROOT / "tests/host/debian-image", env={**ENV, "VOLT_BUILD": str(volt.BUILD)})
    if made.status != 0 and not can_reach_debian():
        pytest.skip("deb.debian.org cannot be reached")
    assert made.status == 0, made
    disk = made.text.strip()
    checked = run("e2fsck", "-fn", disk)
    assert checked.status == 0, checked
    assert b"VERSION_CODENAME=bookworm" in content(disk, "/usr/lib/os-release")
    assert content(disk, "/sbin/volt-init") == INIT.read_bytes()
    assert {"fio", "apt", "dpkg"} <= names(disk, "/usr/bin").keys()
