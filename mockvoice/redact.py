"""Mask keys, passwords and tokens in everything that is shown.

Secrets are found by name, as the members of objects and the headers that usually hold one. What is
found, and the API key of the request, is also masked by value wherever else it occurs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

FAULT_HEADER = "x-mockvoice-fault"
_SECRET = re.compile(
    r"authorization|cookie|(^|[-_])auth([-_]?(key|token))?$|(api|access|private)[-_]?key|secret"
    r"|(?<!page_)token$|passw|credential|^key$|signature$",
    re.IGNORECASE,
)
_MIN_SECRET = 8  # characters: a shorter one may be part of any word
_MAX_SECRETS = 50  # that are masked by value
_NAME = re.compile(r"[a-z_]{1,16}")  # of a kind of fault, in a header
_QUERY = re.compile(r"(https?:(?:\\?/){2}[^\s\"?]+\?)[^\s\"]+")  # may sign it
_SEPARATORS = re.compile(r"[\s,;=\"]+")  # in headers: a scheme and a key, names and values


def mask_key(key: str) -> str:
    """Return a masked key, which identifies an account but cannot be used: `sk_t…3f2a9c`."""
    shown = key[: min(4, len(key) // 3)]
    return f"{shown}…{blake2b(key.encode(errors='replace'), digest_size=3).hexdigest()}"


def redact_url(url: str) -> str:
    """Return the URL of a server without user, password and parameters."""
    parts = urlsplit(url)
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":  # of a password that is not encoded
        return f"{parts.scheme}://…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_secret(name: str) -> bool:
    """Return True for the name of a member or header that usually holds a secret."""
    return _SECRET.search(name) is not None


def find_secrets(value: Any) -> Iterator[str]:
    """Yield the texts and numbers in the secret members of JSON."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _texts(member) if is_secret(name) else find_secrets(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from find_secrets(item)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts and numbers in JSON."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield repr(value)


def header_secrets(name: str, text: str) -> Iterator[str]:
    """Yield the secrets in a header: those in its words, or in the JSON of a fault.

    A fault that is not JSON is one secret, because nothing in it can be found by name.
    """
    if is_secret(name):
        yield text
        yield from _words(text)
    elif name == FAULT_HEADER:
        fault = _load(text)
        yield from [text, *_words(text)] if fault is None else fault_secrets(fault)


def request_secrets(
    account: str, headers: Mapping[str, str], *values: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the secrets of a request: its API key, and those in headers, query and fields."""
    yield account
    for name, text in headers.items():
        yield from header_secrets(name, text)
    for members in values:
        yield from find_secrets(members)


def _words(text: str) -> list[str]:
    return _SEPARATORS.split(text)


def fault_secrets(fault: Any) -> Iterator[str]:
    """Yield the secrets in a fault: the account and the headers that it matches."""
    match = fault.get("match") if isinstance(fault, dict) else None
    if isinstance(match, dict):
        yield from _texts(match.get("account"))
        headers = match.get("headers")
        for name, text in headers.items() if isinstance(headers, dict) else ():
            yield from header_secrets(name.lower(), str(text))
    yield from find_secrets(fault)


def redact_fault_header(text: str) -> str:
    """Return the text of a fault header with its secrets masked."""
    fault = _load(text)
    return mask_key(text) if fault is None else json.dumps(redact_fault(fault))


def redact_fault(fault: Any) -> Any:
    """Return a fault with the secrets masked that it matches."""
    shown = Redactor(fault_secrets(fault)).values(fault)
    match = shown.get("match") if isinstance(shown, dict) else None
    if isinstance(match, dict):
        match = redact(match)
        if "account" in match:
            account = fault["match"]["account"]
            match["account"] = mask_key(account) if isinstance(account, str) else mask(account)
        shown["match"] = match
    return shown


def _load(text: str) -> Any:
    """Return a fault parsed from JSON, or the name of a kind as it is; None for other texts."""
    if _NAME.fullmatch(text):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class Redactor:
    """Masks JSON: secret members, and the values of known secrets in all texts.

    With `queries` the queries of all URLs are masked too.
    """

    def __init__(self, secrets: Iterable[str] = (), *, queries: bool = False) -> None:
        self._queries = queries
        long = dict.fromkeys(secret for secret in secrets if len(secret) >= _MIN_SECRET)
        masks = {
            form: mask_key(secret)
            for secret in islice(long, _MAX_SECRETS)
            for form in (
                secret,
                quote(secret, safe="", errors="replace"),
                quote_plus(secret, errors="replace"),
                json.dumps(secret)[1:-1],
                json.dumps(secret, ensure_ascii=False)[1:-1],
            )
        }
        # The longest first: a secret may be part of another one.
        self._masks = sorted(masks.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        """Return a text with the secrets masked that occur in it."""
        for secret, masked in self._masks:
            text = text.replace(secret, masked)
        return _QUERY.sub(r"\1redacted", text) if self._queries else text

    def values(self, value: Any) -> Any:
        """Return JSON with known secrets masked in texts and names, whatever their names."""
        if isinstance(value, dict):
            return {self.text(name): self.values(member) for name, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.values(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def redact(self, value: Any) -> Any:
        """Return JSON with secret members and known secrets masked."""
        if isinstance(value, dict):
            return {
                self.text(name): mask(member) if is_secret(name) else self.redact(member)
                for name, member in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.redact(item) for item in value]
        return self.text(value) if isinstance(value, str) else value


def redact(value: Any, *secrets: str) -> Any:
    """Return JSON with its secret members masked, and their values wherever else they occur."""
    return Redactor([*secrets, *find_secrets(value)]).redact(value)


def mask(value: Any) -> Any:
    """Return JSON with every text and number masked."""
    if isinstance(value, dict):
        return {name: mask(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return mask_key(value if isinstance(value, str) else repr(value))
