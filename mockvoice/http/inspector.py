"""The inspector: a web page that shows and controls the mock through the control API.

Its files are in `mockvoice/inspector/`. They disclose nothing, so they need no token; what they
show comes from the control API, which checks token and origin.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from starlette.types import Receive, Scope, Send

from ..config.yaml import YAMLDocument
from ..faults.kinds import KINDS
from ..mock import Mock
from ..openapi.document import Document
from .hosts import CONTROL
from .identify import HEADERS
from .responses import encode
from .transport import RawResponse, ResponseTransport

FOLDER = Path(__file__).parents[1] / "inspector"
FAULT_FORM = "faults.json"
_ICON = "icon.svg"
_FAVICON = "/favicon.ico"  # browsers request it for whatever they show of a server
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " media-src 'self' blob:; img-src 'self' data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


def is_inspector_request(scope: Scope) -> bool:
    """Return True for a file of the page, and for a browser that wants the page, or its icon.

    Programs get an error with hints there instead.
    """
    path = scope["path"]
    if path.startswith(f"{CONTROL}/inspector/"):
        return True
    if scope["method"] != "GET" or path not in ("/", CONTROL, f"{CONTROL}/", _FAVICON):
        return False
    media_type = "image/" if path == _FAVICON else "text/html"
    return media_type in scope[HEADERS].get("accept")


async def send_page(mock: Mock, sandbox: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a file of the page, or a redirect to the page."""
    response = _response(mock.control, sandbox, scope)
    await ResponseTransport(scope, receive, send).send(response)


def _response(control: Document, sandbox: str, scope: Scope) -> RawResponse:
    path, base = scope["path"], control.base_path
    if scope["method"] not in ("GET", "HEAD"):
        return RawResponse(405, "text/plain", b"use GET", {"allow": "GET, HEAD"})
    if path in ("/", base):
        prefix = f"/~{sandbox}" if sandbox else ""
        return RawResponse(307, "", b"", {"location": f"{prefix}{base}/"})
    if path == _FAVICON:
        path = f"{base}/inspector/{_ICON}"
    name = path.removeprefix(f"{base}/").removeprefix("inspector/") or "index.html"
    file = _files(control).get(name)
    if file is None:
        return RawResponse(404, "text/plain", b"the inspector has no such file")
    etag = f'"{blake2b(file, digest_size=12).hexdigest()}"'
    headers = {**_HEADERS, "etag": etag}
    if scope[HEADERS].get("if-none-match") == etag:
        return RawResponse(304, "", b"", headers)
    return RawResponse(200, _MEDIA_TYPES[Path(name).suffix], file, headers)


@cache
def _files(control: Document) -> Mapping[str, bytes]:
    """Return the files of the page by name. They are read when the page is first opened."""
    files = {file.name: file.read_bytes() for file in FOLDER.iterdir() if file.is_file()}
    return {**files, FAULT_FORM: encode(_fault_form(control)).encode()}


def _fault_form(control: Document) -> Any:
    """Return the kinds of faults and the schemas of their fields, for the form that adds one.

    `sequence` are the fields of a sequence besides its steps.
    """
    schemas = YAMLDocument(control.text).value["components"]["schemas"]
    properties = {
        name: _without_reference(schema, schemas)
        for name, schema in schemas["Fault"]["properties"].items()
    }
    kinds = {
        name: {"summary": kind.summary, "fields": [*kind.fields]} for name, kind in KINDS.items()
    }
    in_sequence = [name for name in schemas["Sequence"]["properties"] if name != "sequence"]
    return {"kinds": kinds, "properties": properties, "sequence": in_sequence}


def _without_reference(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Any:
    return schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
