#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Descriptors of what is in a network namespace, for a test that is not in it; as a program it opens them there.

  nsfd.py SOCKET tap NAME QUEUES FLAGS   a TAP device's, with these flags beside those that a machine needs
  nsfd.py SOCKET macvtap NAME            a macvtap's that is there
  nsfd.py SOCKET packet NAME             one that sends and receives an interface's frames
"""
import fcntl
import os
import socket
import struct
import subprocess
import sys

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 1, 2, 0x100, 0x1000, 0x4000
NEEDED = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
ETHERTYPE = 0x88B5  # for experiments: nobody else sends it


def open_queue(name, flags):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fd


def tap(name, queues, flags):
    flags = int(flags) | (IFF_MULTI_QUEUE if int(queues) > 1 else 0)
    fds = [open_queue(name, flags) for _ in range(int(queues))]
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return fds


def macvtap(name):
    fd = os.open(f"/dev/tap{socket.if_nametoindex(name)}", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"", NEEDED))
    return [fd]


def packet(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
    sock.bind((name, ETHERTYPE))
    return [sock.detach()]


def ask(network, *words):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        subprocess.run([*network.prefix, sys.executable, __file__, str(theirs.fileno()), *map(str, words)], check=True,
                       pass_fds=[theirs.fileno()])
        return socket.recv_fds(ours, 1, 64)[1]


def open_tap(network, name, queues=1, flags=NEEDED):
    """Descriptors of a TAP device that is made for them, and goes with the last."""
    return ask(network, "tap", name, queues, flags)


def open_macvtap(network, name):
    return ask(network, "macvtap", name)


def open_packet(network, name):
    """A socket."""
    sock = socket.socket(fileno=ask(network, "packet", name)[0])
    sock.settimeout(60)
    return sock


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as out:
        socket.send_fds(out, [b"."], {"tap": tap, "macvtap": macvtap, "packet": packet}[sys.argv[2]](*sys.argv[3:]))
