#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Open a TAP device as descriptor N, then become another program, which has it.

  tapfd.py NAME N COMMAND [ARG...]
"""
import fcntl
import os
import struct
import sys

TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 0x0002, 0x1000, 0x4000

name, number, *command = sys.argv[1:]
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
os.dup2(fd, int(number), inheritable=True)
os.execvp(command[0], command)
