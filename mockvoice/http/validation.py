"""Validation against the contract: parameters, the members of the body, then its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import InvalidAudio, InvalidPath, PayloadTooLarge, ValidationFailed, Violation
from ..openapi.document import Field, FileConstraints, Operation, Parameter
from ..state.uploads import Upload
from ..text import escape
from ..types import JSON
from .params import Decoded

MaxBytes = Callable[[int | None], int | None]  # of the documented limit of a file


def validate(
    operation: Operation, decoded: Decoded, *, strict_audio: bool, max_bytes: MaxBytes
) -> None:
    """Raise InvalidPath, ValidationFailed, PayloadTooLarge or InvalidAudio for a violation."""
    violations: list[Violation] = []
    for parameter in operation.parameters:
        violations += _parameter(parameter, decoded.parameters)
    if any(violation.location == "path" for violation in violations):
        raise InvalidPath("", *violations)
    violations += _members(decoded)
    if violations:
        raise ValidationFailed("", *violations)
    for field, upload in decoded.files:
        if field.file:
            _size(decoded, field, upload, field.file, max_bytes(field.file.max_bytes))
            if field.file.formats and strict_audio:
                _audio(decoded, field, upload, field.file)


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


def _audio(decoded: Decoded, field: Field, upload: Upload, rule: FileConstraints) -> None:
    problem = _audio_problem(upload, rule)
    if problem:
        formats = ", ".join(format.upper() for format in rule.formats)
        raise InvalidAudio(
            "",
            Violation(
                location="body",
                pointer=_pointer(decoded, field, upload),
                rule="x-audio-formats",
                message=f"must be audio in one of the formats {formats}; {problem}",
                expected=list(rule.formats),
                received=upload.info.format,
                source=f"{rule.source}/x-audio-formats",
                hint="audio=any (MOCKVOICE_AUDIO=any) accepts every file",
            ),
        )


def _audio_problem(upload: Upload, rule: FileConstraints) -> str:
    """Return the reason why a file is not audio in one of the formats, "" if it is."""
    info = upload.info
    if info.format in rule.formats:
        return info.problem
    if info.format == "unknown" and "pcm" in rule.formats and upload.size % 2 == 0:
        return ""  # PCM without a header cannot be recognized
    named = {"text": "text", "unknown": "of an unknown format"}
    return f"its bytes are {named.get(info.format, info.format.upper())}"
