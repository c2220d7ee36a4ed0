"""The bearer token of the control API."""

from __future__ import annotations

from hmac import compare_digest

from ..errors import Unauthenticated
from ..provider import Headers


def check_token(headers: Headers, token: str) -> None:
    """Raise Unauthenticated unless the request has this bearer token; "" permits every request."""
    if not token:
        return
    scheme, _, received = headers.get("authorization").partition(" ")
    # compare_digest takes as long for a wrong token as for a nearly correct one.
    if scheme.lower() != "bearer" or not compare_digest(
        received.strip().encode("latin-1"), token.encode()
    ):
        raise Unauthenticated(
            "the control API of this server requires `Authorization: Bearer` and the control"
            " token; clients of mockvoice read it from MOCKVOICE_CONTROL_TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )
