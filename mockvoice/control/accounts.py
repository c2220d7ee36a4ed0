"""Handlers for `/accounts`: the state of API keys."""

from __future__ import annotations

from ..errors import ValidationFailed, Violation
from ..faults.validation import target_violations
from ..openapi.schema import SchemaStore
from ..provider import Provider
from ..redact import mask_key
from ..state.accounts import EVERY_KEY, Account
from ..types import JSON, Node
from .context import ControlContext


async def list_accounts(ctx: ControlContext) -> JSON:
    if violations := [*target_violations(ctx.mock.providers, ctx.parameters, "query")]:
        raise ValidationFailed("", *violations)
    provider = ctx.parameters.get("provider")
    accounts = await ctx.store.list_accounts(ctx.sandbox)
    return {
        "accounts": [
            _account_json(account) for account in accounts if provider in (None, account.provider)
        ]
    }


async def get_account(ctx: ControlContext) -> JSON:
    provider = ctx.find_provider(ctx.parameters["provider"])
    return _account_json(await find_account(ctx, provider, ctx.parameters["key"]))


async def find_account(ctx: ControlContext, provider: Provider, key: str) -> Account:
    """Return the account of a key."""
    return await ctx.store.get_account(ctx.sandbox, provider.name, key, provider.account)


async def put_account(ctx: ControlContext) -> JSON:
    provider = ctx.find_provider(ctx.parameters["provider"])
    if violations := _violations(ctx, provider):
        raise ValidationFailed("", *violations)
    key = ctx.parameters["key"]
    listed = {} if key == EVERY_KEY else {"listed": True}
    account = await ctx.store.change_account(
        ctx.sandbox, provider.name, key, provider.account, {**ctx.fields, **listed}
    )
    return _account_json(account)


def account_schema(provider: Provider, state: Node) -> Node:
    """Return the schema of the state that an account of a provider has.

    `state` is the schema AccountState of the control API, which has the fields of all providers.
    """
    fields = [*provider.account, "limits"]
    properties = {name: state["properties"][name] for name in fields}
    if provider.tiers:
        properties["tier"] = {**properties["tier"], "enum": [*provider.tiers]}
    limits: Node = properties["limits"]
    limit = limits["additionalProperties"]
    properties["limits"] = {
        **limits,
        "additionalProperties": False,
        "properties": dict.fromkeys([*provider.limits, "requests"], limit),
    }
    title = provider.title or provider.name
    message = f"has no effect at {title}; fields with an effect: {', '.join(fields)}"
    return {
        **state,
        "properties": properties,
        "x-messages": {"additionalProperties": message},
    }


def _violations(ctx: ControlContext, provider: Provider) -> list[Violation]:
    """Return the fields of the body that have no effect at the provider, and unknown values."""
    words = ctx.mock.control.schemas.node("#/components/schemas")
    state = account_schema(provider, words["AccountState"])
    schemas = {"AccountState": state, "Limit": words["Limit"]}
    document = {"openapi": "3.1.0", "components": {"schemas": schemas}}
    schema = SchemaStore("mockvoice", document).compile("#/components/schemas/AccountState")
    return schema.violations(ctx.fields, "body")


def _account_json(account: Account) -> JSON:
    return {
        "provider": account.provider,
        "key": account.key if account.key == EVERY_KEY else mask_key(account.key),
        **account.described(),
    }
