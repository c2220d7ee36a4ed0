"""Handlers for `/accounts`: the state of API keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import RequestLocation, ValidationFailed, Violation
from ..provider import Provider
from ..redact import mask_key
from ..seeding import unknown_name
from ..state.accounts import EVERY_KEY, Account
from ..text import escape
from ..types import JSON
from .context import ControlContext


async def get_account(ctx: ControlContext) -> JSON:
    provider = ctx.find_provider(ctx.parameters["provider"])
    account = await ctx.store.get_account(
        ctx.sandbox, provider.name, ctx.parameters["key"], provider.account
    )
    return _account_json(account)


async def put_account(ctx: ControlContext) -> JSON:
    provider = ctx.find_provider(ctx.parameters["provider"])
    if violations := [*limit_violations(provider, ctx.fields, "body")]:
        raise ValidationFailed("", *violations)
    account = await ctx.store.change_account(
        ctx.sandbox, provider.name, ctx.parameters["key"], provider.account, ctx.fields
    )
    return _account_json(account)


def limit_violations(
    provider: Provider, state: Mapping[str, JSON], location: RequestLocation, pointer: str = ""
) -> Iterator[Violation]:
    """Yield the limits in an account's state that the provider does not have."""
    known = [*provider.limits, "requests"]
    for name in state.get("limits", {}):
        if name not in known:
            yield unknown_name(location, f"{pointer}/limits/{escape(name)}", known, name)


def _account_json(account: Account) -> JSON:
    return {
        "provider": account.provider,
        "key": account.key if account.key == EVERY_KEY else mask_key(account.key),
        **account.described(),
    }
