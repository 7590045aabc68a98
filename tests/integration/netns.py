# SPDX-License-Identifier: Apache-2.0
"""Network namespaces for tests of NICs: what a test makes there nobody else sees, and it goes with it."""
import os
import subprocess

import pytest

# Where there is no right to make one, one of an own user namespace does.
UNSHARE = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]


class Network:
    """A namespace held by a process that sleeps; commands run in it."""

    def __init__(self):
        if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
            pytest.skip("no /dev/net/tun here")
        self.holder = subprocess.Popen([*UNSHARE, "sh", "-c", "echo there; exec sleep infinity"],
                                       stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"there\n", "no network namespace here"

    @property
    def prefix(self):
        """In front of a command, that runs it there."""
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", *user, "-n", "-t", str(self.holder.pid)]

    def run(self, *words, check=True):
        done = subprocess.run([*self.prefix, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout

    def interfaces(self):
        return {line.split(":")[1].strip().split("@")[0] for line in self.run("ip", "-o", "link").splitlines()}

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture
def network():
    made = Network()
    yield made
    made.close()
