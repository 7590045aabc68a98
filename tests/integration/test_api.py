# SPDX-License-Identifier: Apache-2.0
"""The API: what it answers, in which state, and what no client can do to it."""
import json
import os
import signal
import socket
import stat
import subprocess

import pytest

import api
import disks
import volt
from api import START, Client, vm, wait_for_socket, waiting  # noqa: F401 (fixtures)

# --- the socket ---

def test_socket_is_the_owners_and_goes_with_the_machine(vm):
    assert stat.S_IMODE(os.stat("api").st_mode) == 0o600
    vm.send()
    vm.finish()
    assert not os.path.exists("api")


def test_path_that_exists_is_refused_and_stays(here):
    (here / "api").write_text("mine")
    result = volt.run(*START)
    volt.assert_fault(result, volt.STATUS_CONFIGURATION, "--api-socket: api exists: remove it if no machine uses it")
    assert (here / "api").read_text() == "mine"


def test_folder_that_does_not_exist(here):
    volt.assert_fault(volt.run("--api-socket", "none/api"), volt.STATUS_CONFIGURATION,
                      "--api-socket: cannot make none/api: No such file or directory")


def test_path_that_is_too_long(here):
    volt.assert_fault(volt.run("--api-socket", "a" * 108), volt.STATUS_CONFIGURATION, "is longer than 107 characters")


def test_nothing_is_left_where_the_machine_cannot_start(here):
    (here / "kernel").write_bytes(b"no kernel" * 1000)
    assert volt.run(*START, kernel=here / "kernel").status != 0
    assert not os.path.exists("api")


def test_somebody_elses_socket_is_left_alone(vm):
    """In the place of one that was removed."""
    os.unlink("api")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("api")
        vm.send()
        vm.finish()
        assert os.path.exists("api")


# --- a machine that runs ---

def test_health(vm):
    with Client() as client:
        assert client.get("/health") == {"status": "ok"}


def test_pause_and_resume(vm):
    with Client() as client:
        assert client.state() == "running"
        assert client.act("pause") == (200, {"state": "paused"})
        assert client.fault(409, "PUT", "/v1/vm/state", {"action": "pause"}) == \
            "the machine is paused, so it cannot be paused"
        assert client.act("resume") == (200, {"state": "running"})
        assert client.fault(409, "PUT", "/v1/vm/state", {"action": "resume"}) == \
            "the machine is running, so it cannot be resumed"
        assert client.fault(409, "PUT", "/v1/vm/state", {"action": "start"}) == \
            "the machine is running, so it cannot be started"


def test_guest_stands_still_while_paused(here):
    """It echoes what is typed, but for that time."""
    with volt.Vm(*START, "--cpus", "2", kernel="echo", stdin=subprocess.PIPE) as vm, Client() as client:
        vm.wait_for()
        vm.type(b"a")
        vm.wait_for(b"a")
        for _ in range(20):
            assert client.act("pause")[0] == 200
            exits = client.get("/v1/metrics")
            assert client.get("/v1/metrics").split(b"volt_start")[0] == exits.split(b"volt_start")[0]
            assert client.act("resume")[0] == 200
        client.act("pause")
        vm.type(b"b")
        client.act("resume")
        vm.wait_for(b"b")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_paused_machine_can_be_ended(vm, number):
    with Client() as client:
        client.act("pause")
        vm.send(number)
        assert vm.finish().status == 1


def test_stop_asks_the_guest(here):
    with volt.Vm("--cmdline", "off", "--log-level", "info", *START, kernel="keyboard") as vm:
        vm.wait_for()
        with Client() as client:
            assert client.act("pause")[0] == 200
            assert client.act("stop")[0] == 200
            result = vm.finish()
    assert result.status == 0, result
    assert "asked the guest to shut down by Ctrl-Alt-Del" in result.err


def test_kill(vm):
    with Client() as client:
        assert client.act("kill")[0] == 200
        assert vm.finish().status == 1


def test_metrics_are_prometheus(vm):
    with Client() as client:
        text = client.get("/v1/metrics")
    subprocess.run(["promtool", "check", "metrics"], input=text, check=True)
    assert b'volt_machine_state{state="running"} 1\n' in text
    assert b'volt_virtio_accesses_total{device="rng"}' in text
    assert b'volt_sandbox_in_force{part="no_new_privs"} 1\n' in text


def test_configuration_is_told_and_cannot_change(vm):
    with Client() as client:
        assert client.get("/v1/vm/config")["cmdline"] == "!"
        assert client.fault(409, "PUT", "/v1/vm/config", {"cpus": 2}) == \
            "the machine is running, so its configuration cannot change"
        assert client.fault(409, "PATCH", "/v1/vm/config", {"cpus": 2}) == \
            "body: cpus: 2: cannot change once the machine has started"


def test_events(vm):
    with api.raw("api") as sock, Client() as client:
        got = api.events(sock)
        assert next(got)["state"] == "running"
        client.act("pause")
        client.act("resume")
        client.act("kill")
        names = [(event["event"], event.get("exit_status")) for event in got]
    assert names == [("paused", None), ("resumed", None), ("ended", 1)]


def test_device_that_needs_a_reset_is_an_event(waiting):
    """The driver puts the rings of the source of randomness where no memory is."""
    window = 0xC0000000
    writes = [(0x70, 1), (0x70, 3), (0x24, 1), (0x20, 1), (0x70, 11), (0x30, 0), (0x38, 8), (0x80, 0xFFFFFF00),
              (0x90, 0xFFFFFF00), (0xA0, 0xFFFFFF00), (0x44, 1), (0x70, 15)]
    words = " ".join(f"w{window + at:x}={value:x}" for at, value in writes)
    with api.raw("api") as sock, Client() as client:
        got = api.events(sock)
        assert next(got)["state"] == "not-started"
        client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": words})
        client.act("start")
        assert next(got)["event"] == "started"
        event = next(got)
    assert (event["event"], event["device"]) == ("needs-reset", "rng")


# --- configured by requests ---

def test_machine_put_together_by_requests(waiting):
    with Client() as client:
        assert client.state() == "not-started"
        assert b'volt_machine_state{state="not-started"} 1\n' in client.get("/v1/metrics")
        assert client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cpus": 2})[0] == 200
        assert client.call("PATCH", "/v1/vm/config", {"cmdline": "!"})[0] == 200
        config = client.get("/v1/vm/config")
        assert (config["cpus"], config["cmdline"]) == (2, "!")
        assert client.act("start") == (200, {"state": "running"})
        waiting.wait_for()
        assert client.get("/v1/vm/config")["cpus"] == 2
        client.act("kill")
        assert waiting.finish().status == 1


def test_flags_and_requests_together(here):
    with volt.Vm(*START, "--cmdline", "! o600=34", "--cpus", "3", kernel=None) as vm:
        wait_for_socket()
        with Client() as client:
            client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do"))})
            assert client.get("/v1/vm/config")["cpus"] == 3
            client.act("start")
            assert vm.finish().status == 0


def test_put_takes_the_place_of_all(here):
    with volt.Vm(*START, "--cpus", "3", kernel=None):
        wait_for_socket()
        with Client() as client:
            client.call("PUT", "/v1/vm/config", {"memory": "64M"})
            config = client.get("/v1/vm/config")
            assert (config["cpus"], config["memory"]) == (1, "64M")


@pytest.mark.parametrize("body, fault", [
    ({"cpus": 256}, "body: cpus: 256: expected 1 to 255"),
    ({"cpus": "2"}, "body: cpus: \"2\": expected a whole number, 1 to 255"),
    ({"cpus": 2, "colour": "red"}, "body: colour: \"red\": unknown key"),
    ([], "body: expected a JSON object"),
    ({"api_socket": "x"}, "body: api_socket: \"x\": unknown key"),
    ({"drives": [{"path": "a", "size": 1}]}, "unknown key"),
])
def test_wrong_configuration_changes_nothing(waiting, body, fault):
    with Client() as client:
        before = client.get("/v1/vm/config")
        for method in ("PUT", "PATCH"):
            assert fault in client.fault(400, method, "/v1/vm/config", body)
        assert client.get("/v1/vm/config") == before


def test_start_that_fails_can_be_mended(waiting):
    with Client() as client:
        assert client.fault(400, "PUT", "/v1/vm/state", {"action": "start"}).startswith("--kernel: missing")
        client.call("PATCH", "/v1/vm/config", {"kernel": "none"})
        assert "none: No such file" in client.fault(400, "PUT", "/v1/vm/state", {"action": "start"})
        client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!"})
        assert client.act("start")[0] == 200
        waiting.wait_for()


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_what_needs_a_machine(waiting, action):
    with Client() as client:
        assert "the machine is not-started" in client.fault(409, "PUT", "/v1/vm/state", {"action": action})


@pytest.mark.parametrize("action", ["stop", "kill"])
def test_end_before_the_start(waiting, action):
    with Client() as client:
        client.act(action)
        assert waiting.finish().status == 1
    assert not os.path.exists("api")


def test_signal_before_the_start(waiting):
    waiting.send()
    assert waiting.finish().status == 1
    assert not os.path.exists("api")


def test_client_that_leaves_before_its_start_is_answered(waiting):
    with Client() as client:
        client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!"})
    with api.raw("api") as sock:
        sock.sendall(b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: 18\r\n\r\n{\"action\":\"start\"}")
    waiting.wait_for()


# --- disks and NICs ---

def test_objects_before_the_start(waiting, tmp_path):
    disk = disks.make(tmp_path / "disk", 1 << 20) if hasattr(disks, "make") else tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    with Client() as client:
        assert client.get("/v1/vm/drives") == []
        status, drive = client.call("PUT", "/v1/vm/drives/a", {"path": str(disk)})
        assert (status, drive["id"], drive["path"], drive["queues"]) == (200, "a", str(disk), 1)
        assert client.call("PUT", "/v1/vm/drives/b", {"path": "b", "id": "b"})[0] == 200
        assert client.call("PATCH", "/v1/vm/drives/a", {"queues": 2})[1]["queues"] == 2
        assert client.call("PUT", "/v1/vm/drives/b", {"path": "c"})[1]["path"] == "c"
        assert [drive["id"] for drive in client.get("/v1/vm/drives")] == ["a", "b"]
        assert client.call("DELETE", "/v1/vm/drives/b")[0] == 204
        assert [drive["id"] for drive in client.get("/v1/vm/config")["drives"]] == ["a"]
        assert client.fault(404, "GET", "/v1/vm/drives/b") == "drive b: there is none"
        assert "path says b" in client.fault(400, "PUT", "/v1/vm/drives/b", {"path": "c", "id": "x"})
        assert "unknown key" in client.fault(400, "PATCH", "/v1/vm/drives/a", {"colour": "red"})
        assert [drive["id"] for drive in client.get("/v1/vm/drives")] == ["a"]
        client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!"})
        assert client.act("start")[0] == 200
        assert b'volt_disk_reads_total{id="a"} 0\n' in client.get("/v1/metrics")


@pytest.mark.parametrize("engine", ["io_uring", "sync"])
def test_disk_changes_while_the_machine_runs(here, engine):
    """The capacity that the guest reads in the configuration space, before and after."""
    for name, sectors in (("one", 16), ("two", 48)):
        (here / name).write_bytes(bytes(512 * sectors))
    config = 0xC0000100
    words = f"r{config:x} r{0xC00000FC:x} ! u1000=1 o600=34"
    with volt.Vm("--drive", f"path=one,id=a,engine={engine}", "--cmdline", words, "--live-dir", ".", *START) as vm, \
            Client() as client:
        vm.wait_for()
        assert client.call("PATCH", "/v1/vm/drives/a", {"path": "two", "rate": "1M"})[0] == 200
        assert client.get("/v1/vm/drives/a")["path"] == "two"
        assert client.get("/v1/vm/config")["drives"][0]["rate"] == "1M"
        # The old one is let go of, the new one is locked.
        assert volt.run("--drive", "path=one", kernel="hello").status == 0
        assert "in use" in volt.run("--drive", "path=two", kernel="hello").err
        # It grows.
        with open("two", "ab") as file:
            file.write(bytes(512 * 16))
        assert client.call("PATCH", "/v1/vm/drives/a", {"path": "two"})[0] == 200
        assert "none: No such file" in client.fault(400, "PATCH", "/v1/vm/drives/a", {"path": "none"})
        assert client.get("/v1/vm/drives/a")["path"] == "two"
        assert "queues: cannot change" in client.fault(400, "PATCH", "/v1/vm/drives/a", {"queues": 2})
        assert "only PATCH" in client.fault(409, "PUT", "/v1/vm/drives/a", {"path": "one"})
        assert client.fault(409, "DELETE", "/v1/vm/drives/a").startswith("drive a: nothing can be taken out")


def test_what_is_sent_behind_a_start_waits_for_its_answer(waiting):
    """The start fails; the kill behind it is a request of its own, and ends the process."""
    body = [b'{"action":"%s"}' % action for action in (b"start", b"kill")]
    with api.raw("api") as sock:
        sock.sendall(b"".join(b"PUT /v1/vm/state HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
                              for text in body))
        assert waiting.finish().status == 1
        data = b"".join(iter(lambda: sock.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 400") and data.count(b"HTTP/1.1 ") == 2


def test_start_that_fails_at_its_outputs_leaves_nothing(waiting):
    """The log is opened before the metrics, which are a socket here; each try closes it again."""
    with socket.socket(socket.AF_UNIX) as other, Client() as client:
        other.bind("metrics")
        client.call("PATCH", "/v1/vm/config", {"kernel": str(volt.guest("do")), "cmdline": "!", "id": "first",
                                               "log_path": "log", "metrics_path": "metrics"})
        for _ in range(3):
            assert "--metrics-path" in client.fault(400, "PUT", "/v1/vm/state", {"action": "start"})
        assert not [fd for fd in os.listdir(f"/proc/{waiting.pid}/fd")
                    if os.path.realpath(f"/proc/{waiting.pid}/fd/{fd}").endswith("/log")]
        client.call("PATCH", "/v1/vm/config", {"metrics_path": "m", "id": "second"})
        assert client.act("start")[0] == 200
        waiting.wait_for()


def test_full_list_takes_the_place_of_one(waiting):
    with Client() as client:
        names = [f"d{n}" for n in range(40)]
        made = [name for name in names if client.call("PUT", f"/v1/vm/drives/{name}", {"path": "a"})[0] == 200]
        assert len(made) < 40
        assert client.call("PUT", "/v1/vm/drives/d0", {"path": "b"})[1]["path"] == "b"
        assert len(client.get("/v1/vm/drives")) == len(made)
