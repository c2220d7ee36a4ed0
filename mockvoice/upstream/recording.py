"""Recordings: exchanges with live services in a YAML file, one document for each.

A document has provider, edition, operation and time, the request with its decoded parameters, and
the response. Secrets are masked; a file is its SHA-256 digest and its size.
"""

from __future__ import annotations

import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ..config.emitter import to_yaml
from ..config.settings import SettingsError
from ..config.yaml import UnreadableFile, YAMLDocument
from ..openapi.schema import Schema, SchemaStore
from ..provider import Provider
from ..redact import Redactor, is_secret
from ..text import brief, did_you_mean
from ..types import JSON, Node
from .messages import LiveResponse

MAX_BODY_BYTES = 1024 * 1024  # of a response that is recorded with its body
MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_TITLE = 300  # characters of the parameters in a message
_MAX_BLOCK = 16 * 1024  # characters of JSON that is written as a block; PyYAML takes long for more
_DOCUMENT = re.compile(r"^---(?:[ \t].*)?$\n?", re.MULTILINE)
_MARKS = tuple(re.compile(rf"^{name}:", re.MULTILINE) for name in ("request", "response"))
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # in YAML, but not in JSON

_TEXT: Node = {"type": "string"}
_OBJECT: Node = {"type": "object"}


def _object(required: Mapping[str, Node], **optional: Node) -> Node:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*required],
        "properties": {**required, **optional},
    }


_FILE = _object(
    {"field": _TEXT, "bytes": {"type": "integer", "minimum": 0}},
    sha256={"type": "string", "pattern": "^[0-9a-f]{64}$"},
    filename=_TEXT,
)
_REQUEST = _object(
    {"method": _TEXT, "path": _TEXT},
    query=_OBJECT,
    parameters=_OBJECT,
    body={},
    body_sha256=_TEXT,
    files={"type": "array", "items": _FILE},
)
_RESPONSE = _object(
    {"status": {"type": "integer", "minimum": 100, "maximum": 599}},
    media_type=_TEXT,
    headers={"type": "object", "additionalProperties": _TEXT},
    body={},
    text=_TEXT,
    base64={"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"},
    omitted=_object({"bytes": {"type": "integer"}}),
)
_EXCHANGE = _object(
    {"provider": _TEXT, "operation": _TEXT, "request": _REQUEST, "response": _RESPONSE},
    edition=_TEXT,
    upstream=_TEXT,
    at=_TEXT,
)


class Exchange(NamedTuple):
    """A recorded exchange: its number in the file, from 1, and the line at which it begins."""

    number: int
    line: int
    data: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The key of equal requests."""
        return request_key(self.data["operation"], self.data["request"])

    @property
    def title(self) -> str:
        """The operation and its parameters in one line."""
        return request_title(self.data["operation"], self.data["request"])

    def response(self) -> LiveResponse:
        """Return the recorded response."""
        recorded = self.data["response"]
        if "body" in recorded:
            content = json.dumps(recorded["body"], ensure_ascii=False).encode()
        elif "base64" in recorded:
            content = b64decode(recorded["base64"])
        else:
            content = recorded.get("text", "").encode()
        media_type = recorded.get("media_type", "")
        return LiveResponse(
            recorded["status"], media_type, dict(recorded.get("headers", {})), content
        )


def request_key(operation: str, request: Mapping[str, Any]) -> str:
    """Return the key of a request: operation, decoded parameters, body and contents of files.

    A request to no operation is known by its method, path and query.
    """
    compared = {
        "operation": operation or [request["method"], request["path"], request.get("query")],
        "parameters": request.get("parameters") or {},
        "body": request.get("body"),
        "body_sha256": request.get("body_sha256"),
        "files": [(file["field"], file.get("sha256")) for file in request.get("files", ())],
    }
    return sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()[:32]


def request_title(operation: str, request: Mapping[str, Any]) -> str:
    """Return a request in one line."""
    described = {**request.get("query", {}), **(request.get("parameters") or {})}
    if isinstance(request.get("body"), dict):
        described |= request["body"]
    elif "body" in request:
        described["body"] = request["body"]
    for file in request.get("files", ()):
        described[file["field"]] = f"file of {file['bytes']} bytes, SHA-256 {file.get('sha256')}"
    target = operation or f"{request['method']} {request['path']}"
    return f"{target} {brief(described, _MAX_TITLE)}"


# --- write ---------------------------------------------------------------------------------------


class Recorder:
    """Appends exchanges to a file. Raises SettingsError for a file that is no recording."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = Lock()
        if Path(path).is_file() and Path(path).stat().st_size:
            load(path)
        try:
            self._append(b"")
        except OSError as error:
            raise SettingsError(f"record: cannot write {path}: {error.strerror}") from None

    def write(self, exchange: Mapping[str, Any]) -> None:
        """Append an exchange. Blocks; raises OSError."""
        data = document(exchange).encode()
        with self._lock:
            self._append(data)

    def _append(self, data: bytes) -> None:
        # In one call, so that documents of several processes do not mix.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)


def document(exchange: Mapping[str, Any]) -> str:
    """Return an exchange as a YAML document."""
    response = dict(exchange["response"])
    large = ""
    for name in ("body", "text", "base64"):
        if name in response:
            flow = json.dumps(response[name], ensure_ascii=False)
            if len(flow) > _MAX_BLOCK:
                del response[name]
                escaped = _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", flow)
                large = f"  {name}: {escaped}\n"
    return f"---\n{to_yaml({**exchange, 'response': response})}{large}"


def response_document(
    response: LiveResponse, parsed: JSON, content: bytes | None, size: int, redactor: Redactor
) -> Mapping[str, Any]:
    """Return a response as it is recorded; `content` is None for a body of too long a `size`.

    `parsed` is its JSON, None if it has none. Headers with a secret are left out.
    """
    headers = {
        name: value
        for name, value in response.headers.items()
        if not is_secret(name) and redactor.text(value) == value
    }
    recorded: dict[str, Any] = {"status": response.status}
    if response.media_type:
        recorded["media_type"] = response.media_type
    recorded["headers"] = headers
    if content is None:
        return {**recorded, "omitted": {"bytes": size}}
    if parsed is not None or content == b"null":
        return {**recorded, "body": redactor.redact(parsed)}
    if not content:
        return recorded
    try:
        return {**recorded, "text": redactor.text(content.decode())}
    except UnicodeDecodeError:
        return {**recorded, "base64": b64encode(content).decode()}


# --- read ----------------------------------------------------------------------------------------


def is_recording(text: str) -> bool:
    """Return True for the text of a recording, False for that of a configuration file."""
    return all(mark.search(text) for mark in _MARKS)


def load(path: str) -> list[Exchange]:
    """Return the exchanges of a recording. Raises SettingsError with a line for each defect."""
    text, schema = _read(path), _schema()
    exchanges, defects = [], []
    for number, (line, part) in enumerate(_documents(text), 1):
        try:
            read = YAMLDocument(part)
        except UnreadableFile as error:
            raise SettingsError(f"{path}:{_moved(str(error), line)}") from None
        value: Any = read.value
        defects += [f"{path}:{_moved(str(one), line)}" for one in read.diagnostics]
        for violation in schema.violations(read.value, "file"):
            at = read.location(violation.pointer)
            name = f"{at.name} " if at.name else ""
            defects.append(f"{path}:{at.line + line - 1}: {name}{violation.message}")
        exchanges.append(Exchange(number, line, value))
    if not exchanges:
        defects.append(f"{path}: has no exchange; `serve --upstream NAME=URL --record` writes some")
    if defects:
        raise SettingsError("\n".join(defects))
    return exchanges


def check(path: str, exchanges: Sequence[Exchange], providers: Iterable[Provider]) -> None:
    """Raise SettingsError for exchanges with an unknown provider or operation."""
    served = {provider.name: provider for provider in providers}
    defects = []
    for exchange in exchanges:
        name, operation = exchange.data["provider"], exchange.data["operation"]
        provider = served.get(name)
        if provider is None:
            hint = did_you_mean(name, served) or f"available: {', '.join(served)}"
            defects.append(f"{path}:{exchange.line}: provider {name} is unknown; {hint}")
        elif operation and operation not in provider.document.operations:
            hint = did_you_mean(operation, provider.document.operations)
            of = f"{name}, {provider.contract_title}"
            message = f"operation {operation} is not one of {of}"
            defects.append(f"{path}:{exchange.line}: {message}{'; ' + hint if hint else ''}")
    if defects:
        raise SettingsError("\n".join(defects))


def summary(exchanges: Sequence[Exchange]) -> str:
    """Return the number of exchanges: `41 exchanges with telnyx`."""
    names = dict.fromkeys(exchange.data["provider"] for exchange in exchanges)
    count = len(exchanges)
    return f"{count} exchange{'s' * (count != 1)} with {', '.join(names)}"


def _read(path: str) -> str:
    try:
        size = Path(path).stat().st_size
        if size > MAX_FILE_BYTES:
            raise SettingsError(
                f"{path} has {size} bytes; a recording may have {MAX_FILE_BYTES}: split it"
            )
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: byte {error.start} is wrong") from None


def _documents(text: str) -> Iterator[tuple[int, str]]:
    """Yield the documents of a YAML text, each with the line at which it begins."""
    starts = [0, *(match.end() for match in _DOCUMENT.finditer(text))]
    ends = [*(match.start() for match in _DOCUMENT.finditer(text)), len(text)]
    for start, end in zip(starts, ends, strict=True):
        part = text[start:end]
        if any(line.strip() and not line.startswith("#") for line in part.splitlines()):
            yield text.count("\n", 0, start) + 1, part


def _moved(message: str, line: int) -> str:
    """Return a message that begins with a line number of a document, as one of the file."""
    number, colon, rest = message.partition(":")
    return f"{int(number) + line - 1}{colon}{rest}" if number.isdecimal() else message


def _schema() -> Schema:
    return SchemaStore("recording", {"openapi": "3.1.0", **_EXCHANGE}).compile("#")
