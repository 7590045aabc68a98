# SPDX-License-Identifier: Apache-2.0
"""A DHCP server for one client, on an interface "eth0" that it makes: dhcp_leases.py ROOT

Each request gets the next of ANSWERS. ROOT/log says how the interface and ROOT/etc/resolv.conf looked when each was
asked for.
"""
import fcntl
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys

OWN = "10.0.0.1"
DISCOVER, OFFER, ACK, NAK = 1, 2, 5, 6
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000


def lease(address, bits, gateway, servers, mtu=0, seconds=60, renew=1):
    packed = b"".join(map(socket.inet_aton, servers))
    options = struct.pack(">BBI", 1, 4, 0xffffffff << 32 - bits & 0xffffffff)
    options += bytes([3, 4]) + socket.inet_aton(gateway) + bytes([6, len(packed)]) + packed
    options += struct.pack(">BBIBBI", 51, 4, seconds, 58, 4, renew)
    return socket.inet_aton(address), options + (struct.pack(">BBH", 26, 2, mtu) if mtu else b"")


FIRST = lease("10.0.0.2", 24, OWN, [OWN], renew=2)
ANSWERS = [
    FIRST, None,
    FIRST, None,
    lease("10.0.0.5", 24, OWN, ["10.0.0.3", "10.0.0.4"]),
    lease("10.0.0.5", 16, "10.0.0.9", ["10.0.0.6"], mtu=1400), None,
    lease("10.0.0.7", 24, OWN, ["10.0.0.8"], seconds=1000, renew=500),
]


def ip(*arguments):
    return subprocess.run(["/bin/busybox", "ip", *arguments], stdout=subprocess.PIPE, text=True, check=True).stdout


def state(root):
    shown = ip("-4", "addr", "show", "dev", "eth0")
    resolv = root / "etc/resolv.conf"
    names = re.findall("nameserver (.*)", resolv.read_text() if resolv.exists() else "")
    addresses = re.findall("inet ([0-9./]+)", shown)
    routes = re.findall("default via ([0-9.]+)", ip("route"))
    if not addresses and not routes:
        return "nothing" + (", still named " + " ".join(names) if names else "")
    mtu = re.search(r"mtu (\d+)", ip("link", "show", "dev", "eth0")).group(1)
    return f"{' '.join(addresses)} via {' '.join(routes)} mtu {mtu} dns {' '.join(names)}"


def checksum(head):
    total = sum(struct.unpack(">10H", head))
    return ~(total % 0xffff) & 0xffff


def answer(message, kind, given):
    """The frame, to everybody."""
    address, more = given or (bytes(4), b"")
    reply = bytes([2, 1, 6, 0]) + message[4:8] + bytes(8) + address + bytes(8) + message[28:44] + bytes(192)
    reply += bytes.fromhex("63825363") + bytes([53, 1, kind, 54, 4]) + socket.inet_aton(OWN) + more + b"\xff"
    udp = struct.pack(">4H", 67, 68, 8 + len(reply), 0) + reply
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + socket.inet_aton(OWN)
    head += b"\xff" * 4
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return b"\xff" * 6 + bytes([2, 0, 0, 0, 0, 1]) + b"\x08\0" + head + udp


def serve(tap, root):
    left, asked, given = list(ANSWERS), None, None
    while True:
        frame = os.read(tap, 2048)
        if frame[12:14] != b"\x08\0" or frame[23] != 17 or frame[36:38] != b"\0\x43":
            continue
        message = frame[42:]
        if message[242] == DISCOVER:
            os.write(tap, answer(message, OFFER, next(filter(None, left), FIRST)))
            continue
        if message[4:8] != asked:  # else it is the same, which took too long
            asked, given = message[4:8], left.pop(0)
            with open(root / "log", "a", encoding="ascii") as log:
                log.write(f"asked: {state(root)}\n")
        os.write(tap, answer(message, ACK if given else NAK, given))


def main():
    tap, root = os.open("/dev/net/tun", os.O_RDWR), pathlib.Path(sys.argv[1])
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
    if os.fork() == 0:
        serve(tap, root)


main()
