"""Handlers for `/health`, `/providers` and `/specs`."""

from __future__ import annotations

from .. import __version__
from ..provider import Provider, Response
from ..types import JSON
from .context import ControlContext


async def health(ctx: ControlContext) -> JSON:
    return {"status": "ok", "version": __version__, "providers": [*ctx.mock.providers]}


async def list_providers(ctx: ControlContext) -> JSON:
    return {"providers": [_provider_json(ctx, provider) for provider in ctx.providers.values()]}


def _provider_json(ctx: ControlContext, provider: Provider) -> JSON:
    operations = provider.document.operations.values()
    return {
        "name": provider.name,
        "title": provider.title or provider.name,
        "edition": provider.document.edition,
        "editions": [*provider.editions],
        "contract": provider.document.file,
        "env": {**provider.env_variables},
        "base_path": provider.base_path,
        "base_url": f"{ctx.origin}{provider.base_path}",
        "auth_header": provider.document.key_example,
        "account_fields": [*provider.account, "limits"],
        "tiers": [*provider.tiers],
        "collections": [*provider.collections],
        "operations": [
            {
                "id": operation.id,
                "method": operation.method,
                "path": operation.path,
                "summary": operation.summary,
                "statuses": sorted(operation.responses),
                "stateful": operation.id in provider.stateful_operations,
            }
            for operation in operations
        ],
    }


async def get_spec(ctx: ControlContext) -> Response:
    name = ctx.parameters["provider"]
    control = ctx.mock.control
    document = control if name == control.name else ctx.find_provider(name).document
    return Response(document.text.encode(), media_type="application/yaml")
