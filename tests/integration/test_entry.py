# SPDX-License-Identifier: Apache-2.0
"""The state in which a guest is entered, by PVH and by the Linux 64-bit protocol."""
import struct

import pytest

import volt

MIB = 1 << 20
GIB = 1 << 30
RAM, RESERVED = 1, 2

PVH_MAGIC = 0x336EC578
LOW_RAM_END = 0x9FC00
TABLES, HIGH_RAM = 0xE0000, 0x100000
HOLE_START, HOLE_END = 0xC0000000, 0x100000000


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    path = tmp_path_factory.mktemp("initrd") / "initrd"
    path.write_bytes(bytes(range(1, 256)) * 20)
    return path


def enter(kernel, *options):
    result = volt.run(*options, kernel=kernel)
    assert result.status == 0, result
    return volt.fields(result), result.text


def line_of(text, name):
    return next(line.partition("=")[2] for line in text.splitlines() if line.startswith(name + "="))


def expected_map(memory):
    """(start, length, type) of all that a guest may know of its memory."""
    low = min(memory, HOLE_START)
    entries = [(0, LOW_RAM_END, RAM), (TABLES, HIGH_RAM - TABLES, RESERVED), (HIGH_RAM, low - HIGH_RAM, RAM)]
    return entries + ([(HOLE_END, memory - low, RAM)] if memory > low else [])


def test_pvh_registers():
    got, _ = enter("pvh")
    assert got["cr0"] == [0x11]
    assert got["cr4"] == [0]
    assert got["eflags"] == [0x2]
    assert got["fcw"] == [0x37F]
    assert got["idt limit"] == [0]
    assert got["info"][0] == PVH_MAGIC


@pytest.mark.parametrize("segment", ["cs", "ds", "es", "fs", "gs", "ss"])
def test_pvh_segments_are_flat(segment):
    """Both ends of 4 GiB are where they are without segments: code, and the local APIC's version."""
    got, _ = enter("pvh")
    assert got[f"{segment} low"] == [0x010000BC]  # mov $0x10000, %esp
    assert got[f"{segment} top"] == got["ds top"]
    assert got["ds top"][0] & 0xFF in range(0x10, 0x16)


def test_pvh_start_info(initrd):
    got, text = enter("pvh", "--initrd", initrd, "--cmdline", "one two=3  four")
    magic, version, flags, modules, _, _, rsdp = struct.unpack_from("<4I3Q", volt.octets(got["info"]))
    assert (magic, version, flags, modules) == (PVH_MAGIC, 1, 0, 1)
    assert line_of(text, "cmdline") == "one two=3  four"
    assert rsdp == TABLES
    assert volt.octets(got["rsdp"]) == b"RSD PTR "
    address, size = struct.unpack_from("<2Q", volt.octets(got["module"]))
    assert size == initrd.stat().st_size
    assert address % 4096 == 0 and address + size <= 128 * MIB
    assert volt.octets(got["initrd"]) == initrd.read_bytes()[:8]


def test_pvh_without_initrd_and_acpi():
    got, text = enter("pvh", "--acpi", "off", "--cmdline", "a")
    assert got["info"][3] == 0
    assert volt.number(got["info"][8:10]) == 0
    assert line_of(text, "cmdline") == "a acpi=off virtio_mmio.device=4K@0xc0000000:5"


@pytest.mark.parametrize("memory", [2, 128, 3072, 3074, 6144])
def test_pvh_memory_map(memory):
    got, _ = enter("pvh", "--memory", f"{memory}M")
    entries = struct.iter_unpack("<QQII", volt.octets(got["memmap"]))
    assert [entry[:3] for entry in entries] == expected_map(memory * MIB)


def test_linux64_registers():
    got, _ = enter("linux64", "--entry", "linux64", "--memory", "2G")
    assert volt.number(got["cr0"]) == 0x80000011
    assert volt.number(got["cr3"]) == 0x1000
    assert volt.number(got["cr4"]) == 0x20
    assert got["efer"] == [0x500]
    assert volt.number(got["rflags"]) == 0x2
    assert got["cs"] == [0x10]
    assert got["ds"] == got["es"] == got["ss"] == [0x18]
    assert got["idt limit"] == [0]
    assert got["fcw"] == [0x37F]


def test_linux64_descriptors():
    """Flat code for 64 bits where old and where Linux's protocol has it, and data."""
    got, _ = enter("linux64", "--entry", "linux64", "--memory", "2G")
    assert got["gdt limit"] == [31]
    null, low, code, data = struct.unpack("<4Q", volt.octets(got["gdt"]))
    assert null == 0
    assert low == code == 0x00AF9B000000FFFF
    assert data | 1 << 40 == 0x00CF93000000FFFF  # whether it has been used does not matter


def test_linux64_mapping():
    got, _ = enter("linux64", "--entry", "linux64", "--memory", "2G")
    assert got["high"] == got["low"] != [0, 0]
    assert volt.number(got["2 GiB"]) == 0x5AA5
    assert got["apic"][0] & 0xFF in range(0x10, 0x16)


def zero_page(*options):
    got, text = enter("linux64", "--entry", "linux64", *options)
    return volt.octets(got["zero page"]), got, text


def field(page, offset, form):
    return struct.unpack_from("<" + form, page, offset)[0]


def test_linux64_zero_page(initrd):
    page, got, text = zero_page("--initrd", initrd, "--cmdline", "one two=3  four", "--memory", "2G")
    assert got["rsi"] == [0x8000, 0]
    assert field(page, 0x1FE, "H") == 0xAA55
    assert page[0x202:0x206] == b"HdrS"
    assert page[0x210] == 0xFF  # a loader without a number of its own
    assert line_of(text, "cmdline") == "one two=3  four"
    assert field(page, 0x238, "I") == len("one two=3  four")
    assert field(page, 0x21C, "I") == initrd.stat().st_size
    assert volt.octets(got["initrd"]) == initrd.read_bytes()[:8]
    assert field(page, 0x070, "Q") == TABLES


@pytest.mark.parametrize("memory", [2048, 3074])
def test_linux64_memory_map(memory):
    page, _, _ = zero_page("--memory", f"{memory}M", "--acpi", "off")
    entries = [struct.unpack_from("<QQI", page, 0x2D0 + 20 * i) for i in range(page[0x1E8])]
    assert entries == expected_map(memory * MIB)
    assert field(page, 0x070, "Q") == 0


def test_entry_is_chosen_by_the_note():
    assert volt.run(kernel="linux64").out == b"entered by PVH\n"
    assert volt.run("--entry", "pvh", kernel="linux64").out == b"entered by PVH\n"
    assert b"efer=00000500" in volt.run("--entry", "linux64", "--memory", "2G", kernel="linux64").out
    assert b"first=" in volt.run("--memory", "5G", kernel="highmem").out


def test_pvh_asked_of_a_kernel_without_it():
    volt.assert_fault(volt.run("--entry", "pvh", kernel="highmem"), volt.STATUS_CONFIGURATION,
                      volt.guest("highmem"), "has no PVH entry", "--entry linux64")
