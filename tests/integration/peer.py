# SPDX-License-Identifier: Apache-2.0
"""The host's side of a guest's connections. Each prints one line "ready" when it listens, then its result.

  peer.py send PORT BYTES   to whoever connects; prints the SHA-512 of it
  peer.py take PORT         until the other side ends; prints SHA-512, bytes and seconds from the first to the last
  peer.py keep PORT BYTES   as take, of so many bytes: sends back a line with their SHA-512. Who is cut short may begin again; prints
                            SHA-512, bytes and how often that was
  peer.py flood HOST SECONDS  small UDP datagrams; prints how many
  peer.py frames INTERFACE  Ethernet frames for everybody, until it is killed
  peer.py dns ADDRESS       answers every question for an address with this one, until it is ended
"""
import contextlib
import hashlib
import os
import socket
import sys
import time

BLOCK = 64 << 10


def accept(port):
    server = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    print("ready", flush=True)
    return server.accept()[0]


def send(port, count):
    # No block like another, for less than what so many random bytes cost in the testbed.
    block = os.urandom(BLOCK - 8)
    data = b"".join(n.to_bytes(8, "big") + block for n in range(int(count) // BLOCK + 1))[:int(count)]
    with accept(port) as connection:
        connection.sendall(data)
    print(hashlib.sha512(data).hexdigest())


def take(port):
    digest, count, begin, end = hashlib.sha512(), 0, None, None
    with accept(port) as connection:
        while data := connection.recv(1 << 16):
            end = time.monotonic()
            begin = begin or end
            digest.update(data)
            count += len(data)
    print(digest.hexdigest(), count, end - begin)


def keep(port, wanted):
    cut, server = 0, socket.create_server(("", int(port)))
    print("ready", flush=True)
    while True:
        digest, count = hashlib.sha512(), 0
        with contextlib.suppress(ConnectionResetError), server.accept()[0] as connection:
            while count < int(wanted) and (data := connection.recv(1 << 16)):
                digest.update(data)
                count += len(data)
            if count == int(wanted):
                connection.sendall(digest.hexdigest().encode() + b"\n")
                break
        cut += 1
    print(digest.hexdigest(), count, cut)


def flood(host, seconds):
    print("ready", flush=True)
    end, count = time.monotonic() + float(seconds), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        while time.monotonic() < end:
            for _ in range(100):
                try:
                    out.sendto(b"flood", (host, 9))
                except OSError:
                    pass  # no room: the next one
            count += 100
    print(count)


def frames(interface):
    frame = b"\xff" * 6 + bytes.fromhex("020000000002" "88b5") + b"\x5a" * 1000
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((interface, 0))
        print("ready", flush=True)
        while True:
            try:
                out.send(frame)
            except OSError:
                pass  # it is down, or there is no room: the next one
            time.sleep(0.001)


def dns(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("", 53))
        print("ready", flush=True)
        while True:
            question, who = server.recvfrom(512)
            end = question.index(b"\0", 12) + 5  # the name, its type and class
            wants_ipv4 = question[end - 4:end - 2] == b"\0\1"
            answer = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(address) if wants_ipv4 else b""
            server.sendto(question[:2] + b"\x81\x80\0\1" + (b"\0\1" if answer else b"\0\0") + bytes(4) +
                          question[12:end] + answer, who)


{"send": send, "take": take, "keep": keep, "flood": flood, "frames": frames, "dns": dns}[sys.argv[1]](*sys.argv[2:])
