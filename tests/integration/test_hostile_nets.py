# SPDX-License-Identifier: Apache-2.0
"""A bare guest that misuses a NIC's queues: what makes no sense is dropped and counted, or the device says that
it needs a reset; the monitor, built with ASan and UBSan, goes on, and after a reset a frame reaches the host."""
import struct

import pytest

import volt
from hostile import SANITIZERS, UNCONFINED, asan_vmm
from netns import network  # noqa: F401
from virtio_driver import (DATA, HEADERS, INDIRECT, INDIRECT_DESC, NEEDS_RESET, NEXT, RINGS, RUNS, UNANSWERED, VERSION_1,
                           WRITE, Device, Program, Queue)

MEMORY = 128 << 20  # by default
MIB = 1 << 20
RX, TX, CONTROL = range(3)
CSUM, TSO4, TSO6, ECN, MRG_RXBUF, CTRL_VQ, CTRL_MAC, MQ = (1 << bit for bit in (0, 11, 12, 13, 15, 17, 23, 22))
FEATURES = VERSION_1 | CSUM | TSO4 | TSO6 | ECN | MRG_RXBUF | CTRL_VQ | CTRL_MAC
ANSWER = DATA - 16
TABLE = 0x280000
FRAME_LEN = 60


class Attack:
    """A guest's program against one NIC, number 0, and how it ended."""

    def __init__(self, folder, network, monkeypatch):  # noqa: F811
        self.folder, self.network, self.monkeypatch = folder, network, monkeypatch
        self.program, self.net = Program(), "tap=t0,id=victim"
        self.nic = Device(self.program, 0)
        self.queues = [Queue(self.nic, i, at=RINGS + 0x4000 * i) for i in range(3)]
        self.rx, self.tx, self.control = self.queues

    def start(self, features=FEATURES):
        self.nic.start(*self.queues, features=features)

    def header(self, flags=0, kind=0, length=0, size=0, start=0, offset=0):
        self.program.fill(HEADERS, struct.pack("<BBHHHHH", flags, kind, length, size, start, offset, 0))

    def send(self, length=FRAME_LEN, **header):
        """A frame, and its chain has come back."""
        self.header(**header)
        self.tx.submit(self.tx.chain((HEADERS, 12, 0), (DATA, length, 0)))
        self.tx.wait_used()

    def command(self, label, *data):
        self.program.fill(HEADERS + 0x100, bytes(data) + bytes(-len(data) % 4))
        self.program.write(ANSWER, UNANSWERED, 1)
        self.control.submit(self.control.chain((HEADERS + 0x100, len(data), 0), (ANSWER, 1, WRITE)))
        self.control.wait_used()
        self.program.read(label, ANSWER, 1)

    def broken(self):
        self.nic.wait_status(RUNS | NEEDS_RESET)

    def survive(self, *options):
        """The guest does it all, then a frame after a reset, and powers off."""
        self.start()
        self.send()
        self.monkeypatch.setattr(volt, "VMM", asan_vmm())
        for name, value in SANITIZERS.items():
            self.monkeypatch.setenv(name, value)
        result = self.program.run(self.folder, *UNCONFINED, "--net", self.net, "--metrics-path", self.folder / "metrics", *options,
                                  prefix=self.network.prefix)
        assert result.status == 0, result
        assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
        self.metrics = volt.metrics(self.folder / "metrics")
        return self.program.values(result.out)

    def count(self, name):
        return self.metrics["nets"]["victim"][name]


@pytest.fixture
def attack(tmp_path, network, monkeypatch):  # noqa: F811
    return Attack(tmp_path, network, monkeypatch)


def test_frames(attack):
    attack.start()
    for i in range(20):
        attack.send(14 + 60 * i)
    attack.survive()
    assert attack.count("tx_packets") == 21 and attack.count("tx_bytes") == sum(14 + 60 * i for i in range(20)) + 60
    assert attack.count("tx_bad_headers") == 0 and attack.count("broken") == 0


BAD_HEADERS = [
    {"length": 13}, {"length": 1}, {"length": 65535 + 19}, {"length": MIB}, {"length": 64 * MIB},
    {"flags": 1, "start": FRAME_LEN - 1}, {"flags": 1, "start": 0xFFFF, "offset": 0xFFFF}, {"flags": 1, "offset": FRAME_LEN - 1},
    {"flags": 1, "start": 34, "offset": 0xFFFE}, {"kind": 1}, {"kind": 1, "size": 1448}, {"flags": 1, "kind": 1, "size": 0},
    {"flags": 1, "kind": 2, "size": 9}, {"flags": 1, "kind": 3, "size": 9}, {"flags": 1, "kind": 5, "size": 9},
    {"flags": 1, "kind": 0x80, "size": 9}, {"flags": 1, "kind": 0x83, "size": 9}, {"flags": 1, "kind": 0xFF, "size": 9},
]


def test_headers_that_make_no_sense(attack):
    """DPDK's CVE-2024-11614, and its like: dropped, counted, and each chain comes back."""
    attack.start()
    for bad in BAD_HEADERS:
        length = bad.get("length", FRAME_LEN)
        attack.send(length, **{key: value for key, value in bad.items() if key != "length"})
    attack.send(kind=1, flags=1, size=9, length=FRAME_LEN, start=34, offset=16)
    attack.survive()
    assert attack.count("tx_bad_headers") == len(BAD_HEADERS) and attack.count("broken") == 0


def test_offloads_that_were_not_agreed_on(attack):
    attack.start(VERSION_1)
    attack.send(flags=1, start=34, offset=16)
    attack.start(VERSION_1 | CSUM)
    attack.send(flags=1, kind=1, size=1000, start=34, offset=16)
    attack.send(flags=1, start=34, offset=16)
    attack.survive()
    assert attack.count("tx_bad_headers") == 2


def test_a_header_in_parts(attack):
    attack.start()
    attack.header()
    for parts in ((1, 11), (11, 1), (6, 6), (4, 4, 4)):
        places = [(HEADERS + sum(parts[:i]), part, 0) for i, part in enumerate(parts)]
        attack.tx.submit(attack.tx.chain(*places, (DATA, FRAME_LEN, 0)))
        attack.tx.wait_used()
    for length in (12, 12 + FRAME_LEN):  # with all of the frame, and with nothing behind it
        attack.tx.submit(attack.tx.chain((HEADERS, length, 0)))
        attack.tx.wait_used()
    attack.tx.submit(attack.tx.chain((HEADERS, 7, 0)))
    attack.tx.wait_used()
    attack.tx.submit(attack.tx.chain((DATA, 100, WRITE)))  # nothing to send
    attack.tx.wait_used()
    attack.survive()
    assert attack.count("tx_packets") == 6 and attack.count("tx_bad_headers") == 3 and attack.count("broken") == 0


BAD_BUFFERS = [(MEMORY, 64), (MEMORY - 1, 64), (0, MEMORY + 1), (0xC0000000, 64), (1 << 63, 64), ((1 << 64) - 1, 64),
               ((1 << 64) - 32, 64)]


@pytest.mark.parametrize("index", [RX, TX, CONTROL])
def test_chains_that_break_the_rules(attack, index):
    """Each queue: no memory, loops, heads and indices out of range."""
    queue, count = attack.queues[index], 0
    flags = WRITE if index == RX else 0

    def breaks(prepare):
        nonlocal count
        attack.start()
        prepare()
        queue.notify()
        attack.broken()
        count += 1

    for place in BAD_BUFFERS:
        breaks(lambda: queue.offer(queue.chain((*place, flags))))
    breaks(lambda: (queue.describe(0, DATA, 64, NEXT | flags, 0), queue.offer(0)))
    for head in (8, 255, 0xFFFF):
        breaks(lambda: queue.offer(head))
    for value in (9, 0x8000, 0xFFFF):
        breaks(lambda: queue.set_index(value))
    breaks(lambda: (queue.describe(0, DATA, 64, NEXT | flags, 9), queue.offer(0)))
    attack.survive()
    assert attack.count("broken") == count


def test_receive_buffers_without_room(attack):
    bad = [[(DATA, 11, WRITE)], [(DATA, 0, WRITE)], [(DATA, 2048, 0)], [(DATA, 12, 0), (DATA, 2048, WRITE)],
           [(DATA, 5, WRITE), (DATA + 5, 6, WRITE)]]
    for buffers in bad:
        attack.start()
        attack.rx.submit(attack.rx.chain(*buffers))
        attack.broken()
    attack.survive()
    assert attack.count("broken") == len(bad)


def test_giant_receive_buffers(attack):
    """All of memory, many times over; and the device's own rings among it."""
    attack.start(FEATURES | INDIRECT_DESC)
    for i in range(8):
        attack.rx.chain(*[(0, MEMORY, WRITE)] * 31, table=TABLE + 0x1000 * i)
        attack.rx.describe(i, TABLE + 0x1000 * i, 16 * 31, INDIRECT)
    attack.rx.submit(*range(8))
    attack.nic.reset()
    attack.survive()
    assert attack.count("broken") == 0


def test_commands(attack):
    """Known ones with every wrong length, unknown ones: each has an answer, and it is 1."""
    wrong = [(0,), (0, 0), (0, 0, 1, 1), (0, 9, 1), (1,), (1, 0), (1, 0, 0, 0, 0, 0), (1, 0, 255, 255, 255, 255, 0, 0, 0, 0),
             (1, 0, 0, 0, 0, 0, 255, 255, 255, 255), (1, 0, 0, 0, 0, 64, 0, 0, 0, 0), (1, 1, 2, 0, 0, 0, 0),
             (1, 1, 1, 0, 0, 0, 0, 0), (1, 1, 255, 255, 255, 255, 255, 255), (1, 9), (2, 0, 1, 0), (3, 0), (4, 0, 1, 0), (5, 0),
             (255, 255)]
    attack.start()
    for data in wrong:
        attack.command(data, *data)
    for data in ((0, 0, 1), (1, 0, 0, 0, 0, 0, 0, 0, 0, 0), (1, 1, 2, 0, 0, 0, 0, 9)):
        attack.command(data, *data)
    values = attack.survive()
    assert all(answer == (data not in wrong) ^ 1 for data, answer in values.items())
    assert attack.count("refused_commands") == len(wrong) and attack.count("commands") == len(wrong) + 3


@pytest.mark.parametrize("threads", ["", ",iothreads=2"])
def test_pairs(attack, threads):
    attack.net += ",queues=2" + threads
    attack.control.index = 4
    attack.start(FEATURES | MQ)
    for pairs, answer in ((1, 0), (2, 0), (0, 1), (3, 1), (0x8000, 1), (0xFFFF, 1), (1, 0), (2, 0)):
        attack.command((pairs, len(attack.program.labels), answer), 4, 0, pairs & 0xFF, pairs >> 8)
    attack.control.index = 2  # as survive() has it: one pair
    values = attack.survive()
    assert all(label[2] == answer for label, answer in values.items())


def test_commands_without_room_for_an_answer(attack):
    for buffers in ([(DATA, 3, 0)], [(DATA, 3, 0), (DATA, 0, WRITE)]):
        attack.start()
        attack.control.submit(attack.control.chain(*buffers))
        attack.broken()
    attack.survive()
    assert attack.count("broken") == 2


@pytest.mark.parametrize("limit", ["rx-packets=20,rx-packets-burst=1", "tx-packets=20,tx-packets-burst=1", "tx-rate=1K,tx-burst=1"])
def test_reset_of_a_queue_that_waits_for_its_rate(attack, limit):
    attack.net += f",{limit}"
    for _ in range(20):
        attack.start()
        attack.header()
        attack.rx.submit(attack.rx.chain((DATA, 2048, WRITE)))
        attack.tx.chain((HEADERS, 12, 0), (DATA, FRAME_LEN, 0))
        attack.tx.submit(*[0] * 8)
    attack.survive()
    assert attack.count("broken") == 0


def test_a_header_that_changes_while_it_is_checked(attack):
    """Another processor writes good and bad values in turn: what is checked is what is used."""
    attack.start()
    attack.header(flags=1, start=34, offset=16)
    attack.program.start_next_processor([f"h{HEADERS + 6:x}=ffff", f"h{HEADERS + 6:x}=22",
                                         f"w{attack.tx.desc + 8:x}=40000000", f"w{attack.tx.desc + 8:x}=c"])
    for _ in range(200):
        attack.start()
        attack.tx.chain((HEADERS, 12, 0), (DATA, FRAME_LEN, 0))
        attack.tx.submit(*[0] * 8)
    # That one goes on: the last frame has its descriptors elsewhere.
    attack.tx.desc += 0x44000
    attack.survive("--cpus", "2")
