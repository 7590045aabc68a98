# SPDX-License-Identifier: Apache-2.0
"""A DHCP server for one client, with leases too short for a real one's taste.

  dhcp_server.py INTERFACE LEASE FIRST SECOND

It prints "ready", then what it hears and does. FIRST is the address until two renewals were granted; from then on
it refuses, and gives SECOND.
"""
import socket
import struct
import sys

interface, lease, first, second = sys.argv[1], int(sys.argv[2]), *sys.argv[3:]
DISCOVER, OFFER, REQUEST, ACK, NAK = 1, 2, 3, 5, 6
COOKIE = bytes.fromhex("63825363")
OWN = "10.9.0.1"


def options_of(message):
    found, at = {}, message[240:]
    while at and at[0] != 255:
        found[at[0]] = at[2:2 + at[1]]
        at = at[2 + at[1]:]
    return found


def answer(message, kind, address):
    packed = socket.inet_aton(address)
    head = bytes([2, 1, 6, 0]) + message[4:8] + bytes(4) + bytes(4) + (packed if kind != NAK else bytes(4)) + bytes(8)
    options = bytes([53, 1, kind, 54, 4]) + socket.inet_aton(OWN)
    if kind != NAK:
        options += bytes([51, 4]) + struct.pack(">I", lease) + bytes([1, 4, 255, 255, 255, 0, 3, 4])
        options += socket.inet_aton(OWN) + bytes([6, 4, 9, 9, 9, 9, 26, 2]) + struct.pack(">H", 1400)
    server.sendto(head + message[28:44] + bytes(192) + COOKIE + options + b"\xff", ("255.255.255.255", 68))


with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    server.bind(("", 67))
    print("ready", flush=True)
    renewals, address = 0, first
    while True:
        data = server.recv(2048)
        options, current = options_of(data), socket.inet_ntoa(data[12:16])
        kind = options[53][0]
        if kind == DISCOVER:
            answer(data, OFFER, address)
        elif kind == REQUEST and 54 in options:
            granted = socket.inet_ntoa(options[50])
            answer(data, ACK if granted == address else NAK, address)
            print("granted", granted, flush=True)
        elif kind == REQUEST and current == address and (renewals < 2 or address == second):
            renewals += 1
            answer(data, ACK, address)
            print("renewed", current, flush=True)
        elif kind == REQUEST:
            address = second
            answer(data, NAK, address)
            print("refused", current, flush=True)
