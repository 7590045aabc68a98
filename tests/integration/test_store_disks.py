# SPDX-License-Identifier: Apache-2.0
"""Root disks that stellarium makes of folders and tars."""
import json
import os
import pathlib
import subprocess

import pytest

import volt
from stellar import as_json, content, make, names, ok, run, verify


@pytest.fixture
def store(here, monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin:/sbin")  # e2fsck's, of ordinary users
    ok("init", "s")
    return here


def files():
    """A folder "files", and tars of it: names."""
    folder = pathlib.Path("files")
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (folder / "big").write_bytes(make(40, 3_000_000))
    (folder / "link").symlink_to("etc/hosts")
    os.link(folder / "big", folder / "twin")
    subprocess.run(["tar", "--format=posix", "-C", "files", "-cf", "f.tar", "."], check=True)
    for packer, name in (("gzip", "f.tgz"), ("xz", "f.txz"), ("zstd", "f.bin")):
        with open(name, "wb") as out:
            subprocess.run([packer, "-c", "f.tar"], stdout=out, check=True)
    return folder, ["f.tar", "f.tgz", "f.txz", "f.bin"]


def test_a_folder_and_a_tar_become_one_disk(store):
    folder, tars = files()
    assert as_json("import", "s", "usual", folder)["size"] == 1 << 30
    made = as_json("import", "s", "folder", folder, "--size", "32M")
    assert made["from"] == "folder" and made["size"] == 32 << 20 and made["raw_new"] < 1 << 20
    for tar in tars:
        again = as_json("import", "s", tar, tar, "--size", "32M")
        assert (again["from"], again["id"], again["chunks_new"]) == ("tar", made["id"], 0)
    stream = json.loads(ok("import", "s", "stream", "-", "--tar", "--size", "32M", "--json", input=pathlib.Path("f.tgz").read_bytes()).text)
    assert stream["id"] == made["id"]
    ok("export", "s", "folder", "out")
    subprocess.run(["e2fsck", "-fn", "out"], check=True, capture_output=True)
    subprocess.run([volt.BUILD / "bin/volt", "rootfs", "build", "--from", folder, "--size", "32M", "-o", "disk"],
                   check=True, capture_output=True)
    assert subprocess.run(["cmp", "disk", "out"]).returncode == 0
    assert sorted(p.name for p in pathlib.Path("s").iterdir()) == ["format", "gc", "index", "leases", "names", "packs"]
    verify()


def test_how_a_disk_is_made_can_be_said(store):
    folder, tars = files()
    plain = as_json("import", "s", "a", folder, "--no-init", "--size", "64M", "--owner", "root")
    assert plain["size"] == 64 << 20
    ok("export", "s", "a", "out")
    shown = subprocess.run(["debugfs", "-R", "stat /sbin/volt-init", "out"], capture_output=True, text=True)
    assert "File not found" in shown.stderr
    own = as_json("import", "s", "b", "f.tar", "--init", "files/big", "--size", "64M", "--owner", "7:8")
    assert own["id"] != plain["id"]
    ok("export", "s", "b", "out")
    subprocess.run(["debugfs", "-R", "dump /sbin/volt-init got", "out"], check=True, capture_output=True)
    assert pathlib.Path("got").read_bytes() == (folder / "big").read_bytes()
    taken = run("import", "s", "a", folder)
    assert taken.status == 1 and "a: there is such an image already" in taken.err


def test_what_is_no_tar_stays_as_it_is(store):
    folder, tars = files()
    subprocess.run(["gzip", "-kf", "files/big"], check=True)
    with open("disk", "wb") as disk:
        disk.truncate(8 << 20)
    subprocess.run(["mke2fs", "-q", "disk"], check=True)
    for path in ["files/big.gz", "disk", "files/etc/hosts"]:
        assert as_json("import", "s", "a", path, "--replace")["from"] == "file"
        assert content("a") == pathlib.Path(path).read_bytes()
    for tar in tars:
        assert as_json("import", "s", "a", tar, "--raw", "--replace")["from"] == "file"
        assert content("a") == pathlib.Path(tar).read_bytes()
        ok("import", "s", "a", "-", "--replace", input=pathlib.Path(tar).read_bytes())
        assert content("a") == pathlib.Path(tar).read_bytes()


def test_a_damaged_tar_makes_no_image(store):
    files()
    whole = pathlib.Path("f.tar").read_bytes()
    pathlib.Path("f.tar").write_bytes(whole[:len(whole) // 2])
    refused = run("import", "s", "a", "f.tar")
    assert refused.status == 2 and "f.tar: " in refused.err and len(refused.lines) == 1
    assert names() == []
    verify()


def same_files(tree, disk, folder):
    """Is everything of the tree on the disk, at `folder`, with its content?"""
    subprocess.run(["debugfs", "-R", f"rdump {folder} .", disk], check=True, capture_output=True)
    return subprocess.run(["diff", "-r", tree, pathlib.Path(folder).name], capture_output=True).returncode == 0


@pytest.mark.parametrize("tar", [False, True])
def test_a_tree_of_a_kernels_headers(store, tar):
    tree = pathlib.Path("/usr/include/linux")
    subprocess.run(["mkdir", "top"], check=True)
    subprocess.run(["cp", "-a", tree, "top/headers"], check=True)
    subprocess.run(["tar", "-C", "top", "-czf", "top.tar.gz", "."], check=True)
    ok("import", "s", "headers", "top.tar.gz" if tar else "top", "--size", "64M")
    ok("export", "s", "headers", "out")
    assert same_files("top/headers", "out", "/headers")
    verify()


def test_a_disk_with_debian(store):
    image = pathlib.Path(subprocess.run([volt.ROOT / "tests/host/debian-image"], check=True, capture_output=True,
                                        text=True).stdout.strip())
    made = as_json("import", "s", "debian", image)
    assert made["from"] == "file" and made["stored_new"] < made["raw_new"] / 2
    ok("export", "s", "debian", "out")
    assert subprocess.run(["cmp", image, "out"]).returncode == 0
    holes = 4 << 20  # pages of zeros that were written are holes now, and the file system's own blocks differ
    assert os.stat("out").st_blocks * 512 <= os.stat(image).st_blocks * 512 + holes
    again = as_json("import", "s", "again", "out")
    assert again["id"] == made["id"] and again["chunks_new"] == 0
