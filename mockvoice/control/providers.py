"""Handlers for `/health`, `/providers` and `/specs`."""

from __future__ import annotations

from .. import __version__
from ..errors import NotFound
from ..openapi.normalize import JSON
from ..provider import Provider, RequestContext, Response


def find_provider(ctx: RequestContext, name: str) -> Provider:
    """Return the served provider with a name. Raises NotFound."""
    if name not in ctx.mock.served:
        raise NotFound(f"there is no provider {name}; there are {', '.join(ctx.mock.served)}")
    return ctx.mock.served[name]


async def health(ctx: RequestContext) -> JSON:
    return {"status": "ok", "version": __version__, "providers": [*ctx.mock.served]}


async def list_providers(ctx: RequestContext) -> JSON:
    return {"providers": [_provider_json(ctx, provider) for provider in ctx.mock.served.values()]}


def _provider_json(ctx: RequestContext, provider: Provider) -> JSON:
    operations = provider.document.operations.values()
    schemes = [operation.credential for operation in operations if operation.credential]
    return {
        "name": provider.name,
        "title": provider.title or provider.name,
        "aliases": [*provider.aliases],
        "base_path": provider.base_path,
        "base_url": f"{ctx.origin}{provider.base_path}",
        "auth_header": schemes[0].example if schemes else "",
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


async def get_spec(ctx: RequestContext) -> Response:
    name = ctx.parameters["provider"]
    provider = ctx.provider if name == ctx.provider.name else find_provider(ctx, name)
    return Response(provider.document.text.encode(), media_type="application/yaml")
