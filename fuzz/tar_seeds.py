#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the seeds of rootfs_tar_fuzz.c to corpus/rootfs_tar: small archives in every format."""
import gzip
import io
import lzma
import pathlib
import tarfile

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus/rootfs_tar"

ACL = "user::rw-,user:who:r--:9,group::r--,mask::r--,other::---"


def entry(name, kind=tarfile.REGTYPE, link="", size=0, **more):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mtime = kind, link, size, 1234567890
    for key, value in more.items():
        setattr(info, key, value)
    return info


def archive(*entries, kind=tarfile.USTAR_FORMAT):
    """Each entry with as many bytes as it says."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as tar:
        for info in entries:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
    # Without the padding to 10 KiB: the two blocks of zeros that end it are enough.
    return out.getvalue().rstrip(b"\0").ljust(tar.offset // 512 * 512, b"\0")


def sparse():
    """GNU's old form: 1 byte at 0 and one at 1 MiB."""
    head = bytearray(entry("sparse", size=2).tobuf(tarfile.GNU_FORMAT))
    head[156:157] = b"S"
    head[386:482] = b"".join(b"%011o\0%011o\0" % pair for pair in ((0, 1), (1 << 20, 1), (0, 0), (0, 0)))
    head[483:495] = b"%011o\0" % ((1 << 20) + 1)
    head[148:156] = b" " * 8
    head[148:155] = b"%06o\0" % sum(head)
    return bytes(head) + b"xy".ljust(512, b"\0") + bytes(1024)


TREE = archive(entry("d", tarfile.DIRTYPE, mode=0o755), entry("d/f", size=600, uid=1000, gid=7),
               entry("l", tarfile.SYMTYPE, "d"), entry("l/g", size=1), entry("h", tarfile.LNKTYPE, "d/f"),
               entry("p", tarfile.FIFOTYPE), entry("c", tarfile.CHRTYPE, devmajor=1, devminor=3),
               entry("b", tarfile.BLKTYPE, devmajor=259, devminor=70000), entry("d/f", size=3))
SEEDS = {
    "tree": TREE,
    "gzip": gzip.compress(TREE, mtime=0),
    "xz": lzma.compress(TREE),
    "gnu-long": archive(entry("n" * 120 + "/f", size=9), entry("s", tarfile.SYMTYPE, "t" * 150),
                        kind=tarfile.GNU_FORMAT),
    "pax": archive(entry("näme", size=4, mtime=1.25, pax_headers={
        "SCHILY.xattr.user.a": "b", "SCHILY.xattr.security.capability": "c" * 20, "SCHILY.acl.access": ACL,
        "SCHILY.acl.default": ACL}), kind=tarfile.PAX_FORMAT),
    "bad-acl": archive(entry("f", pax_headers={"SCHILY.xattr.system.posix_acl_access": "not one"}),
                       kind=tarfile.PAX_FORMAT),
    "long-attribute": archive(entry("g", pax_headers={"SCHILY.xattr.user." + "n" * 300: "v"}),
                              kind=tarfile.PAX_FORMAT),
    "sparse": sparse(),
    "up": archive(entry("a/../../b")),
    "loop": archive(entry("x", tarfile.SYMTYPE, "y"), entry("y", tarfile.SYMTYPE, "x/z"), entry("x/f")),
    "missing": archive(entry("h", tarfile.LNKTYPE, "none")),
    "init": archive(entry("sbin", tarfile.SYMTYPE, "usr/sbin"), entry("usr/sbin/volt-init", size=5)),
}


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, data in SEEDS.items():
        (CORPUS / name).write_bytes(data)


main()
