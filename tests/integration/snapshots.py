# SPDX-License-Identifier: Apache-2.0
"""Machines that are saved and go on elsewhere: what tests of snapshots share."""
import os
import pathlib
import re
import subprocess

import api
import volt

SNAPS = "snaps"
SAVING = ["--api-socket", "api", "--snapshot-dir", SNAPS, "--memory", "16M"]


class Machine(volt.Vm):
    """One whose guest is tests/guests/steps.S, or another, that is spoken to by its serial line."""

    def __init__(self, *options, kernel="steps", **more):
        os.makedirs(SNAPS, exist_ok=True)
        super().__init__(*options, kernel=kernel, stdin=subprocess.PIPE, **more)

    def ask(self, letter, answer):
        """What the guest answers from here on: what `answer` finds in it."""
        self.seen = b""
        self.type(letter)
        while not (found := re.search(answer, self.seen)):
            part = volt.read_some(self.process.stdout.fileno())
            assert part, f"ended: {self.seen!r} {self.process.stderr.read()!r}"
            self.seen += part
        return found

    def check(self):
        """Memory and registers are of one moment: the round that the guest is in."""
        found = self.ask(b"c", rb"(whole|torn) ([0-9a-f]{8})\n")
        assert found[1] == b"whole", self.seen
        return int(found[2], 16)

    def stop(self):
        self.ask(b"s", b"stopped\n")

    def power_off(self):
        self.type(b"q")
        result = self.finish()
        assert result.status == 0, result


def start(*options, **more):
    pathlib.Path("api").unlink(missing_ok=True)  # of one that was ended by force
    vm = Machine(*SAVING, *options, **more)
    vm.wait_for()
    return vm


def restore(path, *options, **more):
    """Another process goes on from there."""
    return Machine("--restore", path, *options, kernel=None, **more)


def request(path, socket="api", **more):
    with api.Client(socket) as client:
        return client.call("PUT", "/v1/snapshot", {"path": str(path), **more})


def save(path, socket="api", **more):
    """Make one; what the answer says."""
    status, body = request(path, socket, **more)
    assert status == 200, body
    return body


def refuse(status, path, **more):
    got, body = request(path, **more)
    assert (got, list(body)) == (status, ["fault_message"]), body
    return body["fault_message"]


def refuse_restore(path, *options, status=None, **more):
    """What volt-vmm says instead of going on."""
    result = volt.run("--restore", path, *options, kernel=None, **more)
    assert result.status in ((1, 2) if status is None else (status,)), result
    assert len(result.lines) == 1 and result.lines[0].startswith("volt-vmm: "), result
    return result.lines[0]


def tree(path):
    """All files and what is in them, with their times."""
    return {str(file.relative_to(path)): (file.stat().st_mtime_ns, file.read_bytes())
            for file in sorted(pathlib.Path(path).rglob("*")) if file.is_file()}
