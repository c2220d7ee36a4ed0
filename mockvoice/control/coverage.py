"""Handlers for `/coverage`: the part of the contracts that requests have exercised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..documented_errors import documented_errors
from ..openapi.document import Operation
from ..provider import Provider
from ..state.journal import CoverageCount
from ..types import JSON
from .context import ControlContext

if TYPE_CHECKING:
    from ..models import OperationCoverage, StatusCoverage


async def get_coverage(ctx: ControlContext) -> JSON:
    from ..models import Coverage  # here: it takes 25 ms, and many servers never need it

    every = ctx.parameters["all"]
    counts = defaultdict[tuple[str, str, str], list[CoverageCount]](list)
    for count in await ctx.store.count_coverage(ctx.sandbox or None):
        counts[count.provider, count.edition, count.operation].append(count)
    used = {(provider, edition) for provider, edition, _ in counts}
    operations = [
        _operation_coverage(provider, operation, counts.get((*contract, operation.id), ()))
        for contract, provider in _contracts(ctx).items()
        if contract in used or (every and provider is ctx.providers[provider.name])
        for operation in provider.document.operations.values()
    ]
    return Coverage(every, tuple(operations)).described()


def _contracts(ctx: ControlContext) -> Mapping[tuple[str, str], Provider]:
    """Return all providers in all of their editions, by name and edition."""
    providers = [
        ctx.mock.select_one(name, edition)
        for name, provider in ctx.providers.items()
        for edition in provider.editions or ("",)
    ]
    return {(provider.name, provider.edition): provider for provider in providers}


async def clear_coverage(ctx: ControlContext) -> None:
    await ctx.store.clear_coverage(ctx.sandbox or None)


def _operation_coverage(
    provider: Provider, operation: Operation, counts: Sequence[CoverageCount]
) -> OperationCoverage:
    """Return what these requests to an operation have exercised."""
    from ..models import OperationCoverage

    statuses: Counter[int | None] = Counter()
    faults: Counter[str] = Counter()
    for count in counts:
        statuses[count.status] += count.total
        for kind in count.kinds:
            faults[kind] += count.total
    others = sorted(status for status in statuses if status and status not in operation.responses)
    return OperationCoverage(
        provider=provider.name,
        edition=provider.edition,
        operation=operation.id,
        method=operation.method,
        path=provider.base_path + operation.path,
        requests=statuses.total(),
        statuses=_status_coverage(provider, operation, statuses),
        undocumented={str(status): statuses[status] for status in others},
        no_response=statuses[None],
        faults=dict(sorted(faults.items())),
    )


def _status_coverage(
    provider: Provider, operation: Operation, requests: Counter[int | None]
) -> tuple[StatusCoverage, ...]:
    """Return the documented statuses of an operation with their causes, in ascending order."""
    from ..models import StatusCoverage

    causes = {error.status: error.provoked_by for error in documented_errors(provider, operation)}
    target = {"provider": provider.name, "operation": operation.id}
    return tuple(
        StatusCoverage(
            status,
            response.description,
            requests[status],
            causes.get(status, ("a valid request",)),
            {**target, "status": status} if status in causes else None,
        )
        for status, response in sorted(operation.responses.items())
    )
