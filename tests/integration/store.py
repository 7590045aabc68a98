# SPDX-License-Identifier: Apache-2.0
"""A store, and volumes of what is in it, for tests from the outside."""
import json
import pathlib
import random

from stellar import STELLARIUM, as_json, content, ok, run, verify  # noqa: F401 (for whoever has a store from here)


def names(store="s"):
    """Of images, without those that keep volumes' images."""
    return [i["name"] for i in as_json("ls", store)["images"] if not i["name"].startswith("volume/")]


def references(store="s"):
    return [i["name"] for i in as_json("ls", store)["images"] if i["name"].startswith("volume/")]


def put(name, data, *options, store="s"):
    return json.loads(ok("import", store, name, "-", *options, "--json", input=data).text)


def packs(store="s"):
    return sorted(pathlib.Path(store, "packs").iterdir(), key=lambda p: p.stat().st_size)


def content_of_volume(folder, store="s"):
    """By an image that is made of it and goes again."""
    ok("commit", store, folder, "content-of-volume")
    data = content("content-of-volume", store)
    ok("rm", store, "content-of-volume")
    return data


def sectors(seed, count):
    """A disk: sectors that say which they are, some that do not compress, some zero."""
    source, out = random.Random(seed), bytearray()
    while len(out) < count * 512:
        kind, n = source.randrange(4), source.randrange(1, 40)
        for _ in range(n):
            number = len(out) // 512
            out += bytes(512) if kind == 0 else source.randbytes(512) if kind == 1 else number.to_bytes(4, "little") * 128
    return bytes(out[:count * 512])
