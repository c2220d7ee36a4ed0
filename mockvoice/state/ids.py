"""Ids and random draws that repeat: hashes of a seed, a kind and a count."""

from __future__ import annotations

from hashlib import blake2b, sha1

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class Ids:
    """The ids of one request: the nth request to an operation always makes the same ones.

    `scope` is the operation, `count` the number of requests to it until now.
    """

    def __init__(self, seed: str, scope: str, count: int) -> None:
        self._prefix = f"{seed}/{scope}/{count}"
        self._counts: dict[str, int] = {}

    def _next(self, kind: str) -> bytes:
        self._counts[kind] = count = self._counts.get(kind, 0) + 1
        name = f"{self._prefix}/{kind}/{count}"
        return blake2b(name.encode(), digest_size=32).digest()

    def uuid(self, kind: str) -> str:
        """Return the next UUID of a kind, in the form of version 4 (RFC 9562)."""
        text = self._next(kind).hex()
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

    def token(self, kind: str, length: int) -> str:
        """Return the next lower-case hexadecimal token of a kind, up to 64 characters."""
        return self._next(kind).hex()[:length]

    def word(self, kind: str, length: int) -> str:
        """Return the next token of letters and digits, up to 43 characters."""
        number = int.from_bytes(self._next(kind), "big")
        letters = []
        for _ in range(length):
            number, rest = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[rest])
        return "".join(letters)


def draw(*parts: object) -> float:
    """Return a number from 0 up to 1 that depends on nothing but the parts."""
    # SHA-1, of which every store has an implementation; nothing here is secret.
    digest = sha1("/".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()
    return int(digest[:13], 16) / 16**13
