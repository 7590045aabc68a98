# SPDX-License-Identifier: Apache-2.0
"""The command stellarium, and a store "s" in the current folder."""
import json
import pathlib
import random
import subprocess

import volt

STELLARIUM = volt.BUILD / "bin/stellarium"
PAGE = 4096


def run(*words, prefix=(), **more):
    more = {"stdin": subprocess.DEVNULL, **more} if "input" not in more else more
    done = subprocess.run(list(map(str, [*prefix, STELLARIUM, *words])), capture_output=True, timeout=volt.LIMIT_S, **more)
    return volt.Result(done.returncode, done.stdout, done.stderr)


def ok(*words, **more):
    result = run(*words, **more)
    assert result.status == 0, (words, result)
    return result


def as_json(*words):
    return json.loads(ok(*words, "--json").text)


def names(store="s"):
    return [image["name"] for image in as_json("ls", store)["images"]]


def verify(store="s"):
    """Nothing is damaged."""
    found = as_json("verify", store)
    assert found["damages"] == [], found
    return found


def content(name, store="s"):
    return ok("export", store, name, "-").out


def make(seed, size):
    """Bytes like those of a disk: some that compress, some that do not, and zeros."""
    source, out = random.Random(seed), bytearray()
    while len(out) < size:
        kind, n = source.randrange(4), source.randrange(1, 12) * PAGE
        if kind == 0:
            out += bytes(n)
        elif kind == 1:
            out += source.randbytes(n)
        else:
            out += (b"%d line of text\n" % source.randrange(1000)) * (n // 12)
    return bytes(out[:size])


def put(name, data, *options, store="s"):
    path = pathlib.Path(f"{name.replace('/', '_')}.in")
    path.write_bytes(data)
    return as_json("import", store, name, path, *options)


def crash_scenario(what):
    """Prepare the store; returns the command to kill, and what must be whole afterwards: name -> content."""
    a, b, c = make(20, 700_000), random.Random(21).randbytes(300_000), make(22, 600_000)
    pathlib.Path("c.in").write_bytes(c)
    put("a", a)
    put("ab", a[:300_000] + b)
    put("b", b)
    ok("rm", "s", "ab")
    if what == "import":
        return ["import", "s", "c", "c.in"], {"a": a, "b": b}, {"c": c}
    if what == "clone":
        return ["clone", "s", "a", "c", "--count", "3"], {"a": a, "b": b}, {"c0": a, "c1": a, "c2": a}
    if what == "rm":
        return ["rm", "s", "a"], {"b": b}, {}
    ok("rm", "s", "a")
    return ["gc", "s"], {"b": b}, {}


def copy_of(source):
    subprocess.run(["rm", "-rf", "s"], check=True)
    subprocess.run(["cp", "-a", source, "s"], check=True)


def check_after(old, new):
    """All that was there is whole; what was being made is, all of it, or is not there at all."""
    verify()
    found = set(names())
    assert set(old) <= found
    assert not (found & set(new)) or set(new) <= found
    for name in [*old, *(set(new) & found)]:
        assert content(name) == {**old, **new}[name]
    ok("gc", "s")
    verify()
    for name in old:
        assert content(name) == old[name]
