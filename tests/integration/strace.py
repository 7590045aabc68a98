# SPDX-License-Identifier: Apache-2.0
"""The system calls of a volt-vmm, as strace prints them."""
import re

import volt

CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+|\?|0x[0-9a-f]+)(.*)$")
PIECES = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>(.*)|(.*) <unfinished \.\.\.>)$")


class Call:
    def __init__(self, thread, name, arguments, result, rest):
        self.thread, self.name, self.arguments, self.rest = int(thread), name, arguments, rest
        self.result = None if result == "?" else int(result, 0)

    def __repr__(self):
        return f"{self.name}({self.arguments[:200]}) = {self.result}{self.rest}"

    @property
    def request(self):
        """The name of an ioctl's request."""
        return self.arguments.split(", ")[1]


def join_pieces(lines):
    """Calls that others ran into come in two pieces: whole lines, each where its call began."""
    whole, open_calls = [], {}
    for line in lines:
        piece = PIECES.match(line)
        if not piece:
            whole.append(line)
        elif piece[4] is not None:
            open_calls[piece[1]] = len(whole)
            whole.append(f"{piece[1]} {piece[4]}")
        elif piece[1] in open_calls:
            whole[open_calls.pop(piece[1])] += piece[3]
    return whole


def parse(text):
    matches = (CALL.match(line) for line in join_pieces(text.splitlines()))
    return [Call(*match.groups()) for match in matches if match]


def trace(folder, calls, *options, prefix=(), **more):
    """Run volt-vmm under strace: its Result, and its calls among `calls`, in order."""
    log = folder / "strace"
    tracer = ["strace", "-f", "-v", "-s", "4096", "-o", log, "-e", f"trace={calls}"]
    result = volt.run(*options, prefix=[*prefix, *tracer], **more)
    return result, parse(log.read_text())


def kvm_calls(calls):
    return [call for call in calls if call.name == "ioctl" and call.request.startswith("KVM_")]
