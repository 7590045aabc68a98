# SPDX-License-Identifier: Apache-2.0
"""Guest memory of every size, limits of the host, and what the monitor itself takes."""
import os
import pathlib
import re
import resource
import subprocess

import pytest

import volt

MIB = 1 << 20
GUEST_MIB = 128
OWN_MIB = 2  # the monitor's own memory beside the guest's, at most
RUNS = 200

WAIT = ["--cmdline", "!"]

# Only root can look into a process that is not dumpable.
VISIBLE = [] if os.geteuid() == 0 else ["--sandbox-skip", "limits"]


def start(*options, **more):
    """A machine whose guest is ready and waits."""
    vm = volt.Vm(*WAIT, *VISIBLE, *options, **more)
    vm.wait_for()
    return vm


def mappings(pid):
    """(size in KiB, {name: KiB}) of each mapping, from smaps."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    for part in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.M)[1:]:
        sizes = {name: int(size) for name, size in re.findall(r"^(\w+): +(\d+) kB$", part, re.M)}
        yield sizes["Size"], sizes


def own_memory(pid):
    """KiB that are this process's alone: (guest memory, the rest)."""
    guest = rest = 0
    for size, sizes in mappings(pid):
        own = sizes["Private_Clean"] + sizes["Private_Dirty"] + sizes["Private_Hugetlb"]
        if size == GUEST_MIB * 1024:
            guest += own
        else:
            rest += own
    return guest, rest


def host_memory():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_own_memory_is_small():
    with start() as vm:
        guest, rest = own_memory(vm.pid)
    assert 0 < guest < 64 * 1024  # it has been found: what the boot wrote, with 2 MiB pages
    assert rest < OWN_MIB * 1024


def test_memory_is_taken_as_it_is_touched():
    with start("--huge-pages", "off") as vm:
        guest, _ = own_memory(vm.pid)
    assert guest < MIB // 1024


def test_prefault_takes_all_at_the_start():
    with start("--prefault", "on") as vm:
        guest, _ = own_memory(vm.pid)
    assert guest == GUEST_MIB * 1024


@pytest.mark.parametrize("huge, pages", [("off", "4k"), ("thp", "thp")])
def test_pages(here, huge, pages):
    assert volt.run("--huge-pages", huge, "--metrics-path", "m").status == 0
    assert volt.metrics("m")["memory"] == {"bytes": GUEST_MIB * MIB, "pages": pages,
                                           "boot_bytes_copied": volt.metrics("m")["memory"]["boot_bytes_copied"]}


def reserved_pages():
    return int(re.search(r"^HugePages_Free: +(\d+)$", pathlib.Path("/proc/meminfo").read_text(), re.M)[1])


def test_reserved_pages_that_are_not_there(here):
    """One more than the host has: falls back, and says so."""
    pages = max(64, reserved_pages() + 1)
    result = volt.run("--huge-pages", "2M", "--memory", f"{2 * pages}M", "--metrics-path", "m")
    assert result.status == 0, result
    assert f"no {pages} free 2 MiB pages (/proc/sys/vm/nr_hugepages): using 4 KiB pages" in result.err
    assert volt.metrics("m")["memory"]["pages"] == "4k"


def test_above_four_gib():
    got = volt.fields(volt.run("--memory", "6G", kernel="highmem"))
    assert volt.number(got["first"]) == volt.number(got["last"]) == 0x1122334455667788
    assert volt.number(got["below"]) == 0


def test_nothing_is_above_four_gib_in_a_small_machine():
    got = volt.fields(volt.run("--memory", "3G", kernel="highmem"))
    assert volt.number(got["first"]) == volt.number(got["last"]) == (1 << 64) - 1


def test_more_than_the_host_has():
    gib = 2 * (host_memory() >> 30) + 2
    result = volt.run("--memory", f"{gib}G")
    assert result.status == 0, result
    assert len(result.lines) == 1
    assert f"guest memory {gib * 1024} MiB is more than this host's" in result.err


def test_as_much_as_the_host_has_is_no_reason_to_warn():
    gib = max(1, (host_memory() >> 30) - 1)
    result = volt.run("--memory", f"{gib}G")
    assert (result.status, result.err) == (0, ""), result


def limited(which, value):
    return {"preexec_fn": lambda: resource.setrlimit(which, (value, value))}


@pytest.mark.parametrize("mib", [8, 64, 128])
def test_too_little_address_space(mib):
    result = volt.run(**limited(resource.RLIMIT_AS, mib * MIB))
    volt.assert_fault(result, volt.STATUS_FAILED, "--memory", "128 MiB", "Cannot allocate memory")


def test_too_little_data_space():
    """A limit on private memory stops it where the reservation becomes memory."""
    result = volt.run(**limited(resource.RLIMIT_DATA, 64 * MIB))
    volt.assert_fault(result, volt.STATUS_FAILED, "--memory", "guest memory of 128 MiB", "ask for less with --memory")


def test_too_few_descriptors(here):
    """Each one that it opens is refused once: always one line that says so, and no file left."""
    words = ["--metrics-path", "m", "--cpus", "3"]
    for limit in range(3, 64):
        result = volt.run(*words, **limited(resource.RLIMIT_NOFILE, limit))
        if result.status == 0:
            break
        assert len(result.lines) == 1 and "Too many open files" in result.err, (limit, result)
        assert result.status in (volt.STATUS_FAILED, volt.STATUS_CONFIGURATION), (limit, result)
    assert result.status == 0 and limit > 12


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_many_runs_leave_nothing(here):
    """Each ends in order with the same descriptors open; no file is left where it ran."""
    counts = set()
    for _ in range(RUNS):
        with volt.Vm(*VISIBLE, kernel="echo", stdin=subprocess.PIPE) as vm:
            vm.wait_for()
            counts.add(descriptors(vm.pid))
            vm.type(b"q")
            result = vm.finish()
        assert (result.status, result.err) == (0, ""), result
    assert len(counts) == 1
    assert list(here.iterdir()) == []


def thread_names(pid):
    return sorted(path.read_text().strip() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/comm"))


@pytest.mark.parametrize("cpus", [1, 2, 255])
def test_descriptors_and_threads_by_processor(cpus):
    """One of each a vCPU; the thread bears its name. (KVM may have a thread of its own here.)"""
    with start("--cpus", cpus) as vm:
        many = descriptors(vm.pid)
        want = sorted(["volt-vmm", *(f"vcpu {n}" for n in range(cpus))])
        # A thread takes its name when it first runs, which on a busy host may be later than the guest.
        volt.wait_until(lambda: [name for name in thread_names(vm.pid) if not name.startswith("kvm")] == want,
                        "a thread of each vCPU")
    with start() as vm:
        assert many - descriptors(vm.pid) == cpus - 1
