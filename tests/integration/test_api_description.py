# SPDX-License-Identifier: Apache-2.0
"""The API against its own description, and `volt api`."""
import json
import socket
import subprocess

import pytest

import volt
from api import Client, vm, waiting  # noqa: F401 (fixtures)


def openapi():
    return json.loads((volt.ROOT / "docs/openapi.json").read_text())


def wrong_values(schema):
    """Values that this property cannot have."""
    kinds = {"integer": ["x", True, 1.5], "boolean": ["on", 1], "string": [1, None], "array": [{}, "x"]}
    for kind, values in kinds.items():
        if schema.get("type") == kind:
            yield from values
    if "enum" in schema:
        yield "no such choice"
    if schema.get("type") == "integer":
        yield schema["maximum"] + 1
        yield schema["minimum"] - 1
    if "oneOf" in schema:
        yield from (True, "12Q", -1, schema["oneOf"][0]["maximum"] + 1)


def bodies():
    """Every property of every body, and each value that it refuses."""
    description = openapi()
    for path, methods in description["paths"].items():
        for method in ("put", "patch"):
            content = methods.get(method, {}).get("requestBody", {}).get("content", {})
            if not content:
                continue
            name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
            schema = description["components"]["schemas"][name]
            for key, property_ in schema["properties"].items():
                yield method.upper(), path, key, list(wrong_values(property_))


def test_every_property_refuses_what_it_cannot_be(waiting):
    tried = 0
    with Client() as client:
        for kind in ("drives", "volumes", "nets"):
            assert client.call("PUT", f"/v1/vm/{kind}/a", {})[0] == 200
        for method, path, key, values in bodies():
            path = path.replace("{id}", "a")
            before = client.get("/v1/vm/config")
            for value in values:
                fault = client.fault(400, method, path, {key: value})
                assert key in fault, (path, key, value, fault)
                tried += 1
            assert "unknown key" in client.fault(400, method, path, {"no_such_key": 1})
            assert client.get("/v1/vm/config") == before
    assert tried > 300


def test_every_path_and_method_of_the_description_is_there(waiting):
    with Client() as client:
        for path, methods in openapi()["paths"].items():
            if path == "/v1/events":
                continue
            for method in set(methods) - {"parameters"}:
                status, _ = client.call(method.upper(), path.replace("{id}", "none"))
                assert status in (200, 400, 404), (method, path)
                assert status != 404 or path.endswith("{id}")


def ask(*words):
    return subprocess.run([volt.BUILD / "bin/volt", "api", *words], capture_output=True, text=True)


def test_client(vm):
    assert ask("api", "get", "/v1/vm/state").stdout == '{"state":"running"}'
    assert ask("api", "PUT", "/v1/vm/state", '{"action": "pause"}').stdout == '{"state":"paused"}'
    done = ask("api", "PUT", "/v1/vm/state", '{"action": "pause"}')
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "volt api: the machine is paused, so it cannot be paused (status 409)\n"
    done = ask("api", "GET", "/none")
    assert (done.returncode, done.stderr) == (1, "volt api: /none: there is no such path (status 404)\n")


def test_client_reads_events_until_the_end(vm):
    with subprocess.Popen([volt.BUILD / "bin/volt", "api", "api", "GET", "/v1/events"], stdout=subprocess.PIPE,
                          text=True) as events:
        assert json.loads(events.stdout.readline())["state"] == "running"
        ask("api", "PUT", "/v1/vm/state", '{"action": "kill"}')
        assert [json.loads(line)["event"] for line in events.stdout] == ["ended"]
        assert events.wait() == 0


@pytest.mark.parametrize("words, status, fault", [
    (["none", "GET", "/health"], 2, "cannot connect to none (the path of --api-socket): No such file or directory"),
    (["none", "GET", "health"], 2, "health: a path begins with /"),
    (["none", "GET"], 2, ""),
])
def test_client_without_a_machine(here, words, status, fault):
    done = ask(*words)
    assert done.returncode == status and fault in done.stderr, done


def test_client_of_a_machine_that_is_gone(here):
    with socket.socket(socket.AF_UNIX) as old:
        old.bind("api")
    done = ask("api", "GET", "/health")
    assert (done.returncode, done.stderr) == (1, "volt api: api: no volt-vmm serves this socket any more\n")
