# SPDX-License-Identifier: Apache-2.0
"""
Firecracker's API against docs/firecracker-openapi.json, which comes from the same tables as the code:
every endpoint, with every body that is right, and every one that is wrong in one place.
"""
import json

import pytest

import api
import volt
from apiwalk import Description, is_fault
from netns import network  # noqa: F401 (a fixture)

DESCRIPTION = Description(json.loads((volt.ROOT / "docs/firecracker-openapi.json").read_text()))
ENDPOINTS = list(DESCRIPTION.endpoints())
WITH_BODY = [endpoint for endpoint in ENDPOINTS if endpoint.schema]

PERSONALITY = ["--personality", "firecracker", *api.START]
TOO_LATE = "The requested operation is not supported after starting the microVM."
TOO_EARLY = "The requested operation is not supported before starting the microVM."


@pytest.fixture
def files(here):
    """What the bodies name."""
    (here / "kernel").symlink_to(volt.guest("do"))
    for name in ("disk", "initrd"):
        (here / name).write_bytes(bytes(4096))
    return here


@pytest.fixture
def fresh(files):
    with volt.Vm(*PERSONALITY, kernel=None) as process:
        api.wait_for_socket()
        with api.Client() as client:
            client.process = process
            yield client


@pytest.fixture
def running(files, network):  # noqa: F811
    """With the disk and the NIC that the bodies are about."""
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap")
    with volt.Vm(*PERSONALITY, kernel=None, prefix=network.prefix) as process:
        api.wait_for_socket()
        with api.Client() as client:
            for path in ("/boot-source", "/drives/{id}", "/network-interfaces/{id}"):
                endpoint = next(e for e in ENDPOINTS if (e.method, e.path) == ("PUT", path))
                body = DESCRIPTION.example_object(endpoint.schema, full=False)
                accepted(client, endpoint, "it", {**body, **({"boot_args": "!"} if "boot" in path else {})})
            assert client.call("PUT", "/actions", {"action_type": "InstanceStart"})[0] == 204
            process.wait_for()
            client.process = process
            yield client


def accepted(client, endpoint, what, body):
    status, reply = client.call(endpoint.method, endpoint.target, body)
    assert str(status) in endpoint.replies and status < 300, (str(endpoint), what, body, status, reply)
    if endpoint.replies[str(status)] is None:
        assert reply == b""
    else:
        assert not list(DESCRIPTION.faults_of(endpoint.replies[str(status)], reply))


def refused(client, endpoint, what, body, words=""):
    status, reply = client.call(endpoint.method, endpoint.target, body)
    assert is_fault(status, reply), (str(endpoint), what, body, status, reply)
    assert words in reply["fault_message"], (str(endpoint), what, body, reply)


def test_there_are_as_many_as_there_should_be():
    assert len(ENDPOINTS) >= 35 and sum(1 for e in ENDPOINTS if not e.lacks) >= 18
    assert sum(len(list(DESCRIPTION.wrong(e.schema))) for e in WITH_BODY) > 400


def test_bodies_before_the_start(fresh):
    """What is right is taken, or has come too early; what Volt does not have is said."""
    for endpoint in WITH_BODY:
        if endpoint.path == "/actions":
            continue
        for n, (what, body) in enumerate(DESCRIPTION.right(endpoint.schema)):
            if endpoint.phase == "AFTER":
                refused(fresh, endpoint, what, body, TOO_EARLY)
            elif endpoint.lacks:
                refused(fresh, endpoint, what, body, f"Volt does not have {endpoint.lacks}.")
            elif endpoint.path == "/snapshot/load":  # what stands before it describes a machine
                refused(fresh, endpoint, what, body, "after boot-specific resources")
            elif endpoint.path == "/metrics" and n > 0:  # once
                refused(fresh, endpoint, what, body, "already initialized")
            else:
                accepted(fresh, endpoint, what, body)
        for words, body in DESCRIPTION.lacking(endpoint.schema):
            refused(fresh, endpoint, words, body, f"Volt does not have {words}")


def test_wrong_bodies_change_nothing(fresh):
    for endpoint in WITH_BODY:
        before = fresh.get("/vm/config")
        for what, body in DESCRIPTION.wrong(endpoint.schema):
            refused(fresh, endpoint, what, body)
        assert fresh.get("/vm/config") == before, endpoint


def test_wrong_bodies_after_the_start(running):
    before = running.get("/vm/config")
    for endpoint in WITH_BODY:
        for what, body in DESCRIPTION.wrong(endpoint.schema):
            refused(running, endpoint, what, body)
    assert running.get("/vm/config") == before
    assert running.get("/")["state"] == "Running"


def test_bodies_after_the_start(running):
    for endpoint in WITH_BODY:
        for what, body in DESCRIPTION.right(endpoint.schema):
            if "InstanceStart" in body.values() or endpoint.phase == "BEFORE":
                refused(running, endpoint, what, body, TOO_LATE)
            elif endpoint.lacks:
                refused(running, endpoint, what, body, f"Volt does not have {endpoint.lacks}.")
            elif endpoint.path == "/snapshot/create":
                refused(running, endpoint, what, body, "not paused")
                assert running.call("PATCH", "/vm", {"state": "Paused"})[0] == 204
                accepted(running, endpoint, what, body)
                assert running.call("PATCH", "/vm", {"state": "Resumed"})[0] == 204
            else:
                accepted(running, endpoint, what, body)
    assert running.get("/vm/config")["drives"][0]["path_on_host"] == "disk"


@pytest.mark.parametrize("state", ["fresh", "running"])
def test_what_has_no_body(state, request):
    client = request.getfixturevalue(state)
    for endpoint in ENDPOINTS:
        if endpoint.schema:
            refused(client, endpoint, "none", None, f"Empty {endpoint.method} request.")
        elif endpoint.lacks:
            words = TOO_EARLY if endpoint.phase == "AFTER" and state == "fresh" else endpoint.lacks
            refused(client, endpoint, "none", None, words)
        else:
            accepted(client, endpoint, "none", None)
        if endpoint.method == "GET":
            refused(client, endpoint, "a body", {}, "GET request cannot have a body.")


def test_actions_before_the_start(fresh):
    for action in ("FlushMetrics", "SendCtrlAltDel"):
        assert fresh.fault(400, "PUT", "/actions", {"action_type": action}) == TOO_EARLY
    assert "Cannot start microvm without kernel configuration." in \
        fresh.fault(400, "PUT", "/actions", {"action_type": "InstanceStart"})
    assert fresh.get("/")["state"] == "Not started"


def test_ids(fresh):
    drive = {"drive_id": "a", "is_root_device": False, "path_on_host": "disk"}
    for path, fault in {
            "/drives/": "The ID cannot be empty.", "/drives": "The ID cannot be empty.",
            "/drives/a-b": "API Resource IDs can only contain alphanumeric characters and underscores.",
            "/drives/a/b": "API Resource IDs can only contain alphanumeric characters and underscores.",
            "/drives/b": "The id from the path does not match the id from the body!"}.items():
        assert fresh.fault(400, "PUT", path, drive) == fault
    long = "A" * 64
    assert fresh.call("PUT", f"/drives/{long}", {**drive, "drive_id": long})[0] == 204
