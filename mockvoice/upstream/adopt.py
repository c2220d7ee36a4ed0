"""Give the sandbox the records of a live account, so that the mock knows them in later requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..openapi.document import MediaType
from ..openapi.examples import example
from ..openapi.paths import combined, members
from ..openapi.schema import SchemaStore
from ..provider import Collection, Provider, RequestContext
from ..state.records import Data, Record
from ..state.store import Change, PutRecord
from ..types import JSON

MAX_RECORDS = 1_000  # of one response
_MIN_PART = 8  # characters of an id that is also replaced inside other texts


async def unknown_records(ctx: RequestContext, content: MediaType, body: JSON) -> list[Record]:
    """Return the records in a live response that the account does not have in the sandbox."""
    found = list(_records(ctx, content, body))
    known = {
        (collection, record.id)
        for collection in {record.collection for record in found}
        for record in await ctx.all(collection)
    }
    unknown = {(one.collection, one.id): one for one in found}
    return [record for key, record in unknown.items() if key not in known][:MAX_RECORDS]


def adopted(changes: Sequence[Change], mock: JSON, live: JSON) -> list[Change]:
    """Return changes in which new records have the ids of the live response.

    The responses are those to the request that made the records.
    """
    pairs = dict(_pairs(mock, live))
    new = [c for c in changes if isinstance(c, PutRecord) and c.revision is None]
    made = {change.record.id for change in new} & pairs.keys()
    if not made:
        return [*changes]
    parts = {old: pairs[old] for old in made if len(old) >= _MIN_PART}
    return [
        _renamed(change.record, pairs, parts)
        if isinstance(change, PutRecord) and change.revision is None
        else change
        for change in changes
    ]


def _renamed(record: Record, pairs: Mapping[str, str], parts: Mapping[str, str]) -> Change:
    id, data = (_replaced(value, pairs, parts) for value in (record.id, record.data))
    return PutRecord(record._replace(id=id, data=data))


def _replaced(value: Any, pairs: Mapping[str, str], parts: Mapping[str, str]) -> Any:
    """Return JSON with texts replaced that are in `pairs`, or contain an id in `parts`."""
    if isinstance(value, dict):
        return {name: _replaced(member, pairs, parts) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(item, pairs, parts) for item in value]
    if not isinstance(value, str):
        return value
    if value in pairs:
        return pairs[value]
    for old, new in parts.items():
        value = value.replace(old, new)
    return value


def _pairs(mock: JSON, live: JSON) -> Iterator[tuple[str, str]]:
    """Yield the different texts at the same locations of both responses."""
    if isinstance(mock, dict) and isinstance(live, dict):
        for name in mock.keys() & live.keys():
            yield from _pairs(mock[name], live[name])
    elif isinstance(mock, str) and isinstance(live, str) and mock != live:
        yield mock, live


def _records(ctx: RequestContext, content: MediaType, body: JSON) -> Iterator[Record]:
    """Yield the records in a response: the values that the contract describes as such."""
    if content.schema is None:
        return
    schemas = ctx.provider.document.schemas
    described = {
        id(schemas.compile(collection.schema).node): name
        for name, collection in ctx.provider.collections.items()
    }
    for name, value in _described(schemas, content.schema.node, body, described):
        record = _record(ctx, ctx.provider, name, value)
        if record:
            yield record


def _described(
    schemas: SchemaStore, node: Any, value: JSON, described: Mapping[int, str]
) -> Iterator[tuple[str, Data]]:
    """Yield the objects in JSON that have one of the described schemas."""
    parts = [*combined(schemas, node)]
    if isinstance(value, dict):
        names = {described[id(part)] for part in parts if id(part) in described}
        if names:
            yield names.pop(), value
            return
        for name, member in value.items():
            for part in parts:
                for child in members(part, name):
                    yield from _described(schemas, child, member, described)
    elif isinstance(value, list):
        children = [child for part in parts for child in members(part, "-")]
        for item in value:
            for child in children:
                yield from _described(schemas, child, item, described)


def _record(ctx: RequestContext, provider: Provider, name: str, value: Data) -> Record | None:
    """Return a live record; None if the contract does not permit it, or it has no id."""
    collection: Collection = provider.collections[name]
    schemas, schema = (
        provider.document.schemas,
        provider.document.schemas.compile(collection.schema),
    )
    required: Mapping[str, JSON] = {}
    if missing := [one for one in schema.node.get("required", ()) if one not in value]:
        model: Mapping[str, JSON] = example(schemas, schema.node)
        required = {one: model[one] for one in missing if one in model}
    # A member that the contract lacks would hide from later comparisons that the mock lacks it.
    parts = [*combined(schemas, schema.node)]
    known = {one: member for one, member in value.items() if _is_documented(parts, one)}
    data, record_id = {**required, **known}, value.get(collection.id)
    if not isinstance(record_id, str) or not schema.is_valid(data):
        return None
    return Record(provider.name, name, ctx.account.key, record_id, data, ctx.now)


def _is_documented(parts: Sequence[Any], name: str) -> bool:
    return any(True for part in parts for _ in members(part, name))
