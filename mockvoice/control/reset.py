"""Handler for `/reset`: the initial state of a sandbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import ValidationFailed, Violation
from ..provider import LATEST, Provider
from ..seeding import unknown_name
from ..state.store import PARTS, SandboxSettings
from ..text import escape
from .context import ControlContext


async def reset(ctx: ControlContext) -> None:
    settings = dict(ctx.fields)
    parts, seed = settings.pop("only", PARTS), settings.pop("seed", None)
    if seed is not None:
        seed = int(seed)  # 7.0 is a valid integer in JSON Schema
    await check_editions(ctx, settings.get("edition", {}))
    await ctx.store.reset(ctx.sandbox, parts, SandboxSettings(seed, **settings))


async def check_editions(
    ctx: ControlContext, editions: Mapping[str, str]
) -> Mapping[str, Provider]:
    """Return the providers of the sandbox, once it selects these editions.

    Raises ValidationFailed for editions that do not exist or that the settings do not fit.
    """
    if violations := [*edition_violations(ctx.mock.providers, editions)]:
        raise ValidationFailed("", *violations)
    selected = ctx.mock.select({**await ctx.store.get_editions(ctx.sandbox), **editions})
    try:
        ctx.mock.all_configured_records(selected, "", 0.0)
    except ValidationFailed as problem:
        detail = f"makes the voices of the settings invalid: {problem.sentences}"
        raise ValidationFailed("", Violation("body", "/edition", "voices", detail)) from None
    return selected


def edition_violations(
    providers: Mapping[str, Provider], editions: Mapping[str, str]
) -> Iterator[Violation]:
    """Yield the providers that are not served, and the editions that they do not have."""
    for name, edition in editions.items():
        pointer = f"/edition/{escape(name)}"
        if name not in providers:
            yield unknown_name("body", pointer, [*providers], name)
            continue
        known = [*providers[name].editions, LATEST]
        if edition not in known:
            yield unknown_name("body", pointer, known, edition)
