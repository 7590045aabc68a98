# SPDX-License-Identifier: Apache-2.0
"""What volt-vmm asks of KVM and of the kernel: order, counts, and what it says when KVM is missing."""
import shutil
import subprocess

import pytest

import strace
import volt

MOST_IOCTLS = 16
MEMORY, IRQCHIP, VCPU, IRQFD, RUN = ("KVM_SET_USER_MEMORY_REGION", "KVM_CREATE_IRQCHIP", "KVM_CREATE_VCPU",
                                     "KVM_IRQFD", "KVM_RUN")
COALESCE = "KVM_REGISTER_COALESCED_MMIO"
OPENS = "open,openat,openat2,creat,socket,memfd_create"
MAKES = "mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,renameat,renameat2,fork,vfork,execve,execveat"


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """The requests to KVM of one run, for these options."""
    made = {}

    def get(*options):
        if options not in made:
            result, calls = strace.trace(tmp_path_factory.mktemp("trace"), "ioctl", *options, kernel="hello")
            assert result.status == 0, result
            made[options] = [call.request for call in strace.kvm_calls(calls)]
        return made[options]
    return get


def before_run(requests):
    return requests[:requests.index(RUN)]


OPTIONS = [(), ("--cpus", "4"), ("--memory", "6G"), ("--pit", "on"), ("--acpi", "off"), ("--huge-pages", "off")]


@pytest.mark.parametrize("options", OPTIONS)
def test_memory_comes_before_all_that_is_on_the_bus(traced, options):
    """Registered later, each slot would wait for the readers of KVM's I/O bus: 14 times the time."""
    requests = before_run(traced(*options))
    last_memory = max(n for n, request in enumerate(requests) if request == MEMORY)
    for request in (IRQCHIP, "KVM_CREATE_PIT2", VCPU, IRQFD, "KVM_IOEVENTFD", COALESCE):
        assert request not in requests or requests.index(request) > last_memory


@pytest.mark.parametrize("options", OPTIONS)
def test_order_of_what_follows(traced, options):
    """The irqchip before the vCPUs that have its local APICs; eventfds last of all."""
    requests = before_run(traced(*options))
    last_vcpu = max(n for n, request in enumerate(requests) if request == VCPU)
    assert requests.index(IRQCHIP) < requests.index(VCPU)
    assert requests.index(IRQFD) > last_vcpu
    assert set(requests[requests.index(IRQFD):]) <= {IRQFD, "KVM_IOEVENTFD", COALESCE}


def test_count_of_requests(traced):
    requests = before_run(traced())
    assert len(requests) <= MOST_IOCTLS
    assert len(before_run(traced("--memory", "6G"))) == len(requests) + 1


def test_requests_of_another_processor(traced):
    """Creation, CPUID and MSRs; nothing else grows with the number of vCPUs."""
    more = before_run(traced("--cpus", "4"))
    for request in before_run(traced()):
        more.remove(request)
    assert sorted(more) == sorted([VCPU, "KVM_SET_CPUID2", "KVM_SET_MSRS"] * 3)


@pytest.mark.parametrize("options, pit", [
    ((), 0), (("--acpi", "off"), 1), (("--pit", "on"), 1), (("--acpi", "off", "--pit", "off"), 0)])
def test_timer_only_where_it_is_needed(traced, options, pit):
    assert traced(*options).count("KVM_CREATE_PIT2") == pit


def test_counted_as_strace_counts(here):
    """The metrics' count: all but KVM_RUN."""
    result, calls = strace.trace(here.parent, "ioctl", "--metrics-path", "m", kernel="hello")
    assert result.status == 0
    requests = [call.request for call in strace.kvm_calls(calls)]
    assert volt.metrics("m")["kvm"]["ioctls"] == len(requests) - requests.count(RUN)


def test_nothing_is_opened_once_the_guest_runs(here):
    """What a sandbox would refuse, is not tried: no file, no socket, no process."""
    result, calls = strace.trace(here.parent, f"ioctl,{OPENS},{MAKES}", "--log-level", "debug", "--log-path", "log",
                                 "--metrics-path", "m", "--cpus", "2", kernel="hello")
    assert result.status == 0
    first_run = next(n for n, call in enumerate(calls) if call.name == "ioctl" and call.request == RUN)
    assert [call for call in calls[first_run:] if call.name != "ioctl"] == []


def test_no_file_is_made_that_was_not_asked_for(here):
    result, calls = strace.trace(here.parent, f"{OPENS},{MAKES}", kernel="hello")
    assert result.status == 0
    made = [call for call in calls if "O_CREAT" in call.arguments or "O_TMPFILE" in call.arguments
            or call.name not in ("openat", "execve")]
    assert made == []
    assert [call.name for call in calls].count("execve") == 1
    assert list(here.iterdir()) == []


def in_mounts(script, *options):
    """Run a shell script in a mount namespace of its own; $@ is volt-vmm with a guest."""
    done = subprocess.run([*volt.OWN_MOUNTS, "sh", "-ec", script, "sh", *volt.command(*options)],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=volt.LIMIT_S)
    return volt.Result(done.returncode, done.stdout, done.stderr)


def test_kvm_is_missing():
    result = in_mounts("mount -t tmpfs none /dev; exec \"$@\"")
    volt.assert_fault(result, volt.STATUS_FAILED, "/dev/kvm is missing: enable virtualization in the firmware "
                      "and load kvm_intel or kvm_amd")


def test_kvm_is_no_device_of_ours():
    """/dev/null takes every open and no ioctl."""
    volt.assert_fault(in_mounts("mount --bind /dev/null /dev/kvm; exec \"$@\""), volt.STATUS_FAILED, "/dev/kvm")


def test_no_permission(tmp_path):
    device = tmp_path / "kvm"
    device.touch(0)
    drop = "exec setpriv --bounding-set=-all --inh-caps=-all \"$@\""
    result = in_mounts(f"mount --bind {device} /dev/kvm; {drop}")
    volt.assert_fault(result, volt.STATUS_FAILED, "no permission to open /dev/kvm: join the group kvm "
                      "(usermod -aG kvm USER) and log in again")


def test_status_without_kvm_and_with_a_workload():
    assert in_mounts("mount -t tmpfs none /dev; exec \"$@\"", "--", "x").status == volt.STATUS_VOLT_FAILED


def test_starts_in_an_empty_root(tmp_path):
    """One static file: with it the kernel and dev/kvm, and nothing else, no /proc and no /dev/null."""
    root = tmp_path / "root"
    (root / "dev").mkdir(parents=True)
    (root / "dev/kvm").touch()
    for source, name in ((volt.VMM, "volt-vmm"), (volt.guest("hello"), "kernel")):
        shutil.copy(source, root / name)
    script = f"mount --bind /dev/kvm {root}/dev/kvm; exec chroot {root} /volt-vmm --kernel /kernel --cpus 2 $0"
    skip = "--sandbox-skip=namespaces"  # the kernel gives a chroot no user namespace
    done = subprocess.run([*volt.OWN_MOUNTS, "sh", "-ec", script, skip], stdin=subprocess.DEVNULL, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"hello from PVH")
    assert sorted(path.name for path in root.rglob("*")) == ["dev", "kernel", "kvm", "volt-vmm"]

