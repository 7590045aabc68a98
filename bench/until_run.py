# SPDX-License-Identifier: Apache-2.0
"""Time from exec to the first KVM_RUN with no other stop: a seccomp filter lets the tracer see that ioctl alone.

strace stops a process twice at every ioctl, which weighs on a monitor by how many it makes.
"""
import ctypes
import os
import signal
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
LIBC.prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong)
PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 7, 0x4200
TRACE_CLONE, TRACE_EXEC, TRACE_SECCOMP, EXIT_KILL = 1 << 3, 1 << 4, 1 << 7, 1 << 20
EVENT_EXEC, EVENT_SECCOMP = 4, 7
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
WALL = 0x40000000
SYS_IOCTL, KVM_RUN = 16, 0xAE80
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, TRACE = 0x7FFF0000, 0x7FF00000
# struct seccomp_data: the call's number at 0, the low half of its second argument at 24
FILTER = [(LOAD, 0, 0, 0), (IF_EQUAL, 0, 3, SYS_IOCTL), (LOAD, 0, 0, 24), (IF_EQUAL, 0, 1, KVM_RUN),
          (RETURN, 0, 0, TRACE), (RETURN, 0, 0, ALLOW)]


def become(command):
    """In the child: be traced, filtered, and then the command."""
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *row) for row in FILTER))
    program = ctypes.create_string_buffer(struct.pack("=HxxxxxxQ", len(FILTER), ctypes.addressof(code)))
    LIBC.ptrace(PTRACE_TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, None, 0, 0)
    LIBC.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program), 0, 0)
    os.execvp(command[0], command)


def milliseconds(command):
    child = os.fork()
    if child == 0:
        try:
            become(command)
        finally:
            os._exit(127)
    os.waitpid(child, WALL)
    LIBC.ptrace(PTRACE_SETOPTIONS, child, None, TRACE_CLONE | TRACE_EXEC | TRACE_SECCOMP | EXIT_KILL)
    LIBC.ptrace(PTRACE_CONT, child, None, None)
    start = None
    while True:
        pid, status = os.waitpid(-1, WALL)
        now = time.monotonic()
        if not os.WIFSTOPPED(status):
            if pid == child:
                raise RuntimeError(f"{command[0]} ended before KVM_RUN: status {status:#x}")
            continue
        event, stop = status >> 16, os.WSTOPSIG(status)
        if event == EVENT_SECCOMP:
            os.kill(child, signal.SIGKILL)
            while os.waitpid(-1, WALL)[0] != child:
                pass
            return (now - start) * 1000
        if event == EVENT_EXEC:
            start = now
        ours = event != 0 or stop in (signal.SIGSTOP, signal.SIGTRAP)
        LIBC.ptrace(PTRACE_CONT, pid, None, 0 if ours else stop)
