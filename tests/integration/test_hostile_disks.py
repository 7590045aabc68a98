# SPDX-License-Identifier: Apache-2.0
"""A bare guest whose requests to a disk make no sense: each gets an error for an answer, or where there is
no room for an answer the device says that it needs a reset; nothing else changes."""
import pytest

from hostile import DISK_SIZE, attack, sector  # noqa: F401
from virtio_driver import (BLK_DISCARD, BLK_WRITE_ZEROES, DATA, HEADERS, INDIRECT, INDIRECT_DESC, IOERR, NEEDS_RESET,
                           OK, RUNS, SEGMENTS, STATUS, T_DISCARD, T_FLUSH, T_GET_ID, T_IN, T_OUT, T_WRITE_ZEROES,
                           UNANSWERED, UNSUPP, VERSION_1, WRITE, Queue)

CAPACITY = DISK_SIZE // 512
TABLE = 0x280000
MIB = 1 << 20


def untouched(attack):  # noqa: F811
    assert attack.image.read_bytes() == b"".join(map(sector, range(CAPACITY)))


def expect(attack, answers):  # noqa: F811
    """The guest got these answers, by label; as many errors were counted, and nothing was written."""
    values = attack.survive()
    assert {label: values[label] for label in answers} == answers
    assert attack.count("errors") == sum(answer != OK for answer in answers.values())
    untouched(attack)
    return values


def test_unknown_requests(attack):  # noqa: F811
    kinds = (2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 0x100, 0x10000, 0x80000000, 0x80000001, 0xFFFFFFFF)
    attack.disk.start_disk()
    for kind in kinds:
        attack.disk.ask(kind, kind)
    expect(attack, {kind: UNSUPP for kind in kinds})
    assert attack.count("others") == len(kinds)


def test_requests_without_room_for_an_answer(attack):  # noqa: F811
    disk = attack.disk
    header = disk.header(T_OUT)
    bad = [[(header, 16, 0)], [(header, 16, 0), (DATA, 512, 0)], [(header, 16, 0), (DATA, 512, 0), (DATA, 0, WRITE)]]
    for buffers in bad:
        disk.start_disk()
        disk.break_with(*buffers)
    attack.survive()
    assert attack.count("broken") == len(bad)
    untouched(attack)


def test_requests_without_a_whole_header(attack):  # noqa: F811
    disk = attack.disk
    disk.start_disk()
    answers = {}
    for length in (0, 1, 15):
        buffers, status = disk.buffers(T_OUT)
        disk.submit_and_read(length, [(buffers[0][0], length, 0), (status, 1, WRITE)], status)
        answers[length] = IOERR
    buffers, status = disk.buffers(T_IN)
    disk.submit_and_read("writable", [(buffers[0][0], 16, WRITE), *buffers[1:]], status)
    disk.submit_and_read("only an answer", [(status, 1, WRITE)], status)
    expect(attack, {**answers, "writable": IOERR, "only an answer": IOERR})


@pytest.mark.parametrize("parts", [(8, 8), (1, 15), (15, 1), (4, 4, 8), (1,) * 16])
def test_a_header_in_parts(attack, parts):  # noqa: F811
    """Legal: the driver frames its messages as it wants (2.7.4)."""
    disk = attack.disk
    disk.queue = Queue(disk, size=32)
    disk.start_disk()
    buffers, status = disk.buffers(T_IN, 7)
    places = [(buffers[0][0] + sum(parts[:i]), part, 0) for i, part in enumerate(parts)]
    disk.submit_and_read("answer", [*places, *buffers[1:]], status)
    attack.program.read("data", DATA)
    assert expect(attack, {"answer": OK})["data"] == int.from_bytes(sector(7)[:4], "little")


def test_header_data_and_answer_in_one_buffer_each(attack):  # noqa: F811
    """What is to be written in the header's buffer; the answer at the end of the data's."""
    disk = attack.disk
    disk.start_disk()
    header, _ = disk.buffers(T_IN, 7)
    attack.program.write(DATA + 512, UNANSWERED, 1)
    disk.submit_and_read("in", [(header[0][0], 16, 0), (DATA, 513, WRITE)], DATA + 512)
    attack.program.read("data", DATA)
    attack.program.fill(DATA, (T_OUT).to_bytes(8, "little") + (7).to_bytes(8, "little") + sector(7))
    status = disk.status_byte()
    disk.submit_and_read("out", [(DATA, 528, 0), (status, 1, WRITE)], status)
    assert expect(attack, {"in": OK, "out": OK})["data"] == int.from_bytes(sector(7)[:4], "little")


BEYOND = [(CAPACITY, 512), (CAPACITY - 1, 1024), (CAPACITY + 1, 512), (1 << 32, 512), (1 << 54, 512), (1 << 55, 512),
          (1 << 63, 512), ((1 << 64) - 1, 512), ((1 << 64) - 1, 1024), ((1 << 55) - 1, 1024), (0, DISK_SIZE + 512),
          (1, DISK_SIZE), (0, 64 * MIB)]


@pytest.mark.parametrize("kind", [T_IN, T_OUT])
def test_sectors_that_do_not_exist(attack, kind):  # noqa: F811
    """Also where sector times 512, or sector plus length, wraps."""
    attack.disk.start_disk()
    for at, length in BEYOND:
        attack.disk.ask((at, length), kind, at, data=[(DATA, length)])
    expect(attack, {place: IOERR for place in BEYOND})
    assert attack.count("read_bytes") == 512 and attack.count("written_bytes") == 0  # the last one's


@pytest.mark.parametrize("kind", [T_IN, T_OUT])
def test_lengths_that_are_no_sectors(attack, kind):  # noqa: F811
    lengths = (1, 511, 513, 1023, 4095)
    attack.disk.start_disk()
    for length in lengths:
        attack.disk.ask(length, kind, data=[(DATA, length)])
    attack.disk.ask("none", kind, data=[])
    attack.disk.ask("parts", T_IN, data=[(DATA, 100), (DATA + 100, 411), (DATA + 511, 1)])
    expect(attack, {**{length: IOERR for length in lengths}, "none": OK, "parts": OK})


def test_giant_lengths(attack):  # noqa: F811
    """Up to 4 GiB less one in all, from the same memory over and over; more than that breaks the rules."""
    disk, program = attack.disk, attack.program
    for count in (63, 64):
        disk.start_disk(VERSION_1 | INDIRECT_DESC)
        buffers, status = disk.buffers(T_OUT, data=[(0, 64 * MIB)] * count)
        disk.queue.chain(*buffers, table=TABLE)
        disk.queue.describe(0, TABLE, 16 * len(buffers), INDIRECT)
        disk.queue.submit(0)
        if count == 63:
            disk.queue.wait_used()
            program.read("answer", status, 1)
        else:
            disk.wait_status(RUNS | NEEDS_RESET)
    expect(attack, {"answer": IOERR})
    assert attack.count("broken") == 1


def test_as_much_as_there_is(attack):  # noqa: F811
    """The whole disk in one request of as many buffers as are allowed; one more breaks the rules."""
    disk = attack.disk
    for more in (0, 1):
        disk.start_disk(VERSION_1 | INDIRECT_DESC)
        data = [(DATA + 4096 * i, 4096) for i in range(SEGMENTS - 1)]
        last, rest = DATA + 4096 * (SEGMENTS - 1), DISK_SIZE - 4096 * (SEGMENTS - 1)
        data += [(last, 4096), (last + 4096, rest - 4096)] if more else [(last, rest)]
        buffers, status = disk.buffers(T_IN, data=data)
        disk.queue.chain(*buffers, table=TABLE)
        disk.queue.describe(0, TABLE, 16 * len(buffers), INDIRECT)
        disk.queue.submit(0)
        if more:
            disk.wait_status(RUNS | NEEDS_RESET)
        else:
            disk.queue.wait_used()
            attack.program.read("answer", status, 1)
            attack.program.read("last", DATA + DISK_SIZE - 512)
    values = expect(attack, {"answer": OK})
    assert values["last"] == int.from_bytes(sector(CAPACITY - 1)[:4], "little")


def test_id_into_odd_buffers(attack):  # noqa: F811
    disk = attack.disk
    disk.start_disk()
    attack.program.fill(DATA, b"\xEE" * 64)
    for label, data in (("none", []), ("one", [(DATA, 1)]), ("long", [(DATA, 32)]), ("giant", [(DATA + 4096, 64 * MIB)]),
                        ("parts", [(DATA + 32, 3), (DATA + 40, 17)])):
        disk.ask(label, T_GET_ID, data=data)
    attack.program.read("id", DATA)
    attack.program.read("behind", DATA + 20)
    attack.program.read("part", DATA + 40)
    values = expect(attack, dict.fromkeys(("none", "one", "long", "giant", "parts"), OK))
    assert values["id"] == int.from_bytes(b"vict", "little") and values["behind"] == 0xEEEEEEEE
    assert values["part"] == int.from_bytes(b"tim\0", "little")


def test_flush_with_anything(attack):  # noqa: F811
    attack.disk.start_disk()
    for at in (0, CAPACITY, (1 << 64) - 1):
        attack.disk.ask(at, T_FLUSH, at, data=[(DATA, 12345)])
    expect(attack, {0: OK, CAPACITY: OK, (1 << 64) - 1: OK})


RANGES = [(CAPACITY, 1, 0), (CAPACITY - 1, 2, 0), (0, CAPACITY + 1, 0), (0, 0xFFFFFFFF, 0), (0, 1 << 21 | 1, 0),
          ((1 << 64) - 1, 1, 0), ((1 << 64) - 1, 2, 0), (1 << 55, 8, 0), (1 << 63, 8, 0), (0, 8, 2), (0, 8, 0x80000000),
          (0, 8, 0xFFFFFFFE), (0, 8, 0xFFFFFFFF)]


@pytest.mark.parametrize("kind,feature", [(T_DISCARD, BLK_DISCARD), (T_WRITE_ZEROES, BLK_WRITE_ZEROES)])
def test_ranges_to_discard_or_zero(attack, kind, feature):  # noqa: F811
    """Beyond the disk, wrapping, too long, with unknown flags, more than one, and parts of one."""
    disk = attack.disk
    disk.start_disk(VERSION_1 | feature)
    for i, (at, count, flags) in enumerate(RANGES):
        attack.program.fill(DATA, at.to_bytes(8, "little") + count.to_bytes(4, "little") + flags.to_bytes(4, "little"))
        disk.ask(i, kind, data=[(DATA, 16)])
    attack.program.fill(DATA, bytes(32))
    for length in (0, 1, 15, 17, 32, 16 * MIB):
        disk.ask(f"length {length}", kind, data=[(DATA, length)])
    disk.ask("none", kind, data=[(DATA, 16)])
    disk.get("status", STATUS)
    values = attack.survive()
    if values["status"] == RUNS:  # else the file system cannot, and the feature was not there to accept
        assert {values[i] for i in range(len(RANGES))} <= {IOERR, UNSUPP}
        assert [values[f"length {n}"] for n in (0, 1, 15, 17, 32, 16 * MIB)] == [IOERR] * 6
        assert values["none"] == OK
    untouched(attack)


@pytest.mark.parametrize("kind,feature", [(T_DISCARD, BLK_DISCARD), (T_WRITE_ZEROES, BLK_WRITE_ZEROES)])
def test_a_range_that_is_there(attack, kind, feature):  # noqa: F811
    disk = attack.disk
    disk.start_disk(VERSION_1 | feature)
    attack.program.fill(DATA, (8).to_bytes(8, "little") + (8).to_bytes(4, "little") + bytes(4))
    disk.ask("range", kind, data=[(DATA, 16)])
    disk.get("status", STATUS)
    values = attack.run()
    if values["status"] == RUNS:
        assert values["range"] == OK
        assert attack.image.read_bytes()[8 * 512:16 * 512] == bytes(8 * 512)


@pytest.mark.parametrize("kind", [T_DISCARD, T_WRITE_ZEROES])
def test_discard_and_zeroes_without_their_feature(attack, kind):  # noqa: F811
    attack.disk.start_disk()
    attack.program.fill(DATA, bytes(8) + (8).to_bytes(8, "little"))
    attack.disk.ask("answer", kind, data=[(DATA, 16)])
    expect(attack, {"answer": UNSUPP})


@pytest.mark.parametrize("mode", [0o644, 0o444])
def test_a_read_only_disk(attack, mode):  # noqa: F811
    """Nothing changes it, whatever was negotiated."""
    attack.drive += ",readonly=on"
    attack.image.chmod(mode)
    disk = attack.disk
    disk.start_disk()
    attack.program.fill(DATA, bytes(8) + (8).to_bytes(8, "little"))
    answers = {}
    for kind in (T_OUT, T_DISCARD, T_WRITE_ZEROES, 0x80000001):
        disk.ask(kind, kind, data=[(DATA, 16 if kind in (T_DISCARD, T_WRITE_ZEROES) else 512)])
        answers[kind] = IOERR if kind == T_OUT else UNSUPP
    disk.ask("flush", T_FLUSH)
    expect(attack, {**answers, "flush": OK})
    assert attack.count("written_bytes") == 0


def test_features_of_a_disk_that_can_be_written(attack):  # noqa: F811
    """A read-only disk does not offer to discard; asking for it all the same is refused."""
    attack.drive += ",readonly=on"
    disk = attack.disk
    disk.negotiate(VERSION_1 | BLK_DISCARD | BLK_WRITE_ZEROES)
    disk.get("status", STATUS)
    assert attack.survive()["status"] == 3


def test_every_type_with_every_shape(attack):  # noqa: F811
    """All requests with data before and behind, writable and not, none and much: each is answered."""
    disk = attack.disk
    shapes = [[], [(DATA, 16, 0)], [(DATA, 512, 0)], [(DATA, 512, WRITE)], [(DATA, 16, 0), (DATA, 512, WRITE)],
              [(DATA, 1, 0), (DATA, 1, WRITE)], [(HEADERS, 4096, 0), (HEADERS, 4096, WRITE)]]
    disk.start_disk()
    labels = []
    for kind in range(16):
        for i, shape in enumerate(shapes):
            header, status = disk.header(kind, CAPACITY - 1), disk.status_byte()
            labels.append((kind, i))
            disk.submit_and_read(labels[-1], [(header, 16, 0), *shape, (status, 1, WRITE)], status)
    values = attack.survive()
    assert {values[label] for label in labels} <= {OK, IOERR, UNSUPP}
    assert attack.count("broken") == 0


@pytest.mark.parametrize("limit", ["ops=20,ops-burst=2", "rate=1K,burst=512"])
def test_reset_of_a_queue_that_waits_for_its_rate(attack, limit):  # noqa: F811
    attack.drive += f",{limit}"
    disk = attack.disk
    for _ in range(50):
        disk.start_disk()
        disk.queue.chain(*disk.buffers(T_IN)[0])
        disk.queue.submit(*[0] * 8)
        disk.queue.notify()
    attack.disk.reset()
    attack.run()
    assert attack.count("broken") == 0
