"""Protection against web pages of other origins (CSRF and DNS rebinding)."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from ..errors import Forbidden
from ..provider import Headers

# At least one is present in every request from a browser. To an insecure host name browsers send
# no Sec-Fetch-Site, and Origin only with some methods.
_BROWSER_HEADERS = ("origin", "referer", "sec-fetch-site", "accept-language")


def check_origin(headers: Headers) -> None:
    """Raise Forbidden for a browser request unless a page of the mock itself sent it.

    Requests without browser headers pass.
    """
    if not any(headers.get(name) for name in _BROWSER_HEADERS):
        return
    host, origin = headers.get("host"), headers.get("origin")
    if origin and origin.partition("://")[2] != host:
        raise Forbidden(f"pages from {origin} may not use the control API")
    if headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden("pages from another origin may not use the control API")
    if not _is_local(host):
        # After DNS rebinding, a page from the internet and the mock have the same origin.
        raise Forbidden(
            f"browsers may not use the control API as {host}; use an IP address, localhost,"
            " or a host name without a dot"
        )


def is_foreign(headers: Headers) -> bool:
    """Return True for a browser request that no page of the mock itself sent."""
    try:
        check_origin(headers)
    except Forbidden:
        return True
    return False


def _is_local(host: str) -> bool:
    """Return True for an IP address, and for a host name that no public domain can contain."""
    try:
        host = urlsplit(f"//{host}").hostname or ""
        ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return True
