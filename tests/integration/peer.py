# SPDX-License-Identifier: Apache-2.0
"""The host's side of a guest's connections. Each prints one line "ready" when it listens, then its result.

  peer.py send PORT BYTES   to whoever connects; prints the SHA-256 of it
  peer.py take PORT         until the other side ends; prints SHA-256, bytes and seconds from the first to the last
  peer.py flood HOST SECONDS  small UDP datagrams; prints how many
"""
import hashlib
import os
import socket
import sys
import time


def accept(port):
    server = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    print("ready", flush=True)
    return server.accept()[0]


def send(port, count):
    data = os.urandom(int(count))
    with accept(port) as connection:
        connection.sendall(data)
    print(hashlib.sha256(data).hexdigest())


def take(port):
    digest, count, begin, end = hashlib.sha256(), 0, None, None
    with accept(port) as connection:
        while data := connection.recv(1 << 16):
            end = time.monotonic()
            begin = begin or end
            digest.update(data)
            count += len(data)
    print(digest.hexdigest(), count, end - begin)


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


{"send": send, "take": take, "flood": flood}[sys.argv[1]](*sys.argv[2:])
