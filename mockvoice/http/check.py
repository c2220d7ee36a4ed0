"""What the contract forbids: first for parameters and members of the body, then for files."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BadAddress, BadAudio, Invalid, TooLarge, Violation
from ..openapi.document import Field, FileRule, Parameter
from ..openapi.lift import JSON
from ..openapi.schema import escape
from ..provider import Call
from ..sandbox.uploads import Upload
from .decode import Decoded


def check(call: Call, decoded: Decoded | None) -> None:
    """Raise BadAddress, Invalid, TooLarge or BadAudio for what breaks a rule."""
    violations: list[Violation] = []
    for parameter in call.operation.parameters:
        violations += _parameter(parameter, call.parameters)
    if any(each.place == "path" for each in violations):
        raise BadAddress("", *violations)
    if decoded:
        violations += _members(decoded)
    if violations:
        raise Invalid("", *violations)
    if decoded:
        for field, upload in decoded.files:
            if field.file:
                _file(call, decoded, field, upload, field.file)


def _parameter(parameter: Parameter, values: Mapping[str, JSON]) -> list[Violation]:
    at = f"/{escape(parameter.name)}"
    if parameter.name in values:
        value = values[parameter.name]
        if parameter.schema.fits(value):
            return []
        return parameter.schema.violations(value, parameter.place, at)
    return [Violation(parameter.place, at, "required", "is required")] * parameter.required


def _members(decoded: Decoded) -> list[Violation]:
    schema = decoded.content.schema
    found = []
    if schema and not schema.fits(decoded.view):
        found = schema.violations(decoded.view, "body")
    for field, upload in decoded.files:
        if not upload.size:
            at = _pointer(decoded, field, upload)
            found.append(Violation("body", at, "minLength", "must not be empty", 1, 0))
    return found


def _pointer(decoded: Decoded, field: Field, upload: Upload) -> str:
    """Where a file stands in the body."""
    at = f"/{escape(field.name)}"
    if not field.many:
        return at
    beside = [each for other, each in decoded.files if other is field]
    return f"{at}/{beside.index(upload)}"


def _file(call: Call, decoded: Decoded, field: Field, upload: Upload, rule: FileRule) -> None:
    most = call.max_bytes(rule.max_bytes)
    if most is not None and upload.size > most:
        at = _pointer(decoded, field, upload)
        message = f"must have at most {most} bytes; got {upload.size}"
        source = f"{rule.source}/x-max-bytes"
        raise TooLarge("", Violation("body", at, "x-max-bytes", message, most, upload.size, source))
    if rule.formats and call.sandbox.settings.audio == "strict":
        flaw = _flaw(upload, rule)
        if flaw:
            raise BadAudio("", _no_audio(_pointer(decoded, field, upload), upload, rule, flaw))


def _flaw(upload: Upload, rule: FileRule) -> str:
    """Why a file is not the audio that is wanted, or nothing."""
    heard = upload.heard
    if heard.format in rule.formats:
        return heard.flaw
    if heard.format == "unknown" and "pcm" in rule.formats and upload.size % 2 == 0:
        return ""  # sound without a header looks like nothing in particular
    named = {"text": "text", "unknown": "of no known format"}
    return f"its bytes are {named.get(heard.format, heard.format.upper())}"


def _no_audio(pointer: str, upload: Upload, rule: FileRule, flaw: str) -> Violation:
    wanted = ", ".join(each.upper() for each in rule.formats)
    return Violation(
        place="body",
        pointer=pointer,
        rule="x-audio-formats",
        message=f"must be audio of one of the formats {wanted}; {flaw}",
        expected=list(rule.formats),
        got=upload.heard.format,
        source=f"{rule.source}/x-audio-formats",
        hint="audio=any (MOCKVOICE_AUDIO=any) lets every file pass",
    )
