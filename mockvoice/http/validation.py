"""Validation against the contract: parameters, the members of the body, then its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import InvalidAudio, InvalidPath, PayloadTooLarge, ValidationFailed, Violation
from ..openapi.document import Field, FileConstraints, Operation, Parameter
from ..state.uploads import Upload
from ..text import escape
from ..types import JSON
from .params import Decoded

MaxBytes = Callable[[int | None], int | None]  # of the documented limit of a file


def validate(
    operation: Operation,
    decoded: Decoded,
    *,
    strict_audio: bool,
    strict_fields: bool,
    max_bytes: MaxBytes,
) -> None:
    """Raise InvalidPath, ValidationFailed, PayloadTooLarge or InvalidAudio for a violation."""
    violations: list[Violation] = []
    for parameter in operation.parameters:
        violations += _parameter(parameter, decoded.parameters)
    if violations and any(violation.location == "path" for violation in violations):
        raise InvalidPath("", *violations)
    violations += _members(decoded)
    if violations:
        raise ValidationFailed("", *violations)
    for field, upload in decoded.files:
        if field.file:
            _size(decoded, field, upload, field.file, max_bytes(field.file.max_bytes))
            if field.file.formats and strict_audio:
                _audio(decoded, field, upload, field.file, strict_fields=strict_fields)


def _parameter(parameter: Parameter, values: Mapping[str, JSON]) -> list[Violation]:
    pointer = f"/{escape(parameter.name)}"
    if parameter.name in values:
        value = values[parameter.name]
        if parameter.schema.is_valid(value):
            return []
        return parameter.schema.violations(value, parameter.location, pointer)
    return [Violation(parameter.location, pointer, "required", "is required")] * parameter.required


def _members(decoded: Decoded) -> list[Violation]:
    schema = decoded.media_type.schema if decoded.media_type else None
    violations = []
    if schema and not schema.is_valid(decoded.view):
        violations = schema.violations(decoded.view, "body")
    for field, upload in decoded.files:
        if not upload.size:
            pointer = _pointer(decoded, field, upload)
            violations.append(Violation("body", pointer, "minLength", "must not be empty", 1, 0))
    return violations


def _pointer(decoded: Decoded, field: Field, upload: Upload) -> str:
    """Return the JSON Pointer of a file in the body."""
    pointer = f"/{escape(field.name)}"
    if not field.is_array:
        return pointer
    files = [file for other, file in decoded.files if other is field]
    return f"{pointer}/{files.index(upload)}"


def _size(
    decoded: Decoded, field: Field, upload: Upload, rule: FileConstraints, limit: int | None
) -> None:
    if limit is not None and upload.size > limit:
        pointer = _pointer(decoded, field, upload)
        message = f"must have at most {limit} bytes; got {upload.size}"
        source = f"{rule.source}/x-max-bytes"
        violation = Violation("body", pointer, "x-max-bytes", message, limit, upload.size, source)
        raise PayloadTooLarge("", violation)


def _audio(
    decoded: Decoded, field: Field, upload: Upload, rule: FileConstraints, *, strict_fields: bool
) -> None:
    keyword, accepted = "x-audio-formats", rule.formats
    if strict_fields and rule.strict_formats:
        keyword, accepted = "x-strict-audio-formats", rule.strict_formats
    problem = _audio_problem(upload, accepted)
    if problem:
        formats = ", ".join(format.upper() for format in accepted)
        raise InvalidAudio(
            "",
            Violation(
                location="body",
                pointer=_pointer(decoded, field, upload),
                rule=keyword,
                message=f"must be audio in one of the formats {formats}; {problem}",
                expected=list(accepted),
                received=upload.info.format,
                source=f"{rule.source}/{keyword}",
                hint="audio=any (MOCKVOICE_AUDIO=any) accepts every file",
            ),
        )


def _audio_problem(upload: Upload, formats: Sequence[str]) -> str:
    """Return the reason why a file is not audio in one of the formats, "" if it is."""
    info = upload.info
    if info.format in formats:
        return info.problem
    if info.format == "unknown" and "pcm" in formats and upload.size % 2 == 0:
        return ""  # PCM without a header cannot be recognized
    named = {"text": "text", "unknown": "of an unknown format"}
    return f"its bytes are {named.get(info.format, info.format.upper())}"
