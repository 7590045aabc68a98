#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeds for firecracker_fuzz: a request for every endpoint, from the API's description.

  fuzz/firecracker_seeds.py         writes fuzz/corpus/firecracker/
"""
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))
from apiwalk import Description


def request(method, path, body):
    text = b"" if body is None else json.dumps(body).encode()
    length = f"Content-Length: {len(text)}\r\n" if text else ""
    return f"{method} {path} HTTP/1.1\r\n{length}\r\n".encode() + text


def main():
    folder = ROOT / "fuzz/corpus/firecracker"
    folder.mkdir(parents=True, exist_ok=True)
    description = Description(json.loads((ROOT / "docs/firecracker-openapi.json").read_text()))
    everything = b""
    for endpoint in description.endpoints():
        bodies = [None] if endpoint.schema is None else \
            [body for what, body in description.right(endpoint.schema) if what in ("least", "most", "any")]
        for body in bodies:
            if body and "path_on_host" in body:
                body = {**body, "path_on_host": "/dev/null"}
            if body and "kernel_image_path" in body:
                body = {**body, "kernel_image_path": "/dev/null", "boot_args": "a -- b"}
                body.pop("initrd_path", None)
            one = request(endpoint.method, endpoint.target, body)
            everything += one
        if endpoint.schema:
            name = f"{endpoint.method}{endpoint.target}".lower().replace("/", "-")
            (folder / name).write_bytes(b"\0" + one)
    (folder / "everything").write_bytes(b"\x07" + everything)


main()
