"""Handlers for `/accounts`: the state of API keys."""

from __future__ import annotations

from ..errors import ValidationFailed
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..redact import mask_key
from ..state.accounts import EVERY_KEY, Account
from .providers import find_provider


async def get_account(ctx: RequestContext) -> JSON:
    return _account_json(await _open_account(ctx))


async def put_account(ctx: RequestContext) -> JSON:
    provider = find_provider(ctx, ctx.parameters["provider"])
    if violations := ctx.mock.wrong_limits(provider, ctx.fields, "body"):
        raise ValidationFailed("", *violations)
    account = await _open_account(ctx)
    return _account_json(await ctx.sandbox.accounts.change(account, ctx.fields))


async def _open_account(ctx: RequestContext) -> Account:
    provider = find_provider(ctx, ctx.parameters["provider"])
    return await ctx.sandbox.accounts.open(provider.name, ctx.parameters["key"], provider.account)


def _account_json(account: Account) -> JSON:
    return {
        "provider": account.provider,
        "key": account.key if account.key == EVERY_KEY else mask_key(account.key),
        **account.described(),
    }
