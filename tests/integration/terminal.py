# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal with volt-vmm on it, in a session of its own."""
import fcntl
import os
import pty
import termios

import volt

LFLAG = 3  # of what tcgetattr() gives


class Terminal:
    """`ours` is where the person sits; `theirs` stays open, so that its settings can be asked for."""

    def __init__(self):
        self.ours, self.theirs = pty.openpty()
        self.before = self.settings()
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.ours)
        os.close(self.theirs)

    def settings(self):
        return termios.tcgetattr(self.theirs)

    @property
    def is_raw(self):
        return not self.settings()[LFLAG] & (termios.ICANON | termios.ECHO | termios.ISIG)

    @property
    def is_as_before(self):
        return self.settings() == self.before

    def make_cooked(self):
        termios.tcsetattr(self.theirs, termios.TCSANOW, self.before)

    def press(self, keys):
        os.write(self.ours, keys)

    def wait_for(self, text):
        """Read what is on the screen until `text` has come."""
        while text not in self.seen:
            part = volt.read_some(self.ours)
            assert part, f"ended before {text!r}: {self.seen!r}"
            self.seen += part

    def child(self):
        """For Popen: the terminal is stdin, stdout and the controlling terminal of a new session."""
        def take():
            os.setsid()
            fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)
        return {"stdin": self.theirs, "stdout": self.theirs, "preexec_fn": take}

    def vm(self, *options, **more):
        """A machine on it whose guest is ready."""
        vm = volt.Vm(*options, **self.child(), **more)
        self.wait_for(b"ready\r\n")
        return vm
