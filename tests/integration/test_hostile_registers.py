# SPDX-License-Identifier: Apache-2.0
"""A bare guest that misuses a virtio device's registers: what is out of turn or out of range is refused
and counted, the guest goes on, and after a reset the device works."""
import pytest

from hostile import DISK_SIZE, attack  # noqa: F401
from virtio_driver import (ACKNOWLEDGE, CONFIG, CONFIG_GENERATION, DEVICE_FEATURES, DEVICE_FEATURES_SEL, DEVICE_ID,
                           DRIVER, DRIVER_FEATURES, DRIVER_FEATURES_SEL, DRIVER_OK, EVENT_IDX, FAILED, FEATURES_OK,
                           INTERRUPT_ACK, INTERRUPT_STATUS, LENGTH, MAGIC, NEEDS_RESET, OK, QUEUE_AVAIL, QUEUE_DESC,
                           QUEUE_NOTIFY, QUEUE_NUM, QUEUE_NUM_MAX, QUEUE_READY, QUEUE_SEL, QUEUE_USED, RINGS, RUNS,
                           SEGMENTS, STATUS, STRIDE, T_IN, VENDOR_ID, VERSION, VERSION_1, WINDOWS, Queue)

MEMORY = 128 << 20  # by default
SIZES = (1, 2, 4, 8)


def test_status_bits_out_of_order(attack):  # noqa: F811
    disk = attack.disk
    disk.reset()
    steps = [(DRIVER, 0), (FEATURES_OK, 0), (DRIVER_OK, 0), (ACKNOWLEDGE, 1), (ACKNOWLEDGE | FEATURES_OK, 1),
             (ACKNOWLEDGE | DRIVER, 3), (ACKNOWLEDGE | DRIVER | DRIVER_OK, 3)]
    for i, (value, _) in enumerate(steps):
        disk.set(STATUS, value)
        disk.get(i, STATUS)
    values = attack.survive()
    assert [values[i] for i in range(len(steps))] == [then for _, then in steps]
    assert attack.count("bad_accesses") == 5 and attack.count("broken") == 0


@pytest.mark.parametrize("value", [ACKNOWLEDGE | DRIVER, DRIVER_OK, RUNS & ~FEATURES_OK, FAILED, NEEDS_RESET])
def test_status_bits_cleared(attack, value):  # noqa: F811
    attack.disk.start_disk()
    attack.disk.set(STATUS, value)
    attack.disk.get("status", STATUS)
    attack.disk.ask("still works", T_IN)
    values = attack.survive()
    assert values["status"] == RUNS and values["still works"] == OK
    assert attack.count("bad_accesses") == 1


def test_status_bits_that_do_not_exist(attack):  # noqa: F811
    attack.disk.reset()
    for bit in (*range(4, 6), *range(8, 32)):
        attack.disk.set(STATUS, 1 << bit)
    attack.disk.get("status", STATUS)
    assert attack.survive()["status"] == 0
    assert attack.count("bad_accesses") == 26


def test_the_device_cannot_be_made_to_need_a_reset(attack):  # noqa: F811
    attack.disk.start_disk()
    attack.disk.set(STATUS, RUNS | NEEDS_RESET)
    attack.disk.get("status", STATUS)
    assert attack.survive()["status"] == RUNS


def test_features_that_were_not_offered(attack):  # noqa: F811
    disk = attack.disk
    for sel in range(2):
        disk.set(DEVICE_FEATURES_SEL, sel)
        disk.get(f"offered {sel}", DEVICE_FEATURES)
    for bit in range(64):
        disk.reset()
        disk.set(STATUS, ACKNOWLEDGE)
        disk.set(STATUS, ACKNOWLEDGE | DRIVER)
        disk.driver_features(VERSION_1 | 1 << bit)
        disk.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        disk.get(bit, STATUS)
    values = attack.survive()
    offered = values["offered 0"] | values["offered 1"] << 32
    for bit in range(64):
        assert values[bit] == (11 if offered >> bit & 1 else 3), bit


def test_the_old_interface(attack):  # noqa: F811
    attack.disk.negotiate(0)
    attack.disk.get("status", STATUS)
    assert attack.survive()["status"] == ACKNOWLEDGE | DRIVER


def test_features_after_they_were_accepted(attack):  # noqa: F811
    attack.disk.negotiate(VERSION_1)
    for sel in (0, 1, 2, 0xFFFFFFFF):
        attack.disk.set(DRIVER_FEATURES_SEL, sel)
        attack.disk.set(DRIVER_FEATURES, 0xFFFFFFFF)
    attack.survive()
    assert attack.count("bad_accesses") == 4


def test_feature_words_that_do_not_exist(attack):  # noqa: F811
    disk = attack.disk
    disk.reset()
    disk.set(STATUS, ACKNOWLEDGE)
    disk.set(STATUS, ACKNOWLEDGE | DRIVER)
    for sel in (2, 3, 32, 64, 0x80000000, 0xFFFFFFFF):
        disk.set(DEVICE_FEATURES_SEL, sel)
        disk.get(sel, DEVICE_FEATURES)
        disk.set(DRIVER_FEATURES_SEL, sel)
        disk.set(DRIVER_FEATURES, 1)
    values = attack.survive()
    assert not any(values[sel] for sel in (2, 3, 32, 64, 0x80000000, 0xFFFFFFFF))
    assert attack.count("bad_accesses") == 6


def test_queue_sizes(attack):  # noqa: F811
    disk, bad = attack.disk, (0, 3, 7, 255, 257, 512, 32768, 65535, 65536, 65536 + 8, 0x80000000, 0xFFFFFFFF)
    disk.negotiate()
    disk.set(QUEUE_SEL, 0)
    for size in bad:
        disk.set(QUEUE_NUM, size)
    disk.set(QUEUE_READY, 1)  # without a size
    disk.get("ready", QUEUE_READY)
    for value in (2, 3, 0xFFFFFFFF):
        disk.set(QUEUE_READY, value)
    assert attack.survive()["ready"] == 0
    assert attack.count("bad_accesses") == len(bad) + 4


def test_the_largest_and_the_smallest_queue(attack):  # noqa: F811
    for size in (256, 4, 2, 1):
        attack.disk.queue = Queue(attack.disk, size=size)
        attack.disk.start_disk()
        if size == 256:
            attack.disk.ask(size, T_IN)
        else:  # too small for a request: its chain leads out of the table
            attack.disk.queue.submit(attack.disk.queue.chain(*attack.disk.buffers(T_IN, data=[(RINGS, 512)] * size)[0]))
            attack.disk.wait_status(RUNS | NEEDS_RESET)
    assert attack.survive()[256] == OK
    assert attack.count("broken") == 3


def test_queues_that_do_not_exist(attack):  # noqa: F811
    disk, indices = attack.disk, (1, 2, 255, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
    disk.negotiate()
    for index in indices:
        disk.set(QUEUE_SEL, index)
        disk.get(f"{index} max", QUEUE_NUM_MAX)
        disk.get(f"{index} ready", QUEUE_READY)
        for register in (QUEUE_NUM, QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED, QUEUE_READY):
            disk.set(register, 8)
            disk.set(register, 1)
            disk.set(register, 0)
    values = attack.survive()
    assert not any(value for label, value in values.items() if label not in ("works", "works data"))
    assert attack.count("bad_accesses") == len(indices) * 15


def test_notifications_of_queues_that_do_not_exist(attack):  # noqa: F811
    disk = attack.disk
    disk.set(QUEUE_NOTIFY, 0)  # one that does, but does not run
    disk.start_disk()
    for index in (1, 2, 0xFFFF, 0x10000, 0x80000000, 0xFFFFFFFF):
        disk.set(QUEUE_NOTIFY, index)
    for size in (1, 2, 8):  # no ioeventfd takes these
        disk.set(QUEUE_NOTIFY, 0, size)
    attack.survive()
    assert attack.count("bad_accesses") == 9


def test_a_flood_of_notifications(attack):  # noqa: F811
    attack.disk.start_disk()
    for _ in range(5000):
        attack.disk.set(QUEUE_NOTIFY, 0)
    attack.survive()
    assert attack.count("broken") == 0


def move(disk):
    """Write all registers of the selected queue."""
    disk.set(QUEUE_NUM, 256)
    for register in (QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED):
        disk.place(register, 0xFFFFFFFFFFFFF000)
    disk.set(QUEUE_READY, 1)


def test_queue_moved_or_resized_while_it_runs(attack):  # noqa: F811
    """CVE-2026-5747: what is written after DRIVER_OK must not reach the running queue."""
    attack.disk.start_disk()
    move(attack.disk)
    attack.disk.ask("still works", T_IN)
    assert attack.survive()["still works"] == OK
    assert attack.count("bad_accesses") == 8


def test_queue_moved_or_resized_while_it_is_ready(attack):  # noqa: F811
    disk = attack.disk
    disk.negotiate()
    disk.queue.clear()
    disk.set_up(disk.queue)
    move(disk)
    disk.set(STATUS, RUNS)
    disk.ask("still works", T_IN)
    assert attack.survive()["still works"] == OK
    assert attack.count("bad_accesses") == 8


def test_queue_set_up_before_features(attack):  # noqa: F811
    attack.disk.reset()
    move(attack.disk)
    attack.disk.set(STATUS, ACKNOWLEDGE)
    attack.disk.set(STATUS, ACKNOWLEDGE | DRIVER)
    move(attack.disk)
    attack.survive()
    assert attack.count("bad_accesses") == 16


def test_queue_ended_and_begun_again_while_the_device_runs(attack):  # noqa: F811
    disk = attack.disk
    disk.start_disk()
    disk.ask("first", T_IN)
    disk.set(QUEUE_READY, 0)
    disk.get("ready", QUEUE_READY)
    move(disk)
    disk.set_up(disk.queue)
    disk.get("ready again", QUEUE_READY)
    disk.queue.submit(0)
    values = attack.survive()
    assert values["first"] == OK and values["ready"] == 0 and values["ready again"] == 0
    assert attack.count("bad_accesses") == 16


def test_driver_ok_without_a_queue(attack):  # noqa: F811
    attack.disk.negotiate()
    attack.disk.set(STATUS, RUNS)
    attack.disk.set(QUEUE_NOTIFY, 0)
    attack.disk.get("status", STATUS)
    assert attack.survive()["status"] == RUNS


BAD_RINGS = [MEMORY, MEMORY - 16, 0xC0000000, 0xFEE00000, 0xFFFFFFF0, 1 << 32, 1 << 52, 1 << 63, 0xFFFFFFFFFFFFF000,
             0xFFFFFFFFFFFFFFF0, RINGS + 1]


@pytest.mark.parametrize("register", [QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED])
def test_rings_where_they_cannot_be(attack, register):  # noqa: F811
    """Beyond memory, across its end, in the hole, where the sum wraps, and not aligned."""
    disk = attack.disk
    for address in BAD_RINGS:
        disk.negotiate()
        disk.queue = Queue(disk)
        setattr(disk.queue, {QUEUE_DESC: "desc", QUEUE_AVAIL: "avail", QUEUE_USED: "used"}[register], address)
        disk.set_up(disk.queue)
        disk.set(STATUS, RUNS)
        disk.queue.notify()
        disk.get(address, STATUS)
    values = attack.survive()
    assert [values[address] for address in BAD_RINGS] == [RUNS | NEEDS_RESET] * len(BAD_RINGS)
    assert attack.count("broken") == len(BAD_RINGS)


def expected_config():
    """The first bytes of the configuration space, which do not depend on the host's files."""
    return (DISK_SIZE // 512).to_bytes(8, "little") + bytes(4) + SEGMENTS.to_bytes(4, "little")


def test_every_offset_read_with_every_size(attack):  # noqa: F811
    """kvmtool's CVE-2021-45464: registers give their value to four aligned bytes and nothing else, the
    configuration space what lies within it, and behind the registers nothing answers."""
    disk = attack.disk
    disk.start_disk()
    for offset in range(LENGTH + 16):
        for size in SIZES:
            disk.get(f"{offset:#x} {size}", offset, size)
    values = attack.survive()

    def value(offset, size):
        high = values[f"{offset:#x} {size} high"] << 32 if size == 8 else 0
        return values[f"{offset:#x} {size}"] | high

    known = {MAGIC: 0x74726976, VERSION: 2, DEVICE_ID: 2, VENDOR_ID: 0x544C4F56, QUEUE_NUM_MAX: 256, QUEUE_READY: 1,
             INTERRUPT_STATUS: 1, STATUS: RUNS, DEVICE_FEATURES: None, CONFIG_GENERATION: 0}
    known.update({register: 0xFFFFFFFF for register in range(0xB0, 0xC0, 4)})
    config = bytes(value(CONFIG + i, 1) for i in range(0x100))
    assert config.startswith(expected_config()) and not any(config[60:])
    for offset in range(LENGTH):
        for size in SIZES:
            if offset >= CONFIG:
                inside = offset - CONFIG + size <= 60
                at = offset - CONFIG
                want = int.from_bytes(config[at:at + size], "little") if inside else 0
            else:
                want = known.get(offset, 0) if size == 4 else 0
            assert want is None or value(offset, size) == want, (hex(offset), size)
    for offset in range(LENGTH, LENGTH + 16):
        for size in SIZES:
            assert value(offset, size) == (1 << 8 * size) - 1
    assert attack.count("broken") == 0


@pytest.mark.parametrize("value", [0, 1, 0x41414141, 0xFFFFFFFF])
def test_every_offset_written_with_every_size(attack, value):  # noqa: F811
    attack.disk.start_disk()
    for offset in range(STRIDE + 16):
        for size in SIZES if offset < LENGTH + 16 else (4,):
            attack.disk.set(offset, value, size)
    attack.survive()


def test_the_configuration_space_cannot_be_written(attack):  # noqa: F811
    attack.disk.start_disk()
    for offset in range(0, 0x100):
        attack.disk.set(CONFIG + offset, 0xFFFFFFFF)
    attack.disk.get("capacity", CONFIG)
    assert attack.survive()["capacity"] == DISK_SIZE // 512
    assert attack.count("bad_accesses") == 0x100


def test_acknowledged_interrupts_that_never_were(attack):  # noqa: F811
    disk = attack.disk
    for value in (0, 1, 2, 0xFFFFFFFF):
        disk.set(INTERRUPT_ACK, value)
        disk.set(INTERRUPT_STATUS, value)  # cannot be written
    disk.get("ack", INTERRUPT_ACK)  # cannot be read
    disk.start_disk()
    disk.set(INTERRUPT_ACK, 0xFFFFFFFF)
    disk.ask("still works", T_IN)
    disk.get("runs", INTERRUPT_STATUS)
    disk.break_with((RINGS, 8, 0))
    disk.get("broken", INTERRUPT_STATUS)
    disk.set(INTERRUPT_ACK, 1)
    disk.get("not acknowledged", INTERRUPT_STATUS)
    disk.set(INTERRUPT_ACK, 2)
    disk.get("acknowledged", INTERRUPT_STATUS)
    disk.reset()
    disk.get("reset", INTERRUPT_STATUS)
    values = attack.survive()
    assert values["ack"] == 0 and values["still works"] == OK and values["runs"] == 1
    assert values["broken"] == values["not acknowledged"] == 3
    assert values["acknowledged"] == 1 and values["reset"] == 0
    assert attack.count("bad_accesses") == 5


def test_windows_without_a_device(attack):  # noqa: F811
    for index in (2, 3, 18, 19, 0x1000):
        attack.program.read(index, WINDOWS + index * STRIDE)
        attack.program.write(WINDOWS + index * STRIDE + STATUS, 0)
    values = attack.survive()
    assert all(values[index] == 0xFFFFFFFF for index in (2, 3, 18, 19, 0x1000))


def test_reset_again_and_again(attack):  # noqa: F811
    for i in range(400):
        attack.disk.negotiate(VERSION_1 | (EVENT_IDX if i % 2 else 0))
    attack.survive()
    assert attack.count("resets") >= 401 and attack.count("bad_accesses") == 0
