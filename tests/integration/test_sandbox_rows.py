# SPDX-License-Identifier: Apache-2.0
"""
Every row of vmm/sandbox/profile.def is used, and nothing else is called: tests of the devices run once
more, on volt-debug, whose filters tell a tracer (vmm/sandbox/count_rows.c) the row of each call.
"""
import contextlib
import os
import re
import socket
import subprocess
import sys

import pytest

import hostile
import volt
import worlds

# What uses the rows, and little besides: each call costs a tracer's time.
TESTS = ["test_terminal.py", "test_signals.py", "test_api.py", "test_api_wire.py::test_old_protocol_ends_the_connection",
         "test_hostile_disks.py::test_every_type_with_every_shape", "test_hostile_disks.py::test_a_range_that_is_there",
         "test_hostile_nets.py::test_reset_of_a_queue_that_waits_for_its_rate",
         "test_hostile_nets.py::test_pairs",
         "test_hostile_queues.py::test_the_entropy_source",
         "test_net_exchange.py::test_frames_go_where_the_nic_is",
         "test_snapshots.py::test_what_was_left_goes", "test_snapshots.py::test_disks_belong_to_it", "test_snapshots.py::test_only_what_changed",
         "test_snapshots.py::test_what_is_refused_while_it_runs", "test_snapshot_store.py::test_a_volume_and_its_image_stay"]
CHOICE = "not (sigkill or children)"


def rows():
    """number -> (rare, call, reason)"""
    listed = subprocess.run([volt.BUILD / "vmm/sandbox/generate-filters", "--list"], capture_output=True, text=True,
                            check=True).stdout.splitlines()[1:]
    fields = (line.split("\t") for line in listed)
    return {int(number): (rare == "rare", call, reason) for number, rare, call, reason in fields}


def full_pipe():
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write, bytes(4096))
    return read, write


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The tracer's lines."""
    folder = tmp_path_factory.mktemp("rows")
    script, log = folder / "volt-vmm", folder / "rows"
    script.write_text(f"#!/bin/sh\nexec {worlds.program('count-rows')} {log} {worlds.program('volt-debug')} \"$@\"\n")
    script.chmod(0o755)
    log.touch()
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not linux", "-k", CHOICE,
                           *TESTS], cwd=volt.ROOT / "tests/integration", env={**os.environ, "VOLT_VMM": str(script)},
                          capture_output=True, text=True)
    print(done.stdout[-6000:])
    for output in (full_pipe(), socket.socketpair()):
        subprocess.run([script, "--kernel", volt.guest("do"), "--cmdline", f"! {volt.POWEROFF}"], stdout=output[1])
    return set(log.read_text().splitlines())


def test_nothing_is_called_that_has_no_row(seen):
    assert sorted(line for line in seen if line.startswith("none")) == []


def test_every_row_is_used(seen):
    used = {int(n) for n in re.findall(r"^row (\d+)$", "\n".join(seen), re.M)}
    unused = [f"{call}: {reason}" for number, (rare, call, reason) in rows().items() if number not in used and not rare
              and (hostile.has_io_uring() or call != "io_uring_enter")]
    assert unused == []
