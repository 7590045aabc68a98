# SPDX-License-Identifier: Apache-2.0
"""
An API's description as requests to make: of each endpoint bodies that are right, and bodies that are
wrong in one place. Reads OpenAPI 3 (docs/firecracker-openapi.json) and Swagger 2, which Firecracker publishes.
"""
import dataclasses

METHODS = ("get", "put", "patch", "post", "delete")
FAULT = "fault_message"

# What a value must be so that it means something, where its type does not say.
MEANINGS = {
    "kernel_image_path": "kernel", "initrd_path": "initrd", "path_on_host": "disk", "boot_args": "!",
    "is_root_device": False, "partuuid": "0eaa91a0-01", "guest_mac": "02:00:00:00:00:01", "host_dev_name": "tap0",
    "ipv4_address": "169.254.169.254", "leaf": "0x1", "subleaf": "0x0", "addr": "0x10a", "mem_size_mib": 128,
    "bitmap": "0b" + "x" * 31 + "1", "kvm_capabilities": ["121"], "network_interfaces": ["a"], "module": "api",
    "snapshot_path": "state", "mem_file_path": "memory", "backend_path": "memory",
}
ID = "a"

# Fields that must be there, though no schema says so: without them others would have to be.
NEEDED = {"path_on_host", "mem_backend"}

# One that may be there only where the other is not.
INSTEAD = {"mem_file_path": "mem_backend"}


@dataclasses.dataclass
class Endpoint:
    method: str
    path: str
    operation: dict
    schema: dict | None  # of the body
    replies: dict        # status: schema, or None where there is no body

    @property
    def phase(self):
        return self.operation.get("x-volt-phase")

    @property
    def lacks(self):
        return self.operation.get("x-volt-lacks")

    @property
    def target(self):
        """The path with an id in it."""
        head, brace, _ = self.path.partition("{")
        return head + (ID if brace else "")

    def __str__(self):
        return f"{self.method} {self.path}"


class Description:
    def __init__(self, root):
        self.root = root

    def endpoints(self):
        for path, methods in self.root["paths"].items():
            for method in METHODS:
                if method in methods:
                    yield self._endpoint(method.upper(), path, methods[method])

    def _endpoint(self, method, path, operation):
        bodies = [p["schema"] for p in operation.get("parameters", []) if p["in"] == "body"]
        if "requestBody" in operation:
            bodies = [operation["requestBody"]["content"]["application/json"]["schema"]]
        replies = {}
        for status, reply in operation["responses"].items():
            schema = reply.get("schema") or reply.get("content", {}).get("application/json", {}).get("schema")
            replies[str(status)] = self.resolve(schema) if schema else None
        return Endpoint(method, path, operation, self.resolve(bodies[0]) if bodies else None, replies)

    def resolve(self, schema):
        """Without a reference at its top, or the allOf that holds one."""
        for part in schema.get("allOf", []):
            schema = {**self.resolve(part), **{k: v for k, v in schema.items() if k != "allOf"}}
        if "$ref" not in schema:
            return schema
        found = self.root
        for name in schema["$ref"].lstrip("#/").split("/"):
            found = found[name]
        return self.resolve(found)

    # --- values that are right ---

    def example(self, schema, name="", full=True):
        schema = self.resolve(schema)
        if "x-volt-takes" in schema:
            return schema["x-volt-takes"]
        if name in MEANINGS:
            return MEANINGS[name]
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object":
            return self.example_object(schema, full)
        if kind == "array":
            return [self.example(schema["items"], name)]
        if kind == "integer":
            return schema.get("minimum", 1)
        if kind == "boolean":
            return False
        return ID if name.endswith("id") else f"some_{name}"

    def example_object(self, schema, full=True):
        """All fields, or those without which it is none; never one that Volt says it does not have."""
        body = {key: self.example(value, key) for key, value in schema.get("properties", {}).items()
                if key in schema.get("required", []) or key in NEEDED or
                full and not lacks_all(self.resolve(value)) and INSTEAD.get(key) not in schema["properties"]}
        if not body and schema.get("minProperties"):
            key, value = next(iter(schema["properties"].items()))
            body = {key: self.example(value, key)}
        return body

    def right(self, schema):
        """(what, body), each of which is right."""
        if not schema.get("properties"):
            yield "any", {"latest": {"a": 1}}
            return
        least, most = self.example_object(schema, full=False), self.example_object(schema)
        yield "least", least
        if most != least:
            yield "most", most
        for key, value in schema["properties"].items():
            value = self.resolve(value)
            if "x-volt-lacks" in value:
                continue
            for choice in value.get("enum", [])[1:]:
                yield f"{key}={choice}", {**least, key: choice}
            if value.get("type") == "boolean" and key not in MEANINGS:
                yield f"{key}=true", {**least, key: True}
            if "maximum" in value and key != "mem_size_mib":
                yield f"{key} is the most", {**least, key: value["maximum"]}

    def lacking(self, schema):
        """(words, body): right, but with something that Volt says it does not have."""
        least = self.example_object(schema, full=False)
        for key, value in schema.get("properties", {}).items():
            plain = {k: v for k, v in self.resolve(value).items() if k != "x-volt-takes"}
            if "x-volt-lacks" not in plain:
                continue
            other = True if plain.get("type") == "boolean" else self.example(plain, key)
            yield plain["x-volt-lacks"], {**least, key: other}

    # --- values that are wrong ---

    def wrong(self, schema):
        """(what, body), each of which is wrong in one place."""
        if not schema.get("properties"):
            return
        body = self.example_object(schema, full=False)
        yield "no object", [body]
        yield "a string", "x"
        for what, changed in self._wrong_object(schema, body):
            yield what, changed

    def _wrong_object(self, schema, body):
        if schema.get("minProperties"):
            yield "nothing", {}
        if schema.get("additionalProperties", False) is False:
            yield "an unknown field", {**body, "no_such_field": 1}
        for key in schema.get("required", []):
            yield f"{key} missing", {k: v for k, v in body.items() if k != key}
            yield f"{key} null", {**body, key: None}
        for key, value in schema["properties"].items():
            for what, wrong in self._wrong_value(self.resolve(value), body.get(key)):
                yield f"{key} {what}", {**body, key: wrong}

    def _wrong_value(self, schema, value):
        others = {"string": 1, "integer": "x", "boolean": "x", "object": "x", "array": "x"}
        kind = schema.get("type")
        if kind is None:
            return
        yield "of another type", others[kind]
        if kind == "integer":
            yield "with a fraction", 1.5
            if "minimum" in schema:
                yield "too small", schema["minimum"] - 1
            if "maximum" in schema:
                yield "too large", schema["maximum"] + 1
        if "enum" in schema:
            yield "no choice", "NoSuchChoice"
        if schema.get("minLength"):
            yield "empty", ""
        if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
            yield "with a number in it", {"a": 1}
        if kind == "object" and schema.get("properties"):
            yield from self._wrong_object(schema, value or self.example_object(schema))
        if kind == "array":
            item = self.resolve(schema["items"])
            for what, wrong in self._wrong_value(item, None):
                yield f"with an item {what}", [wrong]

    # --- replies ---

    def faults_of(self, schema, value, where="reply"):
        """What in a reply is not as the schema has it."""
        schema = self.resolve(schema)
        kinds = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}
        kind = schema.get("type")
        if kind and not (isinstance(value, kinds[kind]) and (kind == "boolean") == isinstance(value, bool)):
            yield f"{where}: {value!r} is no {kind}"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{where}: {value!r} is none of {schema['enum']}"
        elif kind == "array":
            for n, item in enumerate(value):
                yield from self.faults_of(schema["items"], item, f"{where}[{n}]")
        elif kind == "object":
            for key in schema.get("required", []):
                if key not in value:
                    yield f"{where}: {key} is missing"
            for key, item in value.items():
                if key in schema.get("properties", {}):
                    yield from self.faults_of(schema["properties"][key], item, f"{where}.{key}")
                elif schema.get("additionalProperties") is False:
                    yield f"{where}: {key} is not described"


def lacks_all(schema):
    return "x-volt-lacks" in schema and "x-volt-takes" not in schema


def is_fault(status, body):
    """The one form that errors have."""
    return status == 400 and isinstance(body, dict) and list(body) == [FAULT] and bool(body[FAULT])
