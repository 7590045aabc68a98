# SPDX-License-Identifier: Apache-2.0
"""
A snapshot of each format, which loads for ever: states/snapshot-N, of a guest with two processors, two disks, a NIC and an entropy
source, whose queues run. Run by hand this writes the one of today's format, in place of none:

    python3 tests/integration/golden.py tests/integration/states/snapshot-N

`state` is as volt-vmm wrote it; memory, disks and the read-only disk, which a snapshot only refers to, are packed by xz.
"""
import lzma
import os
import pathlib
import shutil
import struct
import sys

import snapshots
import volt
from netns import Network
from virtio_driver import DATA, HEADERS, RINGS, T_IN, T_OUT, VERSION_1, WRITE, Device, Disk, Program, Queue

STATES = pathlib.Path(__file__).parent / "states"
PLACE = pathlib.Path("/tmp/volt-golden")  # what is in the state of paths
SECTOR = 512
CONTENT = bytes(i * 7 % 251 for i in range(SECTOR))
SPARE = DATA + 0x1000
FRAME = 60
OPTIONS = ["--memory", "4M", "--cpus", "2", "--pit", "on", "--drive", f"id=data,path={PLACE}/data", "--drive",
           f"id=fixed,path={PLACE}/fixed,readonly=on", "--net", "id=lan,tap=t0,mac=02:00:00:00:00:05"]


class Guest:
    """Its program: devices are set up and used; then it waits for a byte, and uses them again."""

    def __init__(self):
        self.program = Program()
        self.data, self.fixed = Disk(self.program, 0), Disk(self.program, 1)
        self.fixed.queue = Queue(self.fixed, at=RINGS + 0x4000)
        self.nic, self.rng = Device(self.program, 2), Device(self.program, 3)
        self.rx, self.tx = (Queue(self.nic, i, at=RINGS + 0x8000 + 0x4000 * i) for i in range(2))
        self.random = Queue(self.rng, at=RINGS + 0x10000)

    def send(self):
        self.tx.submit(self.tx.chain((HEADERS + 0x800, 12, 0), (DATA, FRAME, 0)))
        self.tx.wait_used()

    def draw(self):
        self.random.submit(self.random.chain((SPARE + 0x800, 16, WRITE)))
        self.random.wait_used()

    def before(self):
        self.program.fill(DATA, CONTENT)
        self.data.start_disk()
        self.fixed.start_disk()
        self.data.ask("write", T_OUT, 1)
        self.nic.start(self.rx, self.tx, features=VERSION_1)
        self.rx.submit(self.rx.chain((SPARE + 0x1000, 2048, WRITE)))
        self.program.fill(HEADERS + 0x800, bytes(12))
        self.send()
        self.rng.start(self.random)
        self.draw()
        self.program.start_next_processor(["w3f0000=1"])
        self.program.wait(0x3F0000, 1)

    def after(self):
        self.program.write(0x3F0000, 0)
        self.program.wait(0x3F0000, 1)
        for disk, name, sector in (self.data, "data", 1), (self.fixed, "fixed", 0):
            self.program.write(SPARE, 0)
            disk.ask(name, T_IN, sector, data=((SPARE, SECTOR),))
            self.program.read(name + " content", SPARE + 4)
        self.send()
        self.draw()

    def text(self):
        self.before()
        self.program.words += ["!", "x"]
        self.program.labels = []  # what is printed before is not of those who go on
        self.after()
        return self.program.text(volt.POWEROFF)


def expected():
    """What it prints when it goes on: answers of disks, and of what is on them."""
    word = struct.unpack_from("<I", CONTENT, 4)[0]
    return {"data": 0, "data content": word, "fixed": 0, "fixed content": word ^ 0xFFFFFFFF}


def pack(source, target):
    target.write_bytes(lzma.compress(source.read_bytes(), preset=9))


def unpack(path, folder):
    """The snapshot in `folder`, and beside it the disk that it refers to."""
    folder.mkdir()
    (folder / "disks").mkdir()
    shutil.copy(path / "state", folder)
    for name, to in ("memory", folder / "memory"), ("data", folder / "disks/data"), ("fixed", folder.parent / "fixed"):
        to.write_bytes(lzma.decompress((path / (name + ".xz")).read_bytes()))


def main(path):
    path = pathlib.Path(path).resolve()
    path.mkdir()
    PLACE.mkdir()
    os.chdir(PLACE)
    shutil.copy(volt.guest("do"), "do")
    pathlib.Path("words").write_bytes(Guest().text())
    pathlib.Path("data").write_bytes(bytes(1 << 16))
    pathlib.Path("fixed").write_bytes(bytes(b ^ 0xFF for b in CONTENT) + bytes(1 << 16))
    network = Network()
    with snapshots.start("--initrd", "words", *OPTIONS, kernel=PLACE / "do", prefix=network.prefix):
        snapshots.save("snaps/a")
    network.close()
    shutil.copy("snaps/a/state", path)
    for name, source in ("memory", "snaps/a/memory"), ("data", "snaps/a/disks/data"), ("fixed", "fixed"):
        pack(pathlib.Path(source), path / (name + ".xz"))
    shutil.rmtree(PLACE)


if __name__ == "__main__":
    main(sys.argv[1])
