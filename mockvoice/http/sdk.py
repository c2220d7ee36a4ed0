"""The SDK that sends a request, and the edition of the contract that it was generated from."""

from __future__ import annotations

import re

from ..errors import MethodNotAllowed, Problem, UnknownPath
from ..provider import Headers, Provider

# `Telnyx/Python 4.189.0`, `speakeasy-sdk/python 0.2.3 2.686.7 0.9.6 supertone`
_USER_AGENT = re.compile(r"[\w-]+/([A-Za-z]+) (\d[\w.]*)")


def sdk(headers: Headers) -> tuple[str, str]:
    """Return language and version of the SDK that sends a request, both "" if it names none."""
    language = headers.get("x-stainless-lang")
    version = headers.get("x-stainless-package-version")
    if language and version:
        return language.lower(), version
    match = _USER_AGENT.match(headers.get("user-agent"))
    return (match[1].lower(), match[2]) if match else ("", "")


def newer_edition(provider: Provider, language: str, version: str) -> str:
    """Return the edition that an SDK was generated from if it is newer than the one in use."""
    names = [*provider.editions]
    for name in reversed(names[names.index(provider.edition) + 1 :]):
        first = provider.editions[name].sdks.get(language)
        if first and _numbers(version) >= _numbers(first):
            return name
    return ""


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", version)[:3]]


def add_edition_hint(problem: Problem, provider: Provider, headers: Headers) -> None:
    """Say in the hint of a problem that the SDK is of a newer edition, and how to select it.

    Only for violations of the contract, and for paths and methods that it does not have.
    """
    if provider.contract or not provider.edition:
        return
    if not (problem.violations or isinstance(problem, UnknownPath | MethodNotAllowed)):
        return
    language, version = sdk(headers)
    edition = newer_edition(provider, language, version) if version else ""
    if edition:
        hint = (
            f"the SDK ({language} {version}) is of edition {edition} or newer, and edition"
            f" {provider.edition} is in use; select it with --edition {provider.name}={edition},"
            f' or in a test with @pytest.mark.mockvoice(edition={{"{provider.name}": "{edition}"}})'
        )
        problem.hint = "; ".join(filter(None, (problem.hint, hint)))
