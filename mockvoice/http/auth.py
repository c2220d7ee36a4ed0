"""Authentication: the API key of a request."""

from __future__ import annotations

from ..errors import Unauthenticated
from ..openapi.document import Operation
from ..provider import Headers


def api_key(operation: Operation, headers: Headers) -> str:
    """Return the API key of a request, "" for an operation that needs none.

    Raises Unauthenticated.
    """
    scheme = operation.security
    if scheme is None:
        return ""
    value = headers.get(scheme.header).strip()
    if not value:
        raise Unauthenticated(f"the header {scheme.header} is missing or empty")
    if scheme.kind == "header":
        return value
    name, _, token = value.partition(" ")
    if name.lower() != "bearer" or not token.strip():
        raise Unauthenticated("the header authorization must be `Bearer` and an API key")
    return token.strip()
