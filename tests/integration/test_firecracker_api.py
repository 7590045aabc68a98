# SPDX-License-Identifier: Apache-2.0
"""Firecracker's API: the bytes of its answers, a machine put together by it, and what changes while that runs."""
import os
import socket
import subprocess

import pytest

import api
import volt

PERSONALITY = ["--personality", "firecracker", *api.START]
# The capacity that a guest reads of its first disk, and of its second.
CAPACITY = (0xC0000100, 0xC0001100)
OUTSIDE = "the sandbox has no way to it"


@pytest.fixture
def fresh(here):
    (here / "kernel").symlink_to(volt.guest("do"))
    with volt.Vm(*PERSONALITY, kernel=None) as process:
        api.wait_for_socket()
        with api.Client() as client:
            client.process = process
            yield client


def put(client, path, **body):
    status, reply = client.call("PUT", path, body)
    assert (status, reply) == (204, b""), reply


def put_drive(client, name, path, **more):
    put(client, f"/drives/{name}", drive_id=name, path_on_host=str(path), **{"is_root_device": False, **more})


def start(client, words="!", kernel="kernel"):
    put(client, "/boot-source", kernel_image_path=str(kernel), boot_args=words)
    put(client, "/actions", action_type="InstanceStart")
    client.process.wait_for()


def patch_drive(client, name, **changes):
    return client.call("PATCH", f"/drives/{name}", {"drive_id": name, **changes})


# --- bytes ---

def exchange(data):
    """What comes back on a connection of its own until its end, for these bytes."""
    with api.raw("api") as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: sock.recv(65536), b""))


def request(method, path, body=b"", head=b""):
    length = b"Content-Length: %d\r\n" % len(body) if body else b""
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s\r\n%s" % (method, path, length, head, body)


def with_body(status, body):
    return b"HTTP/1.1 %d \r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n" \
        b"Content-Length: %d\r\n\r\n%s" % (status, len(body), body)


NO_BODY = b"HTTP/1.1 204 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n%s\r\n"
MACHINE = b'{"vcpu_count":1,"mem_size_mib":128,"cpu_template":"None"}'


@pytest.mark.parametrize("sent, answer", [
    (request(b"GET", b"/version"), with_body(200, b'{"firecracker_version":"1.16.1"}')),
    (request(b"GET", b"/"), with_body(200, b'{"app_name":"Firecracker","id":"anonymous-instance","state":"Not started",'
                                           b'"vmm_version":"1.16.1"}')),
    (request(b"PUT", b"/entropy", b"{}"), NO_BODY % b""),
    (request(b"PUT", b"/machine-config", MACHINE), NO_BODY % b"Deprecation: true\r\n"),
    (request(b"PUT", b"/entropy", b"{"), None),
    (request(b"GET", b"/foo"), with_body(400, b'{"fault_message":"Invalid request method and/or path: GET foo."}')),
    (request(b"POST", b"/foo/bar"),
     with_body(400, b'{"fault_message":"Invalid request method and/or path: POST foo/bar."}')),
    (request(b"DELETE", b"/drives/a"), with_body(400, b'{"fault_message":"Empty Delete request."}')),
    (request(b"PUT", b"/foo"), with_body(400, b'{"fault_message":"Empty PUT request."}')),
    (request(b"GET", b"/foo", b"{}"), with_body(400, b'{"fault_message":"GET request cannot have a body."}')),
    (request(b"GET", b"/version") * 3, with_body(200, b'{"firecracker_version":"1.16.1"}') * 3),
], ids=range(11))
def test_answers_to_the_byte(fresh, sent, answer):
    got = exchange(sent)
    if answer is None:
        assert got.startswith(b"HTTP/1.1 400 \r\n")
        assert b'{"fault_message":"An error occurred when deserializing the json body of a request: ' in got
    else:
        assert got == answer


def test_body_that_waits_to_be_wanted(fresh):
    sent = request(b"PUT", b"/entropy", b"{}", b"Expect: 100-continue\r\n")
    with api.raw("api") as sock:
        sock.sendall(sent[:-2])
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(sent[-2:])
        assert sock.recv(65536) == NO_BODY % b""


@pytest.mark.parametrize("data, status", [
    (b"hello\r\n\r\n", 400),
    (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 400),
    (b"PUT /entropy HTTP/1.1\r\nContent-Length: 51201\r\n\r\n", 413),
    (b"PUT /entropy HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n\r\n", 400),
], ids=range(6))
def test_what_is_no_request(fresh, data, status):
    head, body = exchange(data).split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 %d \r\nServer: Firecracker API\r\nConnection: close\r\n" % status)
    assert body.startswith(b'{"fault_message":"')
    assert fresh.get("/")["state"] == "Not started"


def test_eleventh_connection_is_told(fresh):
    fresh.get("/")
    others = [api.raw("api") for _ in range(10)]
    assert b"".join(iter(lambda: others[-1].recv(65536), b"")) == \
        b"HTTP/1.1 503 \r\nServer: Firecracker API\r\nConnection: close\r\nContent-Type: application/json\r\n" \
        b'Content-Length: 40\r\n\r\n{ "error": "Too many open connections" }'
    for other in others:
        other.close()


# --- a machine ---

def test_machine_put_together(fresh, here):
    (here / "data").write_bytes(bytes(512 * 5))
    (here / "root").write_bytes(bytes(512 * 7))
    put(fresh, "/machine-config", vcpu_count=2, mem_size_mib=64)
    put_drive(fresh, "data", here / "data")
    put_drive(fresh, "r", "root", is_root_device=True, is_read_only=True)
    assert fresh.call("PATCH", "/machine-config", {"mem_size_mib": 65})[0] == 204
    assert fresh.get("/machine-config") == {"vcpu_count": 2, "mem_size_mib": 65, "smt": False,
                                            "track_dirty_pages": False, "huge_pages": "None"}
    start(fresh, " ".join(f"r{at:x}" for at in CAPACITY) + " !")
    assert fresh.get("/")["state"] == "Running"
    # The root disk is the first, whatever came first.
    assert fresh.process.seen.split()[:2] == [b"00000007", b"00000005"]
    assert {drive["drive_id"] for drive in fresh.get("/vm/config")["drives"]} == {"data", "r"}


def test_pause_and_resume(fresh):
    start(fresh)
    for state, name in [("Paused", "Paused"), ("Paused", "Paused"), ("Resumed", "Running"), ("Resumed", "Running")]:
        assert fresh.call("PATCH", "/vm", {"state": state}) == (204, b"")
        assert fresh.get("/")["state"] == name


def test_ctrl_alt_del_ends_a_guest_that_listens(fresh):
    start(fresh, "off", volt.guest("keyboard"))
    put(fresh, "/actions", action_type="SendCtrlAltDel")
    assert fresh.process.finish().status == 0
    assert os.path.exists("api")  # as Firecracker leaves it


def test_ctrl_alt_del_that_nobody_hears(fresh):
    start(fresh)
    put(fresh, "/actions", action_type="SendCtrlAltDel")
    assert fresh.get("/")["state"] == "Running"


def test_start_that_fails_can_be_mended(fresh, here):
    (here / "disk").write_bytes(bytes(4096))
    put(fresh, "/boot-source", kernel_image_path="kernel", boot_args="!")
    put_drive(fresh, "a", "disk")
    with open("disk") as taken:
        subprocess.run(["flock", "-x", "-n", str(taken.fileno())], pass_fds=[taken.fileno()], check=True)
        assert "in use" in fresh.fault(400, "PUT", "/actions", {"action_type": "InstanceStart"})
    assert fresh.get("/")["state"] == "Not started"
    start(fresh)


# --- while it runs ---

def test_placeholder_becomes_a_disk(fresh, here):
    """Of no size at first, as Kata puts them; with the sandbox on."""
    (here / "empty").touch()
    (here / "real").write_bytes(bytes(512 * 48))
    put_drive(fresh, "a", here / "empty")
    at = CAPACITY[0]
    start(fresh, f"r{at:x} r{at - 4:x} ! u{at:x}=30 r{at - 4:x} o600=34")
    assert fresh.process.seen.split()[0] == b"00000000"
    assert patch_drive(fresh, "a", path_on_host=str(here / "real")) == (204, b"")
    done = fresh.process.finish()
    # The guest has seen the capacity; the generation of its configuration is another one.
    assert done.status == 0 and "late" not in done.text
    first, _, second = (word for word in done.text.split()[1:4])
    assert first != second


def test_what_can_change_of_a_disk(fresh, here):
    (here / "folder").mkdir()
    for name in ("one", "folder/two", "three"):
        (here / name).write_bytes(bytes(4096))
    put_drive(fresh, "a", "one")
    put_drive(fresh, "b", here / "folder/two")
    start(fresh)
    limiter = {"bandwidth": {"size": 1000, "refill_time": 100}, "ops": {"size": 1, "one_time_burst": 5, "refill_time": 10}}
    assert patch_drive(fresh, "a", path_on_host="three", rate_limiter=limiter) == (204, b"")
    a, b = fresh.get("/vm/config")["drives"]
    assert (a["path_on_host"], a["rate_limiter"]) == ("three", limiter)
    assert patch_drive(fresh, "a") == (204, b"")
    # In the folders of the disks' files, by the way that they were named, and nowhere else.
    assert "in use" in patch_drive(fresh, "a", path_on_host="folder/two")[1]["fault_message"]
    assert OUTSIDE in patch_drive(fresh, "a", path_on_host="/etc/passwd")[1]["fault_message"]
    assert "No such file" in patch_drive(fresh, "a", path_on_host="none")[1]["fault_message"]
    assert "Invalid block device ID: c" in patch_drive(fresh, "c")[1]["fault_message"]
    assert fresh.get("/vm/config")["drives"] == [a, b]


def test_logger_that_fails_leaves_the_log_where_it_was(here):
    """Volt's own, on stderr, until the first that succeeds."""
    with volt.Vm(*PERSONALITY, "--log-level", "info", kernel=None) as process:
        api.wait_for_socket()
        with api.Client() as client:
            client.process = process
            for body, words in ({"level": "loud"}, "level"), ({"log_path": "none/log"}, "cannot write to none/log"):
                status, reply = client.call("PUT", "/logger", body)
                assert status == 400 and words in reply["fault_message"], reply
            assert client.get("/vm/config").get("logger") is None
            start(client, "!", volt.guest("do"))
            assert client.call("PATCH", "/vm", {"state": "Paused"})[0] == 204
        process.send()
        result = process.finish()
    assert result.text == "ready\n", result
    assert [line for line in result.lines if line.endswith("paused") and "[" not in line], result


def test_entropy_is_there_where_it_was_put(fresh):
    """Without it the window of the first device says nothing; with it, that it is virtio."""
    start(fresh, "rc0000000 !")
    assert fresh.process.seen.split()[0] == b"ffffffff"


def test_entropy_that_was_put(fresh):
    put(fresh, "/entropy")
    start(fresh, "rc0000000 rc0000008 !")
    assert fresh.process.seen.split()[:2] == [b"74726976", b"00000004"]


def test_serial_goes_to_a_file(fresh, here):
    put(fresh, "/serial", serial_out_path=str(here / "out"))
    put(fresh, "/boot-source", kernel_image_path="kernel", boot_args="!")
    put(fresh, "/actions", action_type="InstanceStart")
    volt.wait_until(lambda: (here / "out").exists() and (here / "out").read_bytes() == volt.READY, "the guest's word")


class Host:
    """A mount namespace whose mounts are passed on, as systemd makes them, held by a process that sleeps."""

    def __init__(self, folder):
        self.folder = folder
        namespaces = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        script = f"mount -t tmpfs none {folder} && mount --make-shared {folder} && echo there && exec sleep infinity"
        self.holder = subprocess.Popen([*namespaces, "sh", "-c", script], stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"there\n"
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        self.prefix = ["nsenter", *user, "-m", "-t", str(self.holder.pid)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()

    def run(self, script):
        subprocess.run([*self.prefix, "sh", "-ec", f"cd {self.folder}; {script}"], check=True)


def test_file_that_is_mounted_over_a_placeholder(here):
    """Kata's way to give a machine that runs a disk: the path stays, and another file is bound there."""
    (here / "jail").mkdir()
    with Host(here / "jail") as host:
        host.run("touch disk; truncate -s 24576 real")
        with volt.Vm("--personality", "firecracker", "--api-socket", here / "api", kernel=None, prefix=host.prefix) as vm:
            api.wait_for_socket()
            client = api.Client()
            client.process = vm
            put_drive(client, "a", here / "jail/disk")
            start(client, f"r{CAPACITY[0]:x} ! u{CAPACITY[0]:x}=30 o600=34", volt.guest("do"))
            host.run("mount --bind real disk")
            assert patch_drive(client, "a", path_on_host=str(here / "jail/disk")) == (204, b"")
            done = vm.finish()
            client.connection.close()
    assert done.status == 0 and "late" not in done.text, done
