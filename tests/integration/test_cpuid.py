# SPDX-License-Identifier: Apache-2.0
"""
CPUID: what KVM is told (KVM_SET_CPUID2, as strace decodes it) against the rules and against what it
offers (KVM_GET_SUPPORTED_CPUID). What a guest then reads is KVM's doing: some add bits of their own,
so that is compared only where KVM can run Linux.
"""
import re

import pytest

import strace
import volt

SIZES = [1, 2, 6, 255]
EAX, EBX, ECX, EDX = range(4)
ENTRY = re.compile(r"\{function=(\w+), index=(\w+), flags=(\w+), "
                   r"eax=(\w+), ebx=(\w+), ecx=(\w+), edx=(\w+)\}")

HYPERVISOR, TSC_DEADLINE = 1 << 31, 1 << 24

# Bits that must be clear: leaf, subleaf, register, bits.
CLEARED = [
    (0x1, 0, ECX, 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 15),
    (0x6, 0, EAX, 0xFFFFFFFF & ~(1 << 2)),
    (0x6, 0, EBX, 0xFFFFFFFF),
    (0x6, 0, ECX, 0xFFFFFFFF),
    (0x6, 0, EDX, 0xFFFFFFFF),
    (0x7, 0, EBX, 1 << 4 | 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15),
    *[(0xA, 0, register, 0xFFFFFFFF) for register in range(4)],
    (0x80000001, 0, ECX, 1 << 2),
    (0x80000007, 0, EDX, 0xFFFFFFFF & ~(1 << 8)),
]

# Written for the VM and not taken from KVM.
TOPOLOGY = [0x1, 0x4, 0xB, 0x1F, 0x80000008, 0x8000001D, 0x8000001E]


def parse_entries(call):
    entries = [[int(n, 0) for n in (*found[:2], *found[3:])] for found in ENTRY.findall(call.arguments)]
    return {(leaf, subleaf): registers for leaf, subleaf, *registers in entries}


class Tables:
    """What KVM offers, and what each vCPU got, of one machine."""

    def __init__(self, folder, cpus):
        result, calls = strace.trace(folder, "ioctl", "--cpus", cpus, kernel="hello")
        assert result.status == 0, result
        kvm = strace.kvm_calls(calls)
        self.offered = parse_entries(next(c for c in kvm if c.request == "KVM_GET_SUPPORTED_CPUID"))
        self.given = [parse_entries(c) for c in kvm if c.request == "KVM_SET_CPUID2"]
        deadline = next(c for c in kvm if "KVM_CAP_TSC_DEADLINE_TIMER" in c.arguments)
        self.tsc_deadline = deadline.result > 0


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """By the number of vCPUs."""
    made = {}

    def get(cpus):
        if cpus not in made:
            made[cpus] = Tables(tmp_path_factory.mktemp("cpuid"), cpus)
        return made[cpus]
    return get


@pytest.mark.parametrize("leaf, subleaf, register, bits", CLEARED)
def test_cleared(tables, leaf, subleaf, register, bits):
    for given in tables(1).given:
        assert given.get((leaf, subleaf), [0] * 4)[register] & bits == 0


def test_hypervisor_and_deadline_timer(tables):
    got = tables(1)
    features = got.given[0][(1, 0)][ECX]
    assert features & HYPERVISOR
    assert bool(features & TSC_DEADLINE) == got.tsc_deadline


def test_kvm_is_named(tables):
    leaf = tables(1).given[0][(0x40000000, 0)]
    assert volt.octets(leaf[EBX:]) == b"KVMKVMKVM\0\0\0"
    assert tables(1).given[0][(0x40000001, 0)] == tables(1).offered[(0x40000001, 0)]


@pytest.mark.parametrize("cpus", SIZES)
def test_nothing_is_added(tables, cpus):
    """No bit that KVM does not offer, but for the two that older kernels leave out of the list."""
    got = tables(cpus)
    more = HYPERVISOR | (TSC_DEADLINE if got.tsc_deadline else 0)
    for given in got.given:
        for key, registers in given.items():
            if key[0] not in TOPOLOGY:
                assert all(mine & ~theirs == 0 for mine, theirs in zip(registers, got.offered[key])), key
        assert given[(1, 0)][ECX] & ~(got.offered[(1, 0)][ECX] | more) == 0


def test_long_mode_is_kept(tables):
    """SYSCALL, NX and LM: no 64-bit kernel starts without them."""
    for bit in (11, 20, 29):
        assert tables(1).given[0][(0x80000001, 0)][EDX] & 1 << bit


@pytest.mark.parametrize("cpus", SIZES)
def test_numbers_of_a_processor(tables, cpus):
    given = tables(cpus).given
    assert len(given) == cpus
    for number, leaves in enumerate(given):
        ebx = leaves[(1, 0)][EBX]
        assert ebx >> 24 == number
        assert ebx >> 16 & 0xFF == cpus
        assert ebx >> 8 & 0xFF == 8  # CLFLUSH lines of 64 bytes
        assert bool(leaves[(1, 0)][EDX] & 1 << 28) == (cpus > 1)


@pytest.mark.parametrize("leaf", [0xB, 0x1F])
@pytest.mark.parametrize("cpus", SIZES)
def test_extended_topology(tables, cpus, leaf):
    """Level 0: one thread a core; level 1: all cores; then the end. Only where the leaf exists."""
    bits = (cpus - 1).bit_length()
    for number, leaves in enumerate(tables(cpus).given):
        if leaves[(0, 0)][EAX] < leaf:
            assert (leaf, 0) not in leaves
            continue
        assert leaves[(leaf, 0)] == [0, 1, 0x100, number]
        assert leaves[(leaf, 1)] == [bits, cpus, 0x201, number]
        assert leaves[(leaf, 2)] == [0, 0, 2, number]


@pytest.mark.parametrize("leaf", [0x4, 0x8000001D])
@pytest.mark.parametrize("cpus", SIZES)
def test_caches_are_shared_by_this_machine(tables, cpus, leaf):
    """No first or second level cache is shared, the third by all; no cores beyond this VM's."""
    ids = 1 << (cpus - 1).bit_length()
    for leaves in tables(cpus).given:
        for (at, _), (eax, _, _, _) in leaves.items():
            if at != leaf or eax & 0x1F == 0:
                continue
            assert (eax >> 14 & 0xFFF) + 1 == (ids if eax >> 5 & 7 >= 3 else 1)
            assert leaf != 0x4 or (eax >> 26) + 1 == min(ids, 64)


@pytest.mark.parametrize("cpus", SIZES)
def test_cores_of_amd(tables, cpus):
    for leaves in tables(cpus).given:
        ecx = leaves[(0x80000008, 0)][ECX]
        assert ecx & 0xFF == cpus - 1
        assert ecx >> 12 & 0xF == (cpus - 1).bit_length()


@pytest.mark.parametrize("cpus", SIZES)
def test_processors_know_their_numbers(cpus):
    """Every one is started, and reads its APIC id from both leaves."""
    result = volt.run("--cpus", cpus, kernel="smp")
    assert result.status == 0, result
    rows = re.findall(r"^cpu=(\w+) (\w+)$", result.text, re.M)
    assert [tuple(int(n, 16) for n in row) for row in rows] == [(n, n) for n in range(cpus)]


def test_changes_of_the_user(tmp_path):
    result, calls = strace.trace(tmp_path, "ioctl", "--cpuid", "0x1:0:ecx=0b0" + "x" * 31, "--cpuid", "0x80000007:0:edx=0b0xxxxxxxx",
                                 kernel="hello")
    assert result.status == 0, result
    given = parse_entries(next(c for c in strace.kvm_calls(calls) if c.request == "KVM_SET_CPUID2"))
    assert given[0x1, 0][ECX] & HYPERVISOR == 0
    assert given[0x80000007, 0][EDX] == 0


def test_leaf_that_kvm_does_not_have():
    volt.assert_fault(volt.run("--cpuid", "0x7:9:ebx=0bx", kernel="hello"), volt.STATUS_CONFIGURATION,
                      "--cpuid 0x7:0x9: this host's KVM has no such leaf")


# What a processor changes while it runs, or computes: OSXSAVE, OSPKE, sizes of the XSAVE area.
DYNAMIC = {(0x1, 0): (ECX, 1 << 27), (0x7, 0): (ECX, 1 << 4)}
COMPUTED = [0xD]


@pytest.mark.linux
def test_guest_reads_what_was_promised(tables):
    result = volt.run(kernel="cpuid")
    assert result.status == 0, result
    seen = {tuple(int(n, 16) for n in name.split(":")): registers for name, registers in volt.fields(result).items()}
    for key, registers in tables(1).given[0].items():
        if key[0] in COMPUTED or key not in seen:
            continue
        register, bits = DYNAMIC.get(key, (EAX, 0))
        mask = [0xFFFFFFFF & ~bits if n == register else 0xFFFFFFFF for n in range(4)]
        assert [a & m for a, m in zip(seen[key], mask)] == [a & m for a, m in zip(registers, mask)], key
