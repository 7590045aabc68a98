# SPDX-License-Identifier: Apache-2.0
"""
The store's formats are frozen: what format 1 wrote is read for ever, and the same bytes are the same image.

stores/format-1.tar.gz was written when they were: by "init s", then "import s NAME - OPTIONS" with the content of each of
IMAGES, "import s gone -" with the first 5000 of the numbers backwards, "rm s gone" and "clone s page twin". It is never written anew.
"""
import json
import pathlib
import subprocess

import pytest

import volt
from stellar import as_json, content, names, ok, verify

NUMBERS = b"".join(b"%d," % i for i in range(8_000))
IMAGES = {
    "page": (NUMBERS[:20_480] + bytes(50_000) + NUMBERS[20_480:], ["--cut", "page", "--codec", "zstd:1"]),
    "fastcdc": (NUMBERS, ["--cut", "fastcdc", "--codec", "lz4", "--chunk-size", "8K"]),
    "fixed": (NUMBERS[:20_000], ["--cut", "fixed", "--codec", "none", "--chunk-size", "8K"]),
    "empty": (b"", []),
    "sparse": (bytes(10 << 20) + b"end", []),
}
IDS = {
    "page": "a755fcad8a6fb23b00c3a15c9e3f08581f467dd36c6e1341c7d23f94e0b31bf4",
    "fastcdc": "6b4c062e6b83b570c3173dda29057490d7332df82924434060bb5be5d78be522",
    "fixed": "0c1b9d18fea9b8e61cc04fad52eb9331ec43f5f8e1442360a4f2a1911dbc3411",
    "empty": "d132b6d0285180f0354c0c189d47c965e79befd25903eb93259903afa78fd671",
    "sparse": "90ffcf9724a7ba8e67a764c7f695ce717a3c7d2b4494854600a4bfba22810a35",
}


@pytest.fixture
def old(here):
    subprocess.run(["tar", "-xzf", volt.ROOT / "tests/integration/stores/format-1.tar.gz"], check=True)
    return here


def test_it_is_read(old):
    assert names() == sorted([*IMAGES, "twin"])
    verify()
    for name, (data, _) in IMAGES.items():
        assert content(name) == data
        assert as_json("info", "s", name)["id"] == IDS[name]
    assert content("twin") == IMAGES["page"][0]


def test_the_same_bytes_are_the_same_image(old):
    """Where chunks end, ids and trees: else nothing would be found again in the stores that there are."""
    for name, (data, options) in IMAGES.items():
        again = json.loads(ok("import", "s", f"{name}-again", "-", "--json", *options, input=data).text)
        assert (again["id"], again["chunks_new"]) == (IDS[name], 0)


def test_it_is_written_on(old):
    ok("rm", "s", "page", "twin")
    ok("gc", "s")
    ok("verify", "s", "--repair-index")
    ok("import", "s", "page", "-", input=IMAGES["page"][0])
    for name, (data, _) in IMAGES.items():
        assert content(name) == data
    verify()
