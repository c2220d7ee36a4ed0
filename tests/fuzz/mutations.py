"""Requests for the fuzzer: valid ones from the contracts, then mutated, all from one seed."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from mockvoice.audio.containers import FILES
from mockvoice.audio.synth import Utterance, mp3, wav

from ..contract.contracts import OPERATIONS, Contract, Operation

SANDBOXES = ("", "a", "b")
BOUNDARY = "zzz"

_SPEECH = Utterance("one two", "narrator")
_WAV = wav(_SPEECH, 24_000)
AUDIO = [
    *(mp3(_SPEECH, 24_000), _WAV),
    *(b"".join(make(_WAV[44:], 24_000)) for _, make in FILES.values()),
]

# Values at which parsers, arithmetic and patterns go wrong. Raw JSON, because Python cannot write
# some of it.
JSON_VALUES = [
    *("null", "true", "0", "-0.0", "1e-320", "1e400", "-1", "0.5", "24000.0", "NaN"),
    *("9223372036854775807", "9" * 25, "9" * 400, "[]", "{}", "[[]]", '""', '" "', '"\\u0000"'),
    *('"\\ud800"', '"text.x"', '"../../etc/passwd"', '"*a*a*a*b"', '"' + "a" * 2000 + '"'),
    *('"2016-12-31T23:59:60Z"', '"9999-12-31T23:59:59Z"', '"0001-01-01t00:00:00z"', '"1969"'),
    *('{"authorization":"secret"}', "[" * 70 + "]" * 70, "[0" + ",0" * 500 + "]", '{"a":1,"a":2}'),
]
TEXTS = [
    *("", "0", "-1", "9" * 25, "1e400", "x" * 3000, "\0", "é", "%", "a&b=c", "null", "[", "{"),
    *("..", ".", "/", "//", "*", "?", "#", "9223372036854775807", "2016-12-31T23:59:60Z", "text.x"),
]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get"]
MEDIA_TYPES = [
    *("application/json", "text/plain", "application/x-www-form-urlencoded", "", "a", "audio/wav"),
    *("multipart/form-data", 'multipart/form-data; boundary="zzz"', "application/json; charset=x"),
    *(f"multipart/form-data; boundary={'z' * 300}", "multipart/form-data; boundary=\xff"),
]
CHARSETS = ["utf-8", "utf-16", "punycode", "utf-7", "idna", "a\0b", "x" * 99, "unicode_escape"]
HEADERS: list[tuple[str, list[str]]] = [
    ("X-Mockvoice-Fault", ["502", "reset", "ok", "[502, ok]", "{", '{"kind":"empty"}', "é", "9e9"]),
    ("X-Mockvoice-Fault", ['{"match":{"fields":{"name":"*a*a*a*b"}}}', '{"status":1e400}']),
    ("X-Mockvoice-Sandbox", ["a", "b", "../x", "x" * 500, "é", "", " "]),
    ("Prefer", ["code=404", "code=999", "example=x", "code=", "wait=1"]),
    ("Authorization", ["", "Bearer", "Bearer  ", "Basic eA==", "Bearer " + "k" * 9000, "bearer é"]),
    ("x-api-key", ["", "k" * 2000, "é", "other"]),
    ("x-sup-api-key", ["", "k" * 2000, "é", "other"]),
    ("x-stainless-retry-count", ["0", "1", "-1", "9" * 25, "x"]),
    ("Origin", ["https://evil.example", "null", "http://[", "é"]),
    ("Host", ["", "x" * 300, "[::1", "a b", "evil.example"]),
    ("Range", ["bytes=0-1", "bytes=9-1"]),
    ("Upgrade", ["h2c", "websocket"]),
    ("Accept", ["", "audio/wav", "*/*;q=x"]),
]
# Kinds that wait, which would look like a hang, are left to tests/faults.
KINDS = ["status", "reset", "disconnect", "truncate", "malformed", "empty", "wrong_type"]
_WAITING = (b"timeout", b"delay", b"drip", b"wait")


@dataclass
class Request:
    """A request before it is written as bytes; `body` is a JSON text, a form, or None."""

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    members: dict[str, str] | None = None  # raw JSON by name
    parts: list[tuple[str, bytes]] | None = None  # headers and content
    body: bytes | None = None

    def encoded(self) -> bytes:
        """Return the bytes of the request."""
        body, media_type = self.body, None
        if body is None and self.parts is not None:
            media_type = f"multipart/form-data; boundary={BOUNDARY}"
            body = b"".join(
                f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode("utf-8", "surrogatepass") + data + b"\r\n"
                for head, data in self.parts
            )
            body += f"--{BOUNDARY}--\r\n".encode()
        elif body is None and self.members is not None:
            media_type = "application/json"
            members = ",".join(f"{json.dumps(k)}:{v}" for k, v in self.members.items())
            body = f"{{{members}}}".encode()
        target = self.path
        if self.query:
            target += "?" + "&".join(f"{quote(k)}={quote(v)}" for k, v in self.query)
        names = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += ["Host: 127.0.0.1"] * ("host" not in names)
        lines += [f"Content-Type: {media_type}"] * bool(media_type and "content-type" not in names)
        lines += [f"Content-Length: {len(body or b'')}"] * (body is not None)
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + (body or b"")


_FUZZED = [
    operation
    for operation in OPERATIONS
    if operation.node["operationId"] != "streamEvents"  # its response does not end
]


class Generator:
    """An endless sequence of requests; ids from responses are used again."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.ids: deque[str] = deque(["x"], maxlen=40)

    def request(self) -> tuple[bytes, bool]:
        """Return the bytes of a request, and whether the length of its body is reliable."""
        random = self.random
        request = self._valid(random.choice(_FUZZED))
        for _ in range(random.choice([0, 1, 1, 1, 2, 2, 3, 5])):
            random.choice(MUTATIONS)(self, request)
        data = request.encoded()
        if random.random() < 0.06 and not any(word in data.lower() for word in _WAITING):
            return self._broken(data), False
        return data, True

    def learn(self, response: Any) -> None:
        """Remember the ids in a JSON response."""
        if isinstance(response, dict):
            for name, value in list(response.items())[:30]:
                if isinstance(value, str) and name.endswith("id") and len(value) < 80:
                    self.ids.append(value)
                elif isinstance(value, dict | list):
                    self.learn(value)
        elif isinstance(response, list):
            for item in response[:3]:
                self.learn(item)

    # --- valid requests --------------------------------------------------------------------------

    def _valid(self, operation: Operation) -> Request:
        path = operation.contract.base_path + operation.path
        request = Request(operation.method, path, headers=[*operation.credential.items()])
        for parameter in operation.parameters:
            if not parameter.get("required") and self.random.random() < 0.6:
                continue
            text = self._text(parameter["name"], parameter["schema"], operation.contract)
            if parameter["in"] == "path":
                name = f"{{{parameter['name']}}}"
                request.path = request.path.replace(name, quote(text, safe=""))
            elif parameter["in"] == "query":
                request.query.append((parameter["name"], text))
        if operation.body:
            media_type, schema = operation.body
            self._fill(request, media_type, self._value(operation.contract, schema))
        sandbox = self.random.choice(SANDBOXES)
        request.path = f"/~{sandbox}{request.path}" if sandbox else request.path
        return request

    def _text(self, name: str, schema: Any, contract: Contract) -> str:
        if name.endswith("id") and self.random.random() < 0.8:
            return self.random.choice(self.ids)
        if name == "provider":
            return self.random.choice(["telnyx", "retell", "supertone", "faseeh"])
        value = self._value(contract, schema)
        return value if isinstance(value, str) else json.dumps(value, default=str)

    def _fill(self, request: Request, media_type: str, value: Any) -> None:
        members = value if isinstance(value, dict) else {}
        if media_type != "multipart/form-data":
            request.members = {k: json.dumps(v, default=str) for k, v in members.items()}
            return
        request.parts = []
        for name, member in members.items():
            for item in member if isinstance(member, list) else [member]:
                head = f'Content-Disposition: form-data; name="{name}"'
                if isinstance(item, bytes):
                    head += '; filename="a.wav"\r\nContent-Type: audio/wav'
                    request.parts.append((head, item))
                else:
                    text = item if isinstance(item, str) else json.dumps(item, default=str)
                    request.parts.append((head, text.encode()))

    def _value(self, contract: Contract, schema: Any, depth: int = 0) -> Any:
        """Return a value of a schema: valid in most cases, which is enough here."""
        random, node = self.random, contract.resolve(schema)
        if "const" in node:
            return node["const"]
        if "enum" in node:
            waits = {"timeout", "delay", "drip"} & {str(value) for value in node["enum"]}
            return random.choice(KINDS if waits else node["enum"])
        for word in ("oneOf", "anyOf"):
            if word in node:
                return self._value(contract, random.choice(node[word]), depth)
        if "if" in node and "properties" not in node and depth < 4:
            return self._value(contract, node[random.choice(["then", "else"])], depth)
        kind = node.get("type", "object" if "properties" in node else None)
        kind = random.choice(kind) if isinstance(kind, list) else kind
        return _VALUES.get(kind, _anything)(self, contract, node, depth)

    def make_object(self, contract: Contract, node: Any, depth: int) -> Any:
        required = node.get("required", ())
        return {
            name: self._value(contract, child, depth + 1)
            for name, child in node.get("properties", {}).items()
            if name in required or (depth < 4 and self.random.random() < 0.4)
        }

    def make_array(self, contract: Contract, node: Any, depth: int) -> Any:
        count = max(node.get("minItems", 0), self.random.choice([0, 1, 1, 2]))
        return [self._value(contract, node.get("items", {}), depth + 1) for _ in range(count)]

    def make_string(self, _contract: Contract, node: Any, _depth: int) -> Any:
        if node.get("format") == "binary":
            return self.random.choice(AUDIO)
        if node.get("format") == "date-time":
            return f"20{self.random.randrange(10, 99)}-01-0{self.random.randrange(1, 9)}T00:00:00Z"
        if "example" in node:
            return str(node["example"])
        words = ["en", "hello there you", "narrator", "wav", *self.ids]
        return self.random.choice(words)[: node.get("maxLength")]

    def make_number(self, _contract: Contract, node: Any, _depth: int) -> Any:
        low = node.get("minimum", node.get("exclusiveMinimum", 0))
        high = min(node.get("maximum", low + 10), low + 1000)
        value = self.random.uniform(low, high)
        return round(value) if node.get("type") == "integer" else round(value, 2)

    # --- mutations -------------------------------------------------------------------------------

    def change_method(self, request: Request) -> None:
        """Use another method."""
        if self.random.random() < 0.3:
            request.method = self.random.choice(METHODS)

    def change_path(self, request: Request) -> None:
        """Replace, add or remove a segment."""
        segments = request.path.split("/")
        at = self.random.randrange(1, len(segments))
        text = quote(self.random.choice([*TEXTS, *self.ids]), safe="*?.~" if at > 1 else "")
        action = self.random.random()
        if action < 0.7:
            segments[-1 if action < 0.5 else at] = text
        elif action < 0.9:
            segments.insert(at, text)
        else:
            del segments[at]
        request.path = "/".join(segments) or "/"

    def change_query(self, request: Request) -> None:
        """Add, repeat or replace a parameter."""
        names = [name for name, _ in request.query] + ["page[number]", "limit", "since", "x"]
        pair = self.random.choice(names), self.random.choice([*TEXTS, *self.ids])
        request.query += [pair] * self.random.choice([1, 1, 1, 2, 200])

    def change_header(self, request: Request) -> None:
        """Add or replace a header."""
        name, values = self.random.choice(HEADERS)
        request.headers = [h for h in request.headers if h[0].lower() != name.lower()]
        request.headers.append((name, self.random.choice(values)))

    def change_media_type(self, request: Request) -> None:
        """Replace the media type of the body."""
        if self.random.random() < 0.3:
            request.headers.append(("Content-Type", self.random.choice(MEDIA_TYPES)))

    def change_member(self, request: Request) -> None:
        """Replace, remove or add a member of JSON or of a form."""
        value = self.random.choice(JSON_VALUES)
        if request.parts is not None:
            self._change_part(request.parts, value)
        elif request.members is not None:
            name = self.random.choice([*request.members, "x", "name"])
            if self.random.random() < 0.2:
                request.members.pop(name, None)
            else:
                request.members[name] = value

    def _change_part(self, parts: list[tuple[str, bytes]], value: str) -> None:
        at = self.random.randrange(len(parts) + 1)
        action = self.random.random()
        if at == len(parts) or action < 0.15:
            head = f'Content-Disposition: form-data; name="{self.random.choice(TEXTS[:12])}"'
            parts.insert(at, (head, value.encode()))
        elif action < 0.3:
            del parts[at]
        elif action < 0.45:
            charset = self.random.choice(CHARSETS)
            parts[at] = (f"{parts[at][0]}\r\nContent-Type: text/plain; charset={charset}", b"a-b")
        elif action < 0.5:
            parts[at:at] = [parts[at]] * 200
        elif action < 0.75:
            parts[at] = (parts[at][0], self._flipped(parts[at][1]))
        else:
            parts[at] = (parts[at][0], value.strip('"').encode())

    def replace_body(self, request: Request) -> None:
        """Send other bytes as the body."""
        if self.random.random() < 0.3:
            bodies = [value.encode() for value in JSON_VALUES]
            bodies += [b"", b"\xff", b"{", b"a=%41&" * 200, self.random.randbytes(50), *AUDIO[:2]]
            bodies += [b"[" * 100_000, b"0" * 300_000]
            request.body = self.random.choice(bodies)

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data[: self.random.choice([10, 100, 1000, 100_000])])
        for _ in range(self.random.randrange(1, 9)):
            if changed:
                changed[self.random.randrange(len(changed))] = self.random.randrange(256)
        return bytes(changed)

    def _broken(self, data: bytes) -> bytes:
        """Return a request with changed, missing or repeated bytes, which may not be HTTP."""
        at = self.random.randrange(len(data))
        action = self.random.choice(["flip", "cut", "repeat", "insert"])
        if action == "cut":
            return data[:at]
        if action == "repeat":
            return data[:at] + data[max(0, at - 50) :]
        if action == "insert":
            return (
                data[:at] + self.random.choice([b"\r\n", b"\0", b"\r\n\r\n", b"\xff"]) + data[at:]
            )
        return self._flipped(data[:2000]) + data[2000:]


def _anything(generator: Generator, _contract: Contract, _node: Any, _depth: int) -> Any:
    return generator.random.choice([None, True, 1, "x", {}, [1]])


_VALUES: Mapping[str | None, Callable[[Generator, Contract, Any, int], Any]] = {
    "object": Generator.make_object,
    "array": Generator.make_array,
    "string": Generator.make_string,
    "number": Generator.make_number,
    "integer": Generator.make_number,
    "boolean": lambda generator, *_: generator.random.choice([True, False]),
    "null": lambda *_: None,
}
MUTATIONS: list[Callable[[Generator, Request], None]] = [
    Generator.change_method,
    Generator.change_path,
    Generator.change_query,
    Generator.change_header,
    Generator.change_header,
    Generator.change_media_type,
    Generator.change_member,
    Generator.change_member,
    Generator.change_member,
    Generator.replace_body,
]
