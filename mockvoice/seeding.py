"""Seeding: records given up front, completed so that they satisfy their contract."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from .errors import RequestLocation, ValidationFailed, Violation
from .openapi.examples import example
from .openapi.messages import sentence
from .openapi.schema import Schema
from .provider import Collection, Provider, with_keys
from .state.clock import EARLIEST, LATEST, parse_time, timestamp
from .state.ids import Ids
from .state.records import EVERY_ACCOUNT, Data, Record
from .state.uploads import Upload
from .text import did_you_mean, escape
from .types import JSON, Node


def make_records(
    providers: Mapping[str, Provider],
    seed: Mapping[str, Any],
    ids: Ids,
    now: float,
    sample_url: Callable[[str], str] | None = None,
) -> list[Record]:
    """Return the record that a RecordSeed of the control API describes, after those it needs.

    Missing members are made up so that the record satisfies its contract; `sample_url` returns the
    URL of a voice's sample. Where the address of the mock is not known, `with_sample` adds the URL
    later. The uploaded files are those of `seeded_uploads`. Raises ValidationFailed.
    """
    provider: Provider = _named("/provider", seed["provider"], providers)
    name = seed.get("collection") or next(iter(provider.collections), "")
    account = seed.get("account") or EVERY_ACCOUNT
    created_at = read_time("/created_at", seed["created_at"]) if "created_at" in seed else now
    uploads = tuple(upload.id for upload in seeded_uploads(seed))
    is_complete = seed.get("complete", False)
    if is_complete and "id" in seed and name not in provider.collections:  # exported
        data = seed.get("data", {})
        return [Record(provider.name, name, account, seed["id"], data, created_at, uploads)]
    collection: Collection = _named("/collection", name, provider.collections)
    schema = provider.document.schemas.compile(collection.schema)
    given = {**seed.get("data", {})}
    if "id" in seed:
        given[collection.id] = seed["id"]
    id = given.get(collection.id) or collection.new_id(ids)
    if isinstance(id, str) and schema.node["properties"][collection.id].get("format") == "uuid":
        id = id.lower()  # as RFC 9562 writes it, and as handlers look it up
    model: dict[str, JSON] = example(provider.document.schemas, schema.node)
    # The id itself, and other members with its value, such as provider_voice_id.
    id_members = {name for name, value in model.items() if value == model[collection.id]}
    made = {
        name: id if name in id_members else _renew(provider, schema, name, value, ids, now)
        for name, value in model.items()
    }
    if is_complete:
        made = {name: value for name, value in made.items() if name == collection.sample}
    data = {**made, **given, collection.id: id}
    if sample_url and collection.sample and collection.sample not in given:
        data[collection.sample] = sample_url(str(id))
    violations = [*_unknown_members(schema.node, collection, given)]
    if not schema.is_valid(data):
        violations += _violations(schema, data, seed, collection, id_members - given.keys())
    if violations:
        raise ValidationFailed("", *violations)
    if not sample_url and collection.sample not in given:
        data.pop(collection.sample, None)
    record = Record(provider.name, name, account, str(id), data, created_at, uploads)
    record = with_keys(provider, record)
    return [record] if is_complete else [*collection.related(record), record]


def make_all(
    providers: Mapping[str, Provider],
    seeds: Iterable[Mapping[str, Any]],
    ids: Ids,
    now: float,
    sample_url: Callable[[str], str] | None = None,
) -> list[Record]:
    """Return the records of several RecordSeeds, each of them once.

    A record that a seed describes takes precedence over one that another record only needs.
    """
    made = [make_records(providers, seed, ids, now, sample_url) for seed in seeds]
    needed = {(r.partition, r.id): r for records in made for r in records}
    described = {(record.partition, record.id): record for *_, record in made}
    return [*{**needed, **described}.values()]


def seeded_uploads(seed: Mapping[str, Any]) -> list[Upload]:
    """Return the uploaded files of a RecordSeed. Raises ValidationFailed.

    The id of a file depends on nothing but the file: equal files may share one.
    """
    uploads = []
    for i, sample in enumerate(seed.get("samples", ())):
        try:
            content = b64decode("".join(sample["content"].split()), validate=True)
        except (ValueError, binascii.Error) as error:
            message = f"must be base64 (RFC 4648); {str(error)[:1].lower()}{str(error)[1:]}"
            violation = Violation("body", f"/samples/{i}/content", "contentEncoding", message)
            raise ValidationFailed("", violation) from None
        field, filename, content_type = (
            sample.get(name, "") for name in ("field", "filename", "content_type")
        )
        upload = Upload(field, filename, content_type, content)
        described = json.dumps([field, filename, content_type, upload.sha256])
        upload.id = sha256(described.encode()).hexdigest()
        uploads.append(upload)
    return uploads


def read_time(pointer: str, text: str) -> float:
    """Return a time in seconds since 1970. Raises ValidationFailed."""
    time = parse_time(text)
    if time is None or not EARLIEST <= time <= LATEST:
        message = f"must be a time from {timestamp(EARLIEST)} to {timestamp(LATEST)}; got {text}"
        violation = Violation("body", pointer, "range", message, received=text)
        raise ValidationFailed("", violation)
    return time


def _unknown_members(node: Node, collection: Collection, given: Data) -> Iterator[Violation]:
    """Yield a violation for each member that no response would have, most often misspelled."""
    if "additionalProperties" in node:  # the contract decides
        return
    known = [*node["properties"], *collection.extra]
    for name in given:
        if name not in known:
            message = sentence("additionalProperties", known, given[name])
            hint = did_you_mean(name, [other for other in known if other not in given])
            pointer = f"/data/{escape(name)}"
            yield Violation("body", pointer, "additionalProperties", message, known, hint=hint)


def _violations(
    schema: Schema,
    data: JSON,
    seed: Mapping[str, Any],
    collection: Collection,
    made: set[str],
) -> Iterable[Violation]:
    """Return the violations of a record; those of generated members are reported for the id."""
    pointer = "/id" if "id" in seed else f"/data/{collection.id}"
    if "id" in seed:
        made = made | {collection.id}
    violations = [
        violation
        if made.isdisjoint(violation.pointer.split("/")[2:3])
        else violation._replace(pointer=pointer)
        for violation in schema.violations(data, "body", "/data")
    ]
    return {violation.sentence: violation for violation in violations}.values()


def _renew(
    provider: Provider, schema: Schema, name: str, value: JSON, ids: Ids, now: float
) -> JSON:
    """Return a member of the contract's example with an id or a time of its own."""
    format = schema.node["properties"][name].get("format")
    if format == "date-time":
        return timestamp(now)
    return ids.uuid(f"{provider.name} {name}") if format == "uuid" and value else value


def _named(pointer: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValidationFailed("", unknown_name("body", pointer, [*known], name))
    return known[name]


def unknown_name(
    location: RequestLocation, pointer: str, known: list[str], received: str
) -> Violation:
    """Return the violation of a name that is not among the known ones."""
    message = f"must be one of {', '.join(known) or 'none'}; got {received}"
    hint = did_you_mean(received, known)
    return Violation(
        location, pointer, "enum", message, expected=known, received=received, hint=hint
    )
