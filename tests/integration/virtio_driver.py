# SPDX-License-Identifier: Apache-2.0
"""A virtio driver that may break every rule: it writes the words that a bare guest (tests/guests/do.S)
does one after the other, and reads what that guest prints."""
import volt

# Registers of a device's window (VIRTIO 1.2, 4.2.2), and where the windows are.
WINDOWS, STRIDE, LENGTH = 0xC0000000, 0x1000, 0x200
MAGIC, VERSION, DEVICE_ID, VENDOR_ID = 0x00, 0x04, 0x08, 0x0C
DEVICE_FEATURES, DEVICE_FEATURES_SEL, DRIVER_FEATURES, DRIVER_FEATURES_SEL = 0x10, 0x14, 0x20, 0x24
QUEUE_SEL, QUEUE_NUM_MAX, QUEUE_NUM, QUEUE_READY, QUEUE_NOTIFY = 0x30, 0x34, 0x38, 0x44, 0x50
INTERRUPT_STATUS, INTERRUPT_ACK, STATUS = 0x60, 0x64, 0x70
QUEUE_DESC, QUEUE_AVAIL, QUEUE_USED = 0x80, 0x90, 0xA0
CONFIG_GENERATION, CONFIG = 0xFC, 0x100

ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET, FAILED = 1, 2, 4, 8, 0x40, 0x80
RUNS = ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK

VERSION_1, INDIRECT_DESC, EVENT_IDX = 1 << 32, 1 << 28, 1 << 29
NEXT, WRITE, INDIRECT = 1, 2, 4
SEGMENTS = 254  # of one disk request, beside header and status: what the configuration space says

BLK_FLUSH, BLK_DISCARD, BLK_WRITE_ZEROES = 1 << 9, 1 << 13, 1 << 14
T_IN, T_OUT, T_FLUSH, T_GET_ID, T_DISCARD, T_WRITE_ZEROES = 0, 1, 4, 8, 11, 13
OK, IOERR, UNSUPP = 0, 1, 2
UNANSWERED = 0xEE

# Where tests put things: rings, requests' headers and status bytes, data.
RINGS, HEADERS, STATUSES, DATA = 0x200000, 0x240000, 0x250000, 0x300000

WORD = {1: "b", 2: "h", 4: "w", 8: "q"}
READ = {1: "B", 2: "H", 4: "r", 8: "Q"}
WAIT = {2: "U", 4: "u"}


class Program:
    """The guest's words, and a name for each number that it prints."""

    def __init__(self):
        self.words, self.labels = [], []
        self.next_words = []  # of the next processor

    def write(self, address, value, size=4):
        self.words.append(f"{WORD[size]}{address:x}={value:x}")

    def read(self, label, address, size=4):
        self.words.append(f"{READ[size]}{address:x}")
        self.labels += [label] if size < 8 else [label, label + " high"]

    def wait(self, address, value, size=4):
        self.words.append(f"{WAIT[size]}{address:x}={value:x}")

    def fill(self, address, data):
        for i in range(0, len(data), 4):
            self.write(address + i, int.from_bytes(data[i:i + 4], "little"), min(4, len(data) - i))

    def start_next_processor(self, words):
        self.words.append("p")
        self.next_words = words

    def text(self, *end):
        return b"".join(" ".join(words).encode() + b"\0" for words in ([*self.words, *end], self.next_words))

    def values(self, out):
        """What was printed, by label; when the guest waited in vain this fails."""
        lines = out.decode(errors="replace").split()
        assert "late" not in lines, f"waited in vain, after {lines[:lines.index('late')][-5:]}"
        assert len(lines) == len(self.labels), f"{len(lines)} lines for {len(self.labels)} reads: {lines[-5:]}"
        return dict(zip(self.labels, (int(line, 16) for line in lines)))

    def run(self, folder, *options, end=(volt.POWEROFF,), **more):
        words = folder / "words"
        words.write_bytes(self.text(*end))
        return volt.run("--initrd", words, *options, kernel="do", **more)


class Device:
    """One device's registers."""

    def __init__(self, program, index):
        self.program, self.base = program, WINDOWS + index * STRIDE

    def set(self, register, value, size=4):
        self.program.write(self.base + register, value, size)

    def get(self, label, register, size=4):
        self.program.read(label, self.base + register, size)

    def wait_status(self, value):
        self.program.wait(self.base + STATUS, value)

    def reset(self):
        self.set(STATUS, 0)

    def driver_features(self, features):
        for sel in range(2):
            self.set(DRIVER_FEATURES_SEL, sel)
            self.set(DRIVER_FEATURES, features >> 32 * sel & 0xFFFFFFFF)

    def negotiate(self, features=VERSION_1):
        """From reset to FEATURES_OK."""
        self.reset()
        self.set(STATUS, ACKNOWLEDGE)
        self.set(STATUS, ACKNOWLEDGE | DRIVER)
        self.driver_features(features)
        self.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)

    def place(self, register, address):
        """One of QUEUE_DESC, QUEUE_AVAIL and QUEUE_USED of the selected queue."""
        self.set(register, address & 0xFFFFFFFF)
        self.set(register + 4, address >> 32)

    def set_up(self, queue):
        self.set(QUEUE_SEL, queue.index)
        self.set(QUEUE_NUM, queue.size)
        self.place(QUEUE_DESC, queue.desc)
        self.place(QUEUE_AVAIL, queue.avail)
        self.place(QUEUE_USED, queue.used)
        self.set(QUEUE_READY, 1)

    def start(self, *queues, features=VERSION_1):
        """From reset to DRIVER_OK, with fresh rings."""
        self.negotiate(features)
        for queue in queues:
            queue.clear()
            self.set_up(queue)
        self.set(STATUS, RUNS)


class Queue:
    """A queue in guest memory: descriptors, available and used ring."""

    def __init__(self, device, index=0, size=8, at=RINGS):
        self.device, self.program, self.index, self.size = device, device.program, index, size
        self.desc, self.avail, self.used = at, at + 0x1000, at + 0x2000
        self.offered = 0

    def clear(self):
        self.program.write(self.avail, 0)
        self.program.write(self.used, 0)
        self.offered = 0

    def describe(self, slot, address, length, flags=0, next=0, table=None):
        at = (self.desc if table is None else table) + 16 * slot
        for i, value in enumerate((address & 0xFFFFFFFF, address >> 32, length, flags | next << 16)):
            self.program.write(at + 4 * i, value)

    def chain(self, *buffers, first=0, table=None):
        """Descriptors `first` and on, linked, for (address, length, flags); returns the first."""
        for i, (address, length, flags) in enumerate(buffers):
            more = NEXT if i + 1 < len(buffers) else 0
            self.describe(first + i, address, length, flags | more, first + i + 1 if more else 0, table)
        return first

    def set_index(self, value):
        self.program.write(self.avail + 2, value & 0xFFFF, 2)

    def offer(self, *heads):
        for head in heads:
            self.program.write(self.avail + 4 + 2 * (self.offered % self.size), head, 2)
            self.offered += 1
        self.set_index(self.offered)

    def notify(self):
        self.device.set(QUEUE_NOTIFY, self.index)

    def submit(self, *heads):
        self.offer(*heads)
        self.notify()

    def wait_used(self, count=None):
        """Until as many came back, by default all."""
        self.program.wait(self.used + 2, (self.offered if count is None else count) & 0xFFFF, 2)


class Disk(Device):
    """A disk with its first queue, and requests to it."""

    def __init__(self, program, index=0):
        super().__init__(program, index)
        self.queue = Queue(self)
        self.asked = 0

    def start_disk(self, features=VERSION_1):
        self.start(self.queue, features=features)

    def header(self, kind, sector=0):
        """A request's header; returns its address."""
        at = HEADERS + 16 * (self.asked % 256)
        self.program.fill(at, kind.to_bytes(4, "little") + bytes(4) + sector.to_bytes(8, "little"))
        return at

    def status_byte(self):
        """Where the answer to the next request goes; it says that there is none yet."""
        at = STATUSES + self.asked % 256
        self.asked += 1
        self.program.write(at, UNANSWERED, 1)
        return at

    def buffers(self, kind, sector=0, data=((DATA, 512),)):
        """A request's buffers, and the address of its answer."""
        flags = WRITE if kind in (T_IN, T_GET_ID) else 0
        header, status = self.header(kind, sector), self.status_byte()
        return [(header, 16, 0), *((at, length, flags) for at, length in data), (status, 1, WRITE)], status

    def ask(self, label, *request, **more):
        """Make a request, wait for it and read its answer."""
        buffers, status = self.buffers(*request, **more)
        self.submit_and_read(label, buffers, status)

    def submit_and_read(self, label, buffers, status):
        self.queue.submit(self.queue.chain(*buffers))
        self.queue.wait_used()
        self.program.read(label, status, 1)

    def break_with(self, *buffers):
        """Submit what breaks the rules; the device must say that it needs a reset."""
        self.queue.submit(self.queue.chain(*buffers))
        self.wait_status(RUNS | NEEDS_RESET)

    def works(self, label="works", at=RINGS, sector=3):
        """Reset it, and read a sector: the answer is `label`, the sector's first bytes `label` data."""
        self.queue = Queue(self, at=at)
        self.start_disk()
        self.program.write(DATA, 0)
        self.ask(label, T_IN, sector)
        self.program.read(label + " data", DATA)
