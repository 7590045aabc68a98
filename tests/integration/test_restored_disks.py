# SPDX-License-Identifier: Apache-2.0
"""Disks of machines that went on from a snapshot, and get another file: from then on that is written, and nothing of it is private."""
import os
import pathlib

import pytest

import api
from fcmachine import SECTOR, SECTORS, Process, boot_stepper, mark, step, steps_on
from snapshots import restore

OTHER = {"drive_id": "d", "path_on_host": "other"}


@pytest.fixture
def saved(here):
    """A machine after its first step, and what an orchestrator has for it in place of its disk."""
    with boot_stepper() as one:
        step(one, 1)
        one.state("Paused")
        one.save("a")
    data = bytearray(os.urandom((SECTORS + 8) * SECTOR))
    data[SECTOR:SECTOR + 4] = mark(1).to_bytes(4, "little")
    pathlib.Path("other").write_bytes(data)
    return pathlib.Path("a.state.disks/d")


def steps(path):
    os.truncate(path, SECTORS * SECTOR)
    return steps_on(path)


def test_by_firecrackers_api(saved):
    """Before it runs, as E2B does; and the machine is saved with it, and so on."""
    before, other = saved.read_bytes(), pathlib.Path("other").read_bytes()
    with Process() as two:
        two.load("a")
        two.client.patch("/drives/d", {"drive_id": "d", "rate_limiter": {"ops": {"size": 1000, "refill_time": 1}}})
        assert "No such file" in two.client.fault("PATCH", "/drives/d", {**OTHER, "path_on_host": "none"})
        assert "in use" in two.client.fault("PATCH", "/drives/d", {**OTHER, "path_on_host": str(saved)})
        two.state("Resumed")
        step(two, 2)  # in private, still
        assert pathlib.Path("other").read_bytes() == other
        two.state("Paused")
        two.client.patch("/drives/d", OTHER)
        assert two.client.get("/vm/config")["drives"][0]["path_on_host"] == "other"
        two.state("Resumed")
        assert step(two, 3, check=False)[2] == int.from_bytes(other[2 * SECTOR:][:4], "little")
        step(two, 4)
        two.client.patch("/drives/d", OTHER)  # the same one, opened again
        two.state("Paused")
        two.save("b")
    with Process() as three:
        three.load("b", resume_vm=True)
        step(three, 5)
        assert three.client.get("/vm/config")["drives"][0]["path_on_host"] == os.path.abspath("other")
        three.client.patch("/drives/d", {**OTHER, "path_on_host": os.path.abspath("other")})
        assert step(three, 6, check=False)[:2] == [0, 0]
    assert saved.read_bytes() == before
    assert steps("b.state.disks/d") == [1, 3, 4] and steps("other") == [1, 3, 4, 6]


def test_by_volts_api(saved, here):
    """There it has to be said that it is to be written."""
    with restore("a.state", "--api-socket", "api", "--live-dir", here) as two, api.Client() as client:
        api.wait_for_socket()

        def refuse(status, words, **body):
            got, reply = client.call("PATCH", "/v1/vm/drives/d", body)
            assert got == status and words in reply["fault_message"], reply

        step(Named(two), 2)
        refuse(409, "would be written; expected private: false, too", path=f"{here}/other")
        refuse(409, "what is private ends with another file only: expected path, too", private=False)
        assert client.call("PATCH", "/v1/vm/drives/d", {"private": True, "rate": "1M"})[0] == 200
        status, disk = client.call("PATCH", "/v1/vm/drives/d", {"path": f"{here}/other", "private": False})
        assert (status, disk["path"], disk["private"]) == (200, f"{here}/other", False)
        refuse(409, "a disk that runs does not become private", private=True)
        step(Named(two), 3, check=False)
        step(Named(two), 4)
    assert steps("other") == [1, 3, 4]


class Named:
    """For step()."""

    def __init__(self, vm):
        self.vm = vm
