"""Authentication: the API key of a request."""

from __future__ import annotations

from urllib.parse import parse_qs

from ..errors import Problem, Unauthenticated
from ..openapi.document import Operation, SecurityScheme
from ..provider import Headers, RequestContext
from ..redact import is_secret
from ..state.accounts import Account


def api_key(operation: Operation, headers: Headers, query: bytes) -> str:
    """Return the API key of a request, "" for an operation that needs none.

    Raises Unauthenticated.
    """
    scheme = operation.security
    if scheme is None:
        return ""
    value = _value(scheme, headers, query)
    if value:
        return _key(scheme, value, headers)
    for other in operation.other_keys:
        value = _value(other, headers, query)
        if value:
            return _key(other, value, headers)
    if not operation.requires_key:
        return ""
    kind = "query parameter" if scheme.kind == "query" else "header"
    detail = f"the {kind} {scheme.header} is missing or empty"
    raise Unauthenticated(detail, hint=_hint(scheme, headers))


def _value(scheme: SecurityScheme, headers: Headers, query: bytes) -> str:
    """Return what was sent where a scheme has the key, "" if nothing."""
    if scheme.kind == "query":
        return parse_qs(query.decode("latin-1")).get(scheme.header, [""])[-1].strip()
    return headers.get(scheme.header).strip()


def _key(scheme: SecurityScheme, value: str, headers: Headers) -> str:
    """Return the key in what was sent. Raises Unauthenticated."""
    if scheme.kind != "bearer":
        return value
    name, _, token = value.partition(" ")
    if name.lower() != "bearer" or not token.strip():
        detail = "the header authorization must be `Bearer` and an API key"
        raise Unauthenticated(detail, hint=_hint(scheme, headers))
    return token.strip()


def unlisted_key(ctx: RequestContext, account: Account) -> Problem | None:
    """Return the problem of a key that is not valid because only listed keys are."""
    if ctx.begun.keys != "listed" or account.listed or not account.key:
        return None
    path = f"/__mockvoice/accounts/{ctx.provider.name}/KEY"
    hint = (
        "the setting keys is listed: add the key to accounts in the configuration, or with"
        f" PUT {ctx.origin}{path}"
    )
    return Unauthenticated("the API key is not one of the listed keys", hint=hint)


def _hint(scheme: SecurityScheme, headers: Headers) -> str:
    """Return the header that the operation requires, and the headers that were sent instead."""
    sent = [name for name, _ in headers.items() if is_secret(name) and name != "cookie"]
    instead = " and ".join(name for name in sent if name != scheme.header)
    if scheme.header in sent and scheme.kind == "bearer":
        instead = instead or f"{scheme.header} without `Bearer` and a key"
    return f"send the API key as `{scheme.example}`" + (f"; you sent {instead}" if instead else "")
