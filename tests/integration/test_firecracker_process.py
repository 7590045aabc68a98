# SPDX-License-Identifier: Apache-2.0
"""A process called `firecracker`: its command line, configuration file, log, metrics, and how it ends."""
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

import fcclient
import volt
from fcclient import STATUS_ARGUMENTS, STATUS_CONFIGURATION, STATUS_FAILED, Firecracker, GoClient

SOCKET = "firecracker.socket"
START = ["--api-sock", SOCKET]

SYS_TGKILL = 234

# What a word of the guest's own does: the API adds words of its own behind.
POWEROFF, REBOOT, I8042_RESET, PANIC, FAULT = "o600=34", "o602=1", "o64=fe", "o505=1", "f"


def boot(words=None, kernel="echo", **more):
    """A configuration file's JSON for a bare guest."""
    source = {"kernel_image_path": str(volt.guest(kernel)), **({} if words is None else {"boot_args": words})}
    return {"boot-source": source, "drives": [], **more}


def write_config(config, path="config.json"):
    with open(path, "w") as file:
        file.write(config if isinstance(config, str) else json.dumps(config))
    return path


def run_config(config, *options):
    return fcclient.run("--no-api", "--config-file", write_config(config), *options)


@pytest.fixture
def waiting(here):
    """One that waits to be configured."""
    with Firecracker(*START) as process:
        fcclient.wait_for_socket(SOCKET)
        yield process


@pytest.fixture
def echo(here):
    """One with a guest that gives back what it is sent, and ends with q."""
    with Firecracker(*START, "--config-file", write_config(boot()), "--metrics-path", "m", stdin=subprocess.PIPE) as process:
        process.wait_for()
        yield process


def assert_error(result, status, *words):
    """It ended with one line on stderr that has all these words in it."""
    assert result.status == status, result
    assert len(result.lines) == 1 and result.lines[0].startswith("Error: "), result
    for word in words:
        assert str(word) in result.lines[0], result


# --- the command line ---

def test_version_as_kata_reads_it():
    result = fcclient.run("--version")
    first, second, *rest = result.text.split("\n")
    assert (result.status, first, second) == (0, "Firecracker v1.16.1", "")
    number = first.split(" ")[1].removeprefix("v")
    assert tuple(map(int, number.split("."))) >= (0, 21, 1)


def test_help_has_every_flag():
    """Those of Firecracker 1.16, whether Volt has what they ask for or not."""
    flags = set(re.findall(r"^  --([a-z-]+)", fcclient.run("--help").text, re.M))
    assert flags == {"api-sock", "id", "seccomp-filter", "no-seccomp", "start-time-us", "start-time-cpu-us",
                     "parent-cpu-time-us", "config-file", "metadata", "no-api", "log-path", "level", "module", "show-level",
                     "show-log-origin", "metrics-path", "boot-timer", "version", "snapshot-version", "describe-snapshot",
                     "http-api-max-payload-size", "mmds-size-limit", "enable-pci", "help"}


@pytest.mark.parametrize("words, fault", [
    (["--colour"], "--colour: unknown argument"),
    (["--kernel", "k"], "--kernel: unknown argument"),
    (["--id", "a_b"], "expected 1 to 64 of A-Z a-z 0-9 -"),
    (["--no-api"], "needs --config-file"),
    (["--seccomp-filter", "f", "--no-seccomp"], "exclude each other"),
    (["--enable-pci"], "there is no PCI bus"),
    (["--metadata=f"], "no metadata service"),
])
def test_wrong_arguments(here, words, fault):
    assert_error(fcclient.run(*words), STATUS_ARGUMENTS, "Arguments parsing error: ", fault)
    assert list(here.iterdir()) == []


def test_wrong_level_of_the_log(here):
    assert_error(fcclient.run("--level", "loud"), STATUS_CONFIGURATION, "level loud: expected Error, Warning")


def test_symbolic_link_works_too(here):
    os.symlink(volt.VMM, "firecracker")
    done = subprocess.run(["./firecracker", "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("Firecracker v")


def test_longest_body(here):
    with Firecracker(*START, "--http-api-max-payload-size", "100"):
        fcclient.wait_for_socket(SOCKET)
        with GoClient(SOCKET) as client:
            assert client.call("PUT", "/boot-source", {"kernel_image_path": "x" * 100})[0] == 413


def test_no_seccomp_leaves_the_other_layers(here):
    config = write_config(boot())
    for options, filters in [([], {"2"}), (["--no-seccomp"], {"0"})]:
        with Firecracker("--no-api", "--config-file", config, *options) as process:
            process.wait_for()
            found = [dict(line.split(":\t", 1) for line in open(f"/proc/{process.pid}/task/{task}/status") if ":\t" in line)
                     for task in os.listdir(f"/proc/{process.pid}/task")]
            assert {status["Seccomp"].strip() for status in found} == filters
            assert {status["NoNewPrivs"].strip() for status in found} == {"1"}
            assert {status["CapEff"].strip() for status in found} == {"0" * 16}


# --- the socket ---

def test_socket_that_exists_is_refused_and_stays(here):
    (here / SOCKET).write_text("mine")
    result = fcclient.run(*START)
    assert_error(result, STATUS_FAILED, f"Failed to open the API socket at: {SOCKET}")
    assert (here / SOCKET).read_text() == "mine"


def test_socket_stays_behind(echo):
    """As Firecracker leaves it: whoever starts the next one removes it."""
    echo.type(b"q")
    result = echo.finish()
    assert (result.status, result.err) == (0, ""), result
    assert os.path.exists(SOCKET)


# --- the configuration file ---

def test_configuration_file_starts_at_once(echo):
    with GoClient(SOCKET) as client:
        info = client.get("/")
        assert info == {"app_name": "Firecracker", "id": "anonymous-instance", "state": "Running", "vmm_version": "1.16.1"}
    echo.type(b"ab")
    echo.wait_for(b"ab")
    assert fcclient.threads(echo.pid)[:2] == ["fc_vcpu 0", "firecracker"]


def test_without_an_api(here):
    result = run_config(boot(f"! {POWEROFF}", kernel="do"))
    assert (result.status, result.out.count(b"ready\n"), result.err) == (0, 1, ""), result
    assert os.listdir() == ["config.json"]


@pytest.mark.parametrize("config, words", [
    ("{", ["config.json:1:"]),
    ("[]", ["expected a JSON object"]),
    ('{"drives": [], "drives": []}', ["duplicate"]),
    ({"drives": []}, ["boot-source: missing"]),
    ({"boot-source": {"kernel_image_path": "/dev/null"}}, ["drives: missing"]),
    (boot(colour="red"), ["colour: unknown key"]),
    (boot(serial={}), ["serial: unknown key"]),
    (boot(**{"machine-config": {"vcpu_count": 1, "mem_size_mib": 128, "colour": 1}}), ["machine-config", "colour"]),
    (boot(**{"machine-config": {"vcpu_count": 33, "mem_size_mib": 128}}), ["machine-config", "vcpu_count"]),
    (boot(**{"network-interfaces": {}}), ["network-interfaces: expected an array"]),
    (boot(**{"network-interfaces": [{"host_dev_name": "tap0"}]}), ["network-interfaces: number 1: iface_id"]),
    (boot(**{"cpu-config": "none.json"}), ["cpu-config", "none.json"]),
    (boot(vsock={"guest_cid": 3, "uds_path": "v.sock"}), ["vsock", "vsock devices"]),
    (boot(balloon={"amount_mib": 1, "deflate_on_oom": False}), ["balloon devices"]),
    (boot(**{"mmds-config": {"network_interfaces": ["eth0"]}}), ["metadata service"]),
    (boot(pmem=[{"id": "p", "path_on_host": "p"}]), ["pmem devices"]),
    (boot(**{"memory-hotplug": {"total_size_mib": 1024}}), ["memory-hotplug"]),
    ({"boot-source": {"kernel_image_path": "none"}, "drives": []}, ["boot-source", "none"]),
])
def test_wrong_configuration_files(here, config, words):
    assert_error(run_config(config), STATUS_CONFIGURATION, "--config-file", *words)


def test_configuration_file_that_is_not_there(here):
    assert_error(fcclient.run("--no-api", "--config-file", "none"), STATUS_CONFIGURATION, "--config-file", "none")


def test_cpu_config_in_a_file_of_its_own(here):
    (here / "cpu.json").write_text("{}")
    assert run_config(boot(f"! {POWEROFF}", kernel="do", **{"cpu-config": "cpu.json"})).status == 0


def test_in_a_jail(here):
    """As the jailer leaves it: an empty root with itself, the devices, and paths within."""
    jail = here / "jail"
    (jail / "dev").mkdir(parents=True)
    (jail / "run").mkdir()
    (jail / "dev/kvm").touch()
    shutil.copy(fcclient.FIRECRACKER, jail)
    shutil.copy(volt.guest("do"), jail / "vmlinux")
    (jail / "disk").write_bytes(bytes(1 << 20))
    write_config({"boot-source": {"kernel_image_path": "vmlinux", "boot_args": f"! {POWEROFF}"},
                  "drives": [{"drive_id": "a", "path_on_host": "/disk", "is_root_device": False}]}, jail / "c.json")
    script = "mount --bind /dev/kvm jail/dev/kvm && exec chroot jail /firecracker --id=x --start-time-us=1 " \
             "--start-time-cpu-us=2 --api-sock run/firecracker.socket --config-file c.json --metrics-path m"
    done = subprocess.run([*volt.OWN_MOUNTS, "sh", "-c", script], capture_output=True, timeout=volt.LIMIT_S)
    assert (done.returncode, done.stderr) == (0, b""), done
    assert b"ready\n" in done.stdout
    assert "block_a" in fcclient.lines(jail / "m")[0] and (jail / "run/firecracker.socket").is_socket()


# --- how it ends ---

@pytest.mark.parametrize("words", [POWEROFF, REBOOT, I8042_RESET, PANIC, FAULT])
def test_guest_that_ends_by_itself(here, words):
    result = run_config(boot(words, kernel="do"))
    assert (result.status, result.err) == (0, ""), result


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_default_death(echo, number):
    """Its parent sees the signal, as of any process that does nothing about it."""
    echo.send(number)
    result = echo.finish()
    assert (result.status, result.err) == (-number, ""), result
    assert os.path.exists(SOCKET)
    assert fcclient.lines("m")[-1]["signals"]["sighup"] == 0


def test_death_before_the_start(waiting):
    waiting.send()
    assert waiting.finish().status == -signal.SIGTERM
    assert os.path.exists(SOCKET)


def test_death_while_paused(echo):
    with GoClient(SOCKET) as client:
        assert client.call("PATCH", "/vm", {"state": "Paused"}) == (204, None)
        echo.send()
        assert echo.finish().status == -signal.SIGTERM


@pytest.mark.parametrize("number, status", [(signal.SIGHUP, 156), (signal.SIGSYS, 148), (signal.SIGBUS, 149),
                                            (signal.SIGSEGV, 150), (signal.SIGXCPU, 154), (signal.SIGILL, 157)])
def test_signals_with_a_status(echo, number, status):
    echo.send(number)
    assert echo.finish().status == status


def test_fatal_signal_of_a_vcpu(echo):
    """It may end the process, too, in its sandbox."""
    tid, = [int(tid) for tid in os.listdir(f"/proc/{echo.pid}/task")
            if open(f"/proc/{echo.pid}/task/{tid}/comm").read() == "fc_vcpu 0\n"]
    assert ctypes.CDLL(None).syscall(SYS_TGKILL, echo.pid, tid, signal.SIGSEGV) == 0
    assert echo.finish().status == 150


def test_sighup_is_counted(echo):
    echo.send(signal.SIGHUP)
    echo.finish()
    assert fcclient.lines("m")[-1]["signals"]["sighup"] == 1


# --- the log ---

LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}) \[([^\]]*)\] (.*)")


def log_of(text):
    """[(what is in brackets, the rest)]"""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [match.groups()[1:] for match in found]


def test_lines_of_the_log(here):
    result = run_config(boot(POWEROFF, kernel="do"), "--id", "vm-1", "--log-path", "log", "--show-level",
                        "--show-log-origin")
    assert result.status == 0, result
    lines = log_of((here / "log").read_text())
    assert lines[0][1].startswith("Running Firecracker v1.16.1")
    assert re.fullmatch(r"vm-1:main:INFO:vmm/main/firecracker\.c:\d+", lines[0][0])
    assert any(text == "the guest powered off" for _, text in lines)
    assert result.out == b""


def test_log_is_on_stdout_and_short_by_default(here):
    result = run_config(boot(POWEROFF, kernel="do"))
    lines = log_of(result.text)
    assert {tag for tag, _ in lines} == {"anonymous-instance:main"}


def test_put_logger_sets_all_anew(here):
    """As the SDK's requests do; path and module stay where nobody names others."""
    with Firecracker(*START, "--log-path", "first", "--show-log-origin", "--level", "Error") as process:
        fcclient.wait_for_socket(SOCKET)
        with GoClient(SOCKET) as client:
            client.put("/logger", {"level": "info", "show_level": True, "show_log_origin": False})
            client.put("/logger", {"level": "Info", "log_path": "second", "show_level": True})
            assert "level" in client.fault("PUT", "/logger", {"level": "loud"})
            assert "cannot write to none/log" in client.fault("PUT", "/logger", {"log_path": "none/log", "level": "Error"})
            client.put("/boot-source", {"kernel_image_path": str(volt.guest("do")), "boot_args": POWEROFF})
            client.put("/actions", {"action_type": "InstanceStart"})
            assert process.finish().status == 0
    assert (here / "first").read_text() == ""
    assert {tag for tag, _ in log_of((here / "second").read_text())} == {"anonymous-instance:main:INFO"}


@pytest.mark.parametrize("options, count", [
    (["--level", "OFF"], 0), (["--level", "Error"], 0), (["--module", "vmm::devices"], 0),
    (["--level", "info", "--module", "vmm::main"], 2),
])
def test_which_lines_are_logged(here, options, count):
    """The first line and the guest's end are the process's, vmm::main's."""
    assert len(log_of(run_config(boot(POWEROFF, kernel="do"), *options).text)) == count


def test_fault_is_logged_too(here):
    result = run_config(boot(colour=1), "--log-path", "log", "--level", "Error", "--show-level")
    assert result.status == STATUS_CONFIGURATION
    lines = log_of((here / "log").read_text())
    assert all(tag == "anonymous-instance:main:ERROR" for tag, _ in lines) and "colour" in lines[0][1]


def test_log_and_metrics_on_pipes_without_readers(here):
    """As the SDK and Kata make them, before they read; nothing waits for that."""
    os.mkfifo("log")
    os.mkfifo("metrics")
    result = run_config(boot(POWEROFF, kernel="do", logger={"log_path": "log", "level": "Debug", "show_level": True},
                             metrics={"metrics_path": "metrics"}))
    assert (result.status, result.err) == (0, ""), result


def test_log_and_metrics_on_pipes_with_readers(here):
    os.mkfifo("log")
    os.mkfifo("metrics")
    readers = [os.open(name, os.O_RDONLY | os.O_NONBLOCK) for name in ("log", "metrics")]
    config = boot(POWEROFF, kernel="do", logger={"log_path": "log", "level": "Info"}, metrics={"metrics_path": "metrics"})
    assert run_config(config).status == 0
    log, metrics = [os.read(fd, 65536).decode() for fd in readers]
    assert any(text == "the guest powered off" for _, text in log_of(log))
    assert json.loads(metrics)["uart"]["write_count"] == 0


# --- metrics ---

def test_metrics_are_differences(echo):
    with GoClient(SOCKET) as client:
        echo.type(b"abc")
        echo.wait_for(b"abc")
        client.put("/actions", {"action_type": "FlushMetrics"})
        client.get("/version")
        client.fault("PUT", "/boot-source", {"kernel_image_path": "x"})
        client.put("/actions", {"action_type": "FlushMetrics"})
        client.call("PATCH", "/vm", {"state": "Paused"})
        client.call("PATCH", "/vm", {"state": "Resumed"})
        echo.type(b"q")
        echo.finish()
    first, second, last = fcclient.lines("m")
    assert list(first)[:2] == ["utc_timestamp_ms", "api_server"]
    assert second["utc_timestamp_ms"] >= first["utc_timestamp_ms"] > 1_700_000_000_000
    assert first["uart"]["read_count"] == 3 and second["uart"]["read_count"] == 0
    assert first["put_api_requests"]["actions_count"] == 0  # it is not answered yet
    assert second["put_api_requests"]["actions_count"] == 1
    assert second["get_api_requests"]["vmm_version_count"] == 1
    assert (second["put_api_requests"]["boot_source_count"], second["put_api_requests"]["boot_source_fails"]) == (1, 1)
    assert last["get_api_requests"]["vmm_version_count"] == 0
    assert last["latencies_us"]["pause_vm"] > 0 and last["latencies_us"]["resume_vm"] > 0
    assert first["vcpu"]["exit_io_in"] > 0 and first["vcpu"]["exit_io_out"] > 0


def test_sigusr1_writes_metrics_too(echo):
    echo.send(signal.SIGUSR1)
    volt.wait_until(lambda: os.path.getsize("m") > 0, "the metrics")
    echo.send(signal.SIGUSR1)
    volt.wait_until(lambda: len(fcclient.lines("m")) == 2, "more of them")


def test_metrics_of_devices(here):
    for name in ("a", "b"):
        (here / name).write_bytes(bytes(1 << 20))
    drives = [{"drive_id": name, "path_on_host": name, "is_root_device": False} for name in ("a", "b")]
    config = {**boot(POWEROFF, kernel="do", entropy={}), "drives": drives}
    assert run_config(config, "--metrics-path", "m").status == 0
    line, = fcclient.lines("m")
    for section in ("block", "block_a", "block_b"):
        assert line[section]["read_count"] == 0 and "flush_count" in line[section]
    assert line["entropy"]["entropy_bytes"] == 0
    assert {"net", "i8042", "logger", "interrupts", "signals", "vmm", "seccomp"} <= set(line)


def test_metrics_go_to_one_place(waiting):
    with GoClient(SOCKET) as client:
        client.put("/metrics", {"metrics_path": "m", "emit_id": True, "properties": {"rack": "7"}})
        assert "already" in client.fault("PUT", "/metrics", {"metrics_path": "other"})
        client.put("/boot-source", {"kernel_image_path": str(volt.guest("do")), "boot_args": POWEROFF})
        client.put("/actions", {"action_type": "InstanceStart"})
    assert waiting.finish().status == 0
    line, = fcclient.lines("m")
    assert (line["id"], line["properties"]) == ("anonymous-instance", {"rack": "7"})
    assert not os.path.exists("other")


def test_line_that_fills_its_pipe_is_finished_later(here):
    """Nothing of a line is lost, and no line begins within another."""
    os.mkfifo("metrics")
    reader = os.open("metrics", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, 1031, 4096)  # F_SETPIPE_SZ
    with Firecracker(*START, "--config-file", write_config(boot()), "--metrics-path", "metrics", stdin=subprocess.PIPE) as vm:
        vm.wait_for()
        data = b""
        with GoClient(SOCKET) as client:
            for turn in range(12):
                client.put("/actions", {"action_type": "FlushMetrics"})
                if turn > 6:
                    data += os.read(reader, 65536)
            vm.type(b"q")
            vm.finish()
    data += os.read(reader, 65536)
    lines = [json.loads(line) for line in data.decode().splitlines()]
    assert sum(line["put_api_requests"]["actions_count"] for line in lines) == 12
    assert sum(line["logger"]["missed_metrics_count"] for line in lines) > 0


def test_startup_time(here):
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    result = run_config(boot(POWEROFF, kernel="do"), "--metrics-path", "m", f"--start-time-us={now - 5_000_000}",
                        "--start-time-cpu-us=0", "--parent-cpu-time-us=1000000")
    assert result.status == 0, result
    server = fcclient.lines("m")[0]["api_server"]
    assert server["process_startup_time_us"] > 5_000_000
    assert server["process_startup_time_cpu_us"] > 1_000_000
