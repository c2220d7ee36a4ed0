"""What the contract forbids: first for parameters and members of the body, then for files."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidAudio, InvalidPath, PayloadTooLarge, ValidationFailed, Violation
from ..openapi.document import Field, FileConstraints, Parameter
from ..openapi.normalize import JSON
from ..openapi.schema import escape
from ..provider import RequestContext
from ..state.uploads import Upload
from .params import Decoded


def check(ctx: RequestContext, decoded: Decoded | None) -> None:
    """Raise BadAddress, Invalid, TooLarge or BadAudio for what breaks a rule."""
    violations: list[Violation] = []
    for parameter in ctx.operation.parameters:
        violations += _parameter(parameter, ctx.parameters)
    if any(each.location == "path" for each in violations):
        raise InvalidPath("", *violations)
    if decoded:
        violations += _members(decoded)
    if violations:
        raise ValidationFailed("", *violations)
    if decoded:
        for field, upload in decoded.files:
            if field.file:
                _file(ctx, decoded, field, upload, field.file)


def _parameter(parameter: Parameter, values: Mapping[str, JSON]) -> list[Violation]:
    at = f"/{escape(parameter.name)}"
    if parameter.name in values:
        value = values[parameter.name]
        if parameter.schema.is_valid(value):
            return []
        return parameter.schema.violations(value, parameter.location, at)
    return [Violation(parameter.location, at, "required", "is required")] * parameter.required


def _members(decoded: Decoded) -> list[Violation]:
    schema = decoded.content.schema
    found = []
    if schema and not schema.is_valid(decoded.view):
        found = schema.violations(decoded.view, "body")
    for field, upload in decoded.files:
        if not upload.size:
            at = _pointer(decoded, field, upload)
            found.append(Violation("body", at, "minLength", "must not be empty", 1, 0))
    return found


def _pointer(decoded: Decoded, field: Field, upload: Upload) -> str:
    """Where a file stands in the body."""
    at = f"/{escape(field.name)}"
    if not field.is_array:
        return at
    beside = [each for other, each in decoded.files if other is field]
    return f"{at}/{beside.index(upload)}"


def _file(
    ctx: RequestContext, decoded: Decoded, field: Field, upload: Upload, rule: FileConstraints
) -> None:
    most = ctx.max_bytes(rule.max_bytes)
    if most is not None and upload.size > most:
        at = _pointer(decoded, field, upload)
        message = f"must have at most {most} bytes; got {upload.size}"
        source = f"{rule.source}/x-max-bytes"
        raise PayloadTooLarge(
            "", Violation("body", at, "x-max-bytes", message, most, upload.size, source)
        )
    if rule.formats and ctx.sandbox.settings.audio == "strict":
        problem = _flaw(upload, rule)
        if problem:
            raise InvalidAudio(
                "", _no_audio(_pointer(decoded, field, upload), upload, rule, problem)
            )


def _flaw(upload: Upload, rule: FileConstraints) -> str:
    """Why a file is not the audio that is wanted, or nothing."""
    info = upload.info
    if info.format in rule.formats:
        return info.problem
    if info.format == "unknown" and "pcm" in rule.formats and upload.size % 2 == 0:
        return ""  # sound without a header looks like nothing in particular
    named = {"text": "text", "unknown": "of no known format"}
    return f"its bytes are {named.get(info.format, info.format.upper())}"


def _no_audio(pointer: str, upload: Upload, rule: FileConstraints, problem: str) -> Violation:
    wanted = ", ".join(each.upper() for each in rule.formats)
    return Violation(
        location="body",
        pointer=pointer,
        rule="x-audio-formats",
        message=f"must be audio of one of the formats {wanted}; {problem}",
        expected=list(rule.formats),
        received=upload.info.format,
        source=f"{rule.source}/x-audio-formats",
        hint="audio=any (MOCKVOICE_AUDIO=any) lets every file pass",
    )
