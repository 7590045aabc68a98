# SPDX-License-Identifier: Apache-2.0
"""A bare guest whose queues break the rules: each time the device says that it needs a reset, the guest
goes on, and after the reset the device works."""
import os

import pytest

import volt
from hostile import attack  # noqa: F401
from virtio_driver import (DATA, EVENT_IDX, INDIRECT, INDIRECT_DESC, NEEDS_RESET, NEXT, OK, QUEUE_NOTIFY, QUEUE_READY,
                           RINGS, RUNS, SEGMENTS, STATUS, T_IN, T_OUT, VERSION_1, WRITE, Device, Queue)

MEMORY = 128 << 20
TABLE = 0x280000  # an indirect one
OTHER_RINGS = 0x2A0000


def broken_by(attack, variants, *options, features=VERSION_1):  # noqa: F811
    """Each of the variants, a function of the disk, breaks a rule; the device works in the end."""
    for variant in variants:
        attack.disk.start_disk(features)
        variant(attack.disk)
        attack.disk.wait_status(RUNS | NEEDS_RESET)
        attack.disk.queue.notify()  # nothing happens any more
    values = attack.survive(*options)
    assert attack.count("broken") == len(variants)
    assert "the device waits for a reset" in attack.log
    return values


def submitting(*buffers, head=0):
    """A variant that submits these descriptors, each (address, length, flags[, next])."""
    def variant(disk):
        for slot, (address, length, flags, *next) in enumerate(buffers):
            disk.queue.describe(slot, address, length, flags, *next)
        disk.queue.submit(head)
    return variant


def loop(*order, length, flags=0):
    """Descriptors that lead around in a circle."""
    def variant(disk):
        for slot, following in zip(order, order[1:] + order[:1]):
            disk.queue.describe(slot, DATA, length, NEXT | flags, following)
        disk.queue.submit(order[0])
    return variant


def test_descriptor_loops(attack):  # noqa: F811
    broken_by(attack, [loop(*order, length=length, flags=flags)
                       for order in ((0,), (7,), (0, 1), (3, 5, 1), tuple(range(8)))
                       for length in (0, 16, 4096) for flags in (0, WRITE)])


def test_a_head_out_of_range(attack):  # noqa: F811
    broken_by(attack, [submitting((DATA, 16, 0), head=head) for head in (8, 9, 255, 256, 0x7FFF, 0x8000, 0xFFFF)])


def test_a_next_out_of_range(attack):  # noqa: F811
    broken_by(attack, [submitting((DATA, 16, NEXT, next)) for next in (8, 256, 0x7FFF, 0x8000, 0xFFFF)])


def test_an_available_index_that_jumps(attack):  # noqa: F811
    """The driver says that there is more than fits: QEMU's CVE-2016-5403, Firecracker's self-denial."""
    def jump(value):
        def variant(disk):
            disk.queue.chain(*disk.buffers(T_IN)[0])
            disk.queue.set_index(value)
            disk.queue.notify()
        return variant
    broken_by(attack, [jump(value) for value in (9, 16, 256, 0x7FFF, 0x8000, 0xFFFF)])


def test_an_available_index_that_goes_back(attack):  # noqa: F811
    def variant(disk):
        disk.ask("fine", T_IN)
        disk.queue.set_index(0)
        disk.queue.notify()
    assert broken_by(attack, [variant])["fine"] == OK


BAD_BUFFERS = [
    (MEMORY, 1), (MEMORY - 1, 2), (MEMORY - 4096, 8192), (0, MEMORY + 1), (0, 0xFFFFFFFF), (MEMORY - 16, 0xFFFFFFF0),
    (0xBFFFFFFF, 1), (0xBFFFFFFF, 2), (0xC0000000, 0x200), (0xFEE00000, 4), (0xFFFFFFFF, 1), (0xFFFFFFFF, 2), (1 << 32, 1),
    (1 << 52, 512), (1 << 63, 512), ((1 << 64) - 1, 1), ((1 << 64) - 1, 2), ((1 << 64) - 4096, 4096),
    ((1 << 64) - 4096, 8192), ((1 << 64) - 0xFFFFFFFF, 0xFFFFFFFF), (MEMORY + 1, 0), (1 << 63, 0),
]


@pytest.mark.parametrize("flags", [0, WRITE])
def test_buffers_where_no_memory_is(attack, flags):  # noqa: F811
    """Beyond memory, across its end, into the hole, and where address and length wrap."""
    broken_by(attack, [submitting((address, length, flags)) for address, length in BAD_BUFFERS])


def test_buffers_across_the_hole(attack):  # noqa: F811
    """With memory on both sides of the hole, a buffer that begins in one part must end in it."""
    bad = [(0xBFFFFFFF, 2), (0xBFFFF000, 0x40002000), (0xBFFFFFFF, 0x40000002), (0xC0000000, 1), (0xFFFFFFFF, 2),
           ((1 << 32) + (28 << 20), 1), ((1 << 32) + (28 << 20) - 1, 2), (0, 0xFFFFFFFF)]
    broken_by(attack, [submitting((address, length, flags)) for address, length in bad for flags in (0, WRITE)],
              "--memory", "3100M")


def test_readable_behind_writable(attack):  # noqa: F811
    broken_by(attack, [
        submitting((DATA, 512, WRITE | NEXT, 1), (DATA, 16, 0)),
        submitting((DATA, 16, NEXT, 1), (DATA, 512, WRITE | NEXT, 2), (DATA, 16, NEXT, 3), (DATA, 1, WRITE)),
    ])


def test_flags_that_do_not_exist(attack):  # noqa: F811
    """They are ignored; the chain is one that can be answered."""
    attack.disk.start_disk()
    buffers, status = attack.disk.buffers(T_IN)
    attack.disk.submit_and_read("answer", [(at, length, flags | 0xFFF8) for at, length, flags in buffers], status)
    assert attack.survive()["answer"] == OK


def test_empty_descriptors(attack):  # noqa: F811
    """They count for nothing: a chain of nothing else has no room for an answer."""
    attack.disk.start_disk()
    buffers, status = attack.disk.buffers(T_IN)
    buffers[1:1] = [(DATA, 0, 0)]
    buffers[-1:-1] = [(MEMORY, 0, WRITE)]
    attack.disk.submit_and_read("answer", buffers, status)
    values = broken_by(attack, [submitting((DATA, 0, 0)), submitting((DATA, 0, WRITE)),
                                submitting((0, 0, NEXT, 1), (MEMORY, 0, WRITE))])
    assert values["answer"] == OK


def test_indirect_without_its_feature(attack):  # noqa: F811
    broken_by(attack, [submitting((TABLE, 48, INDIRECT))])


def indirect(*buffers, address=TABLE, length=None, flags=INDIRECT):
    """A variant whose one descriptor names a table of these buffers, each (address, length, flags, next)."""
    def variant(disk):
        for slot, (at, size, bits, *next) in enumerate(buffers):
            disk.queue.describe(slot, at, size, bits, *next, table=TABLE)
        disk.queue.describe(0, address, 16 * len(buffers) if length is None else length, flags)
        disk.queue.submit(0)
    return variant


GOOD = (DATA, 16, 0)
BAD_TABLES = {
    "empty": [indirect(GOOD, length=0)],
    "length": [indirect(GOOD, length=length) for length in (1, 8, 15, 17, 0xFFFFFFFF)],
    "no memory": [indirect(GOOD, address=address, length=length) for address, length in
                  ((MEMORY, 16), (MEMORY - 16, 32), (TABLE, 0xFFFFFFF0), (0xC0000000, 16), (1 << 63, 16),
                   ((1 << 64) - 16, 16), ((1 << 64) - 16, 32))],
    "unaligned": [indirect(GOOD, address=TABLE + n, length=16) for n in (1, 2, 4, 15)],
    "next besides": [indirect(GOOD, flags=INDIRECT | NEXT)],
    "within itself": [indirect((TABLE, 16, INDIRECT)), indirect(GOOD[:2] + (NEXT, 1), (TABLE, 32, INDIRECT)),
                      indirect((RINGS, 128, INDIRECT))],
    "the queue's own table": [indirect(address=RINGS, length=length) for length in (16, 128)],
    "next out of range": [indirect((DATA, 16, NEXT, next)) for next in (1, 8, 0x8000, 0xFFFF)],
    "loop": [indirect((DATA, length, NEXT, 0)) for length in (0, 16)]
    + [indirect((DATA, length, NEXT, 1), (DATA, length, NEXT, 0)) for length in (0, 16)],
    "loop in a giant table": [indirect((DATA, 0, NEXT, 0), length=64 << 20)],
    "more buffers than any": [indirect(*[(DATA, 1, NEXT, i + 1) for i in range(SEGMENTS + 2)], (DATA, 1, WRITE))],
    "more descriptors than any": [indirect(*[(DATA, 0, NEXT, i + 1) for i in range(600)], (DATA, 1, WRITE))],
    "order": [indirect((DATA, 512, WRITE | NEXT, 1), (DATA, 16, 0))],
    "sum overflows": [indirect(*[(0, 64 << 20, NEXT, i + 1) for i in range(64)], (DATA, 1, WRITE))],
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_indirect_tables(attack, kind):  # noqa: F811
    broken_by(attack, BAD_TABLES[kind], features=VERSION_1 | INDIRECT_DESC)


def test_the_descriptor_table_as_an_indirect_one(attack):  # noqa: F811
    """Legal, if odd: the table's own entries are a request."""
    disk = attack.disk
    disk.start_disk(VERSION_1 | INDIRECT_DESC)
    buffers, status = disk.buffers(T_IN)
    disk.queue.describe(3, disk.queue.desc, 48, INDIRECT)
    disk.queue.chain(*buffers)
    disk.queue.submit(3)
    disk.queue.wait_used()
    attack.program.read("answer", status, 1)
    assert attack.survive()["answer"] == OK


def test_the_same_head_many_times(attack):  # noqa: F811
    """All are answered, into the same buffers."""
    disk = attack.disk
    disk.queue = Queue(disk, size=256)
    disk.start_disk()
    buffers, status = disk.buffers(T_IN)
    head = disk.queue.chain(*buffers)
    for _ in range(8):
        disk.queue.submit(*[head] * 256)
        disk.queue.wait_used()
    attack.program.read("answer", status, 1)
    assert attack.survive()["answer"] == OK
    assert attack.count("reads") == 8 * 256 + 1 and attack.count("broken") == 0


@pytest.mark.parametrize("where", ["desc", "avail", "used", "used index", "header", "status"])
def test_data_over_what_steers_it(attack, where):  # noqa: F811
    """A disk's content lands on the rings themselves, or on its own request: what was copied counts."""
    disk = attack.disk
    for _ in range(20):
        disk.start_disk()
        buffers, status = disk.buffers(T_IN)
        at = {"desc": disk.queue.desc, "avail": disk.queue.avail, "used": disk.queue.used,
              "used index": disk.queue.used + 2 - 510, "header": buffers[0][0], "status": status}[where]
        buffers[1] = (at, 512, WRITE)
        disk.queue.submit(*[disk.queue.chain(*buffers)] * 4)
        disk.queue.notify()
    attack.survive(at=OTHER_RINGS)


def test_used_ring_over_the_other_rings(attack):  # noqa: F811
    disk = attack.disk
    for overlap in ("desc", "avail"):
        disk.queue = Queue(disk)
        disk.queue.used = getattr(disk.queue, overlap)
        disk.start_disk()
        disk.queue.submit(*[disk.queue.chain(*disk.buffers(T_IN)[0])] * 8)
    attack.survive(at=OTHER_RINGS)


@pytest.mark.parametrize("features", [0, EVENT_IDX])
def test_event_indices_out_of_range(attack, features):  # noqa: F811
    disk = attack.disk
    disk.start_disk(VERSION_1 | features)
    for event in (0, 7, 8, 0x7FFF, 0x8000, 0xFFFF):
        attack.program.write(disk.queue.avail + 4 + 2 * disk.queue.size, event, 2)
        attack.program.write(disk.queue.avail, event, 2)  # flags
        attack.program.write(disk.queue.used + 4 + 8 * disk.queue.size, event, 2)
        disk.ask(event, T_IN)
    values = attack.survive()
    assert all(values[event] == OK for event in (0, 7, 8, 0x7FFF, 0x8000, 0xFFFF))


def test_reset_with_requests_in_flight(attack):  # noqa: F811
    """CVE-2026-45782: after the reset nothing of the old requests reaches memory."""
    disk, program = attack.disk, attack.program
    disk.queue = Queue(disk, size=64)
    rounds = 150
    for i in range(rounds):
        disk.start_disk()
        disk.asked = 0
        for first in range(0, 30, 3):
            kind = T_OUT if i % 3 == 1 else T_IN
            disk.queue.chain(*disk.buffers(kind, first * 8, [(DATA + first * 4096, 4096)])[0], first=first)
        disk.queue.submit(*range(0, 30, 3))
        if i % 2:
            disk.queue.notify()
        if i % 5 == 0:
            disk.set(QUEUE_READY, 0)
        disk.reset()
        for first in range(0, 30, 3):
            program.write(DATA + first * 4096, 0xFEEDBEEF)
        for first in range(0, 30, 3):
            program.read((i, first), DATA + first * 4096)
    values = attack.survive()
    assert {values[i, first] for i in range(rounds) for first in range(0, 30, 3)} == {0xFEEDBEEF}
    assert attack.count("broken") == 0


@pytest.mark.parametrize("threads", [0, 1])
def test_power_off_with_requests_in_flight(attack, threads):  # noqa: F811
    """They are finished: io_uring would cancel what a thread that ends has asked for."""
    attack.drive += f",iothreads={threads}"
    os.truncate(attack.image, 16 << 20)
    disk = attack.disk
    disk.queue = Queue(disk, size=64)
    disk.start_disk()
    disk.queue.chain(*disk.buffers(T_OUT, 0, [(1 << 20, 16 << 20)])[0])
    disk.queue.submit(*[0] * 32)
    attack.run()
    assert attack.log == ""


def test_several_queues_and_threads(attack):  # noqa: F811
    """One queue breaks, the device stops; all four work after the reset."""
    attack.drive += ",queues=4,iothreads=2"
    disk = attack.disk
    queues = [Queue(disk, i, at=RINGS + 0x4000 * i) for i in range(4)]
    for i in range(20):
        disk.start(*queues)
        for queue in queues:
            queue.chain(*disk.buffers(T_IN, 0, [(DATA, 65536)])[0])
            queue.submit(0, 0, 0)
        queues[i % 4].offer(8)
        queues[i % 4].notify()
        disk.wait_status(RUNS | NEEDS_RESET)
    disk.start(*queues)
    disk.set(QUEUE_NOTIFY, 4)
    for i, queue in enumerate(queues):
        buffers, status = disk.buffers(T_IN)
        queue.submit(queue.chain(*buffers))
        queue.wait_used()
        attack.program.read(i, status, 1)
    values = attack.survive()
    assert [values[i] for i in range(4)] == [OK] * 4
    assert attack.count("broken") >= 20 and attack.count("bad_accesses") == 1


def test_the_entropy_source(attack):  # noqa: F811
    """The same transport and queues, another device."""
    program, rng = attack.program, Device(attack.program, 1)
    queue = Queue(rng, at=OTHER_RINGS)
    attacks = [(0xC0000000, 16, WRITE), (MEMORY - 1, 2, WRITE), ((1 << 64) - 1, 2, WRITE), (DATA, 16, NEXT)]
    for bad in attacks:
        rng.start(queue)
        queue.describe(0, *bad)
        queue.submit(0)
        rng.wait_status(RUNS | NEEDS_RESET)
    rng.start(queue)
    queue.chain((DATA, 64, 0))  # nothing to fill
    queue.chain((DATA, 64 << 20, WRITE), first=1)
    queue.submit(0, 1)
    queue.wait_used()
    for entry in range(2):
        program.read(entry, queue.used + 8 + 8 * entry)
    attack.survive()
    metrics = attack.metrics["rng"]
    assert metrics["broken"] == len(attacks) and metrics["requests"] == 2 and metrics["bytes"] == 4096


def flips(*writes):
    """What the next processor does, again and again."""
    words = []
    for address, *values in writes:
        words += [f"w{address:x}={value:x}" for value in values]
    return words


RACES = {
    "length": (8, 512, 0xFFFFFFFF, 0, 0x7FFFFE00),
    "address": (0, DATA, 0xC0000000, MEMORY - 1, 0xFFFFFFFF),
    "upper address": (4, 0, 0xFFFFFFFF, 1),
    "flags and next": (12, WRITE | NEXT | 2 << 16, NEXT | 1 << 16, INDIRECT, WRITE, NEXT | 0xFFFF << 16),
}


@pytest.mark.parametrize("what", RACES)
def test_another_processor_changes_descriptors(attack, what):  # noqa: F811
    """Double fetches: what was checked must be what is used."""
    disk = attack.disk
    offset, *values = RACES[what]
    attack.program.start_next_processor(flips((RINGS + 16 + offset, *values)))
    for _ in range(150):
        disk.start_disk(VERSION_1 | INDIRECT_DESC)
        disk.queue.chain(*disk.buffers(T_IN)[0])
        for _ in range(3):
            disk.queue.submit(0, 0)
    attack.survive("--cpus", "2", at=OTHER_RINGS)


@pytest.mark.parametrize("features", [0, EVENT_IDX])
def test_another_processor_moves_the_available_index(attack, features):  # noqa: F811
    """An index to and fro keeps nobody busy for ever: SIGUSR1 and the end are served in between."""
    disk = attack.disk
    index = disk.queue.avail
    attack.program.start_next_processor(flips((index, 1 << 16, 0, 8 << 16, 3 << 16)))
    for _ in range(100):
        disk.start_disk(VERSION_1 | features)
        disk.queue.chain(*disk.buffers(T_IN)[0])
        for _ in range(5):
            disk.queue.notify()
    attack.survive("--cpus", "2", at=OTHER_RINGS)


def test_another_processor_at_the_registers(attack):  # noqa: F811
    """One resets and sets up while the other uses the queue and reads everything."""
    disk = attack.disk
    words = [f"w{disk.base + register:x}={value:x}" for register, value in (
        (STATUS, 0), (STATUS, 1), (STATUS, 3), (0x24, 1), (0x20, 1), (STATUS, 11), (0x30, 0), (0x38, 8), (0x80, RINGS),
        (0x90, RINGS + 0x1000), (0xA0, RINGS + 0x2000), (0x44, 1), (STATUS, 15), (0x50, 0), (0x44, 0))]
    attack.program.start_next_processor(words)
    for i in range(100):
        disk.start_disk()
        disk.queue.chain(*disk.buffers(T_IN, 0, [(DATA, 65536)])[0])
        disk.queue.submit(0, 0, 0, 0)
        disk.reset()
    values = attack.run("--cpus", "2")
    assert not values and attack.count("resets") > 200


def test_the_monitor_stays_responsive(attack):  # noqa: F811
    """While a guest does its worst without an end, metrics are written and the machine can be ended."""
    attack.prepare()
    disk = attack.disk
    disk.start_disk()
    disk.queue.chain(*disk.buffers(T_IN)[0])
    attack.program.words.append("!")
    attack.program.start_next_processor(flips((disk.queue.avail, 1 << 16, 0, 8 << 16))
                                        + [f"w{disk.base + QUEUE_NOTIFY:x}=0"] * 4)
    (attack.folder / "words").write_bytes(attack.program.text())
    metrics = attack.folder / "metrics"
    with volt.Vm("--initrd", attack.folder / "words", *attack.options(), "--cpus", "2", "--stop-timeout", "1") as vm:
        vm.wait_for()
        vm.send(volt.signal.SIGUSR1)
        volt.wait_until(lambda: metrics.exists() and metrics.read_text(), "metrics")
        vm.send()
        result = vm.finish()
    assert "Sanitizer" not in result.err and "runtime error" not in result.err, result
    assert result.status not in (99, -9), result
