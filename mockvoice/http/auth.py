"""Authentication: the API key of a request."""

from __future__ import annotations

from ..errors import Unauthenticated
from ..openapi.document import Operation, SecurityScheme
from ..provider import Headers
from ..redact import is_secret


def api_key(operation: Operation, headers: Headers) -> str:
    """Return the API key of a request, "" for an operation that needs none.

    Raises Unauthenticated.
    """
    scheme = operation.security
    if scheme is None:
        return ""
    value = headers.get(scheme.header).strip()
    if not value:
        detail = f"the header {scheme.header} is missing or empty"
        raise Unauthenticated(detail, hint=_hint(scheme, headers))
    if scheme.kind == "header":
        return value
    name, _, token = value.partition(" ")
    if name.lower() != "bearer" or not token.strip():
        detail = "the header authorization must be `Bearer` and an API key"
        raise Unauthenticated(detail, hint=_hint(scheme, headers))
    return token.strip()


def _hint(scheme: SecurityScheme, headers: Headers) -> str:
    """Return the header that the operation requires, and the headers that were sent instead."""
    sent = [name for name, _ in headers.items() if is_secret(name) and name != "cookie"]
    instead = " and ".join(name for name in sent if name != scheme.header)
    if scheme.header in sent and scheme.kind == "bearer":
        instead = instead or f"{scheme.header} without `Bearer` and a key"
    return f"send the API key as `{scheme.example}`" + (f"; you sent {instead}" if instead else "")
