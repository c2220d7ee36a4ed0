"""Provocations of all errors that handlers declare, and undeclared errors of custom providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.config.settings import Settings
from mockvoice.errors import Conflict, NotFound, PaymentRequired, Problem
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.provider import Handler, Provider, RequestContext, undeclared
from mockvoice.providers import built_in
from mockvoice.types import JSON

from ..conftest import Box, encoded
from ..contract.contracts import check

PROVIDERS = built_in()
DECLARED = {
    f"{provider.name} {operation_id} {type(problem).__name__}: {problem.detail}": (
        problem,
        provider.document.operations[operation_id].responses,
    )
    for provider in PROVIDERS
    for operation_id in provider.document.operations
    for problem in provider.declared(operation_id)
}
WAV = encoded("wav", 0.2)
FRIENDLY = "550e8400-e29b-41d4-a716-446655440000"
UNKNOWN = "00000000-0000-4000-8000-000000000000"

Provoke = Callable[[Box], httpx.Response]


# --- requests, which succeed unless something about them or the account is changed ---------------


def telnyx(method: str, path: str, **options: Any) -> Provoke:
    headers = {"Authorization": "Bearer KEY"}
    return lambda box: box.http.request(method, f"/telnyx/v2{path}", headers=headers, **options)


def telnyx_upload(data: bytes, **fields: str) -> Provoke:
    form = {"name": "n", "language": "en", **fields}
    return telnyx("POST", "/voice_clones/from_upload", data=form, files={"audio_file": data})


def telnyx_clone(**fields: Any) -> Provoke:
    body = {"name": "n", "voice_design_id": FRIENDLY, "language": "en", "gender": "male", **fields}
    return telnyx("POST", "/voice_clones", json=body)


def telnyx_design(**fields: Any) -> Provoke:
    return telnyx("POST", "/voice_designs", json={"text": "t", "prompt": "p", **fields})


def telnyx_fifty_first_version(box: Box) -> httpx.Response:
    add = telnyx_design(voice_design_id=FRIENDLY)
    for _ in range(49):
        assert add(box).status_code == 201
    return add(box)


def telnyx_speech(voice: str) -> Provoke:
    return telnyx("POST", "/text-to-speech/speech", json={"text": "t", "voice": voice})


def telnyx_socket(voice: str) -> Provoke:
    """Provoke by a handshake."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    url = f"/telnyx/v2/text-to-speech/speech?voice={voice}"
    return lambda box: box.http.get(url, headers={"Authorization": "Bearer KEY", **upgrade})


def retell_clone(number: int = 1, service: str = "elevenlabs", **account: Any) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        box.put("retell", "KEY", **account)
        return box.http.post(
            "/retell/clone-voice",
            headers={"Authorization": "Bearer KEY"},
            data={"voice_name": "n", "voice_provider": service},
            files=[("files", WAV)] * number,
        )

    return provoke


def retell_get(box: Box) -> httpx.Response:
    return box.http.get("/retell/get-voice/x", headers={"Authorization": "Bearer KEY"})


def supertone(method: str, path: str, key: str = "KEY", **options: Any) -> Provoke:
    headers = {"x-sup-api-key": key}
    return lambda box: box.http.request(method, f"/supertone/v1{path}", headers=headers, **options)


def supertone_clone(key: str = "KEY") -> Provoke:
    path = "/custom-voices/cloned-voice"
    return supertone("POST", path, key, data={"name": "n"}, files={"files": WAV})


def supertone_free_clone(box: Box) -> httpx.Response:
    box.put("supertone", "KEY", tier="free")
    return supertone_clone()(box)


def supertone_speech(
    path: str, voice: str = "a4cf2a1b8e7d", fields: Mapping[str, str] | None = None, **account: Any
) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        box.put("supertone", "KEY", **account)
        body = {"text": "Hello there", "language": "en", **(fields or {})}
        return supertone("POST", path.format(voice), json=body)(box)

    return provoke


def supertone_speech_of_another(path: str) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        voice_id = supertone_clone("OTHER")(box).json()["voice_id"]
        return supertone_speech(path, voice_id)(box)

    return provoke


def supertone_usage(start: str, end: str) -> Provoke:
    return supertone("GET", "/usage", params={"start_time": start, "end_time": end})


def faseeh_clone(**account: Any) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        box.put("faseeh", "KEY", **account)
        return box.http.post(
            "/faseeh/api/v1/voices/clone",
            headers={"x-api-key": "KEY"},
            data={"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"},
            files={"voice_file": WAV, "reference_audio_file": WAV},
        )

    return provoke


def faseeh_preview(model: str = "faseeh-v1-preview", **account: Any) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        box.put("faseeh", "KEY", **account)
        return box.http.post(
            "/faseeh/api/v1/voices/preview",
            headers={"x-api-key": "KEY"},
            data={"text": "three short words", "similarity": "0.5", "model_id": model},
            files={"file": WAV},
        )

    return provoke


def faseeh_speech(
    model: str = "faseeh-v1-preview", voice: str = "ar-najdi-male-2", **account: Any
) -> Provoke:
    def provoke(box: Box) -> httpx.Response:
        box.put("faseeh", "KEY", **account)
        return box.http.post(
            f"/faseeh/api/v1/text-to-speech/{model}",
            headers={"x-api-key": "KEY"},
            json={"text": "three short words", "voice_id": voice},
        )

    return provoke


# --- one row for each operation and declared error: the request, and a part of the error text ----

SPEECH, STREAM, PREDICT = (
    "/text-to-speech/{}",
    "/text-to-speech/{}/stream",
    "/predict-duration/{}",
)
BRUNO, CHLOE = "b91e77d0c5f2", "0000005a7e01"  # preset voices of Supertone
# Cause: a voice, fields that do not fit it, and a part of the error text.
UNSUPPORTED = {
    "language: not one of the voice": (
        CHLOE,
        {"language": "ja"},
        "language must be one of en, ko for this voice; got ja",
    ),
    "style: not one of the voice": (
        CHLOE,
        {"style": "happy"},
        "style must be one of neutral for this voice; got happy",
    ),
    "model: not one of the voice": (
        BRUNO,
        {},
        "model must be one of sona_speech_2_flash, supertonic_api_3 for this voice; got sona",
    ),
    "language: not one of the model": (
        "a4cf2a1b8e7d",
        {"language": "fr"},
        "language must be one of en, ko, ja for sona_speech_1; got fr",
    ),
}
ROWS: dict[str, tuple[Provoke, str]] = {
    "telnyx createVoiceCloneFromUpload PayloadTooLarge:"
    " audio_file: over 5 MB, with provider minimax over 20 MB": (
        telnyx_upload(WAV + bytes(5 * 2**20)),
        "audio_file must have at most 5242880 bytes for telnyx",
    ),
    "telnyx createVoiceClone NotFound: unknown voice_design_id": (
        telnyx_clone(voice_design_id=UNKNOWN),
        "Voice design not found",
    ),
    "telnyx createVoiceClone NotFound: unknown version": (
        telnyx_clone(version=2),
        "Voice design version not found",
    ),
    "telnyx getVoiceClone NotFound: unknown id": (
        telnyx("GET", f"/voice_clones/{UNKNOWN}"),
        "Voice clone not found",
    ),
    "telnyx updateVoiceClone NotFound: unknown id": (
        telnyx("PATCH", f"/voice_clones/{UNKNOWN}", json={"name": "n"}),
        "Voice clone not found",
    ),
    "telnyx deleteVoiceClone NotFound: unknown id": (
        telnyx("DELETE", f"/voice_clones/{UNKNOWN}"),
        "Voice clone not found",
    ),
    "telnyx getVoiceCloneSample NotFound: unknown id": (
        telnyx("GET", f"/voice_clones/{UNKNOWN}/sample"),
        "Voice clone not found",
    ),
    "telnyx createVoiceDesign NotFound: unknown voice_design_id": (
        telnyx_design(voice_design_id=UNKNOWN),
        "Voice design not found",
    ),
    "telnyx createVoiceDesign Conflict: voice_design_id of a design with 50 versions": (
        telnyx_fifty_first_version,
        "Voice design has reached the maximum of 50 versions",
    ),
    "telnyx getVoiceDesign NotFound: unknown id or name": (
        telnyx("GET", "/voice_designs/nobody"),
        "Voice design not found",
    ),
    "telnyx getVoiceDesign NotFound: unknown version": (
        telnyx("GET", f"/voice_designs/{FRIENDLY}?version=2"),
        "Voice design version not found",
    ),
    "telnyx updateVoiceDesign NotFound: unknown id or name": (
        telnyx("PATCH", "/voice_designs/nobody", json={"name": "n"}),
        "Voice design not found",
    ),
    "telnyx deleteVoiceDesign NotFound: unknown id or name": (
        telnyx("DELETE", "/voice_designs/nobody"),
        "Voice design not found",
    ),
    "telnyx deleteVoiceDesignVersion NotFound: unknown id or name": (
        telnyx("DELETE", "/voice_designs/nobody/versions/1"),
        "Voice design not found",
    ),
    "telnyx deleteVoiceDesignVersion NotFound: unknown version": (
        telnyx("DELETE", f"/voice_designs/{FRIENDLY}/versions/2"),
        "Voice design version not found",
    ),
    "telnyx getVoiceDesignSample NotFound: unknown id or name": (
        telnyx("GET", "/voice_designs/nobody/sample"),
        "Voice design not found",
    ),
    "telnyx getVoiceDesignSample NotFound: unknown version": (
        telnyx("GET", f"/voice_designs/{FRIENDLY}/sample?version=2"),
        "Voice design version not found",
    ),
    "telnyx generateSpeech UnknownVoice: voice: Telnyx, a model for clones, and no active clone": (
        telnyx_speech("Telnyx.Qwen3TTS.x"),
        "No clone is x",
    ),
    "telnyx generateSpeech UnknownVoice: voice: minimax and the id of an unknown clone": (
        telnyx_speech(f"Minimax.speech-2.8-turbo.{'a' * 45}"),
        "No clone is aaa",
    ),
    "telnyx generateSpeech UnknownVoice: voice: an unknown provider": (
        telnyx_speech("nobody.x"),
        "No provider is nobody",
    ),
    "telnyx TextToSpeechOverWs Forbidden: voice: the model Ultra": (
        telnyx_socket("Telnyx.Ultra.x"),
        "The Ultra model is not available over WebSockets",
    ),
    "telnyx TextToSpeechOverWs UnknownVoice: voice: without a provider": (
        telnyx_socket("astra"),
        "voice must be Provider.Model.VoiceId",
    ),
    "telnyx TextToSpeechOverWs UnknownVoice: voice: a clone that is unknown or not active": (
        telnyx_socket("Telnyx.Qwen3TTS.x"),
        "No clone is x",
    ),
    "telnyx getSpeech NotFound: unknown audio_id": (
        telnyx("GET", "/text-to-speech/speech/x"),
        "Audio not found",
    ),
    "retell cloneVoice PaymentRequired: trial_ended is true": (
        retell_clone(trial_ended=True),
        "Trial has ended",
    ),
    "retell cloneVoice ValidationFailed:"
    " files: over 1 for cartesia and minimax, over 3 for inworld": (
        retell_clone(2, "minimax"),
        "files must have at most 1 item for minimax; got 2",
    ),
    "retell getVoice NotFound: unknown voice_id": (retell_get, "Cannot find requested asset"),
    "supertone create_cloned_voice Forbidden: tier is free": (
        supertone_free_clone,
        "Permission denied",
    ),
    "supertone get_custom_voice NotFound: unknown voice_id": (
        supertone("GET", "/custom-voices/x"),
        "Voice not found",
    ),
    "supertone edit_custom_voice NotFound: unknown voice_id": (
        supertone("PATCH", "/custom-voices/x", json={}),
        "Voice not found",
    ),
    "supertone delete_custom_voice NotFound: unknown voice_id": (
        supertone("DELETE", "/custom-voices/x"),
        "Voice not found",
    ),
    "supertone get_voice NotFound: unknown voice_id": (
        supertone("GET", "/voices/x"),
        "Voice not found",
    ),
    "supertone create_speech NotFound: unknown voice_id": (
        supertone_speech(SPEECH, "x"),
        "Voice not found",
    ),
    "supertone create_speech Forbidden: voice_id of another account's custom voice": (
        supertone_speech_of_another(SPEECH),
        "Permission denied",
    ),
    "supertone create_speech PaymentRequired: credit is less than the seconds of speech": (
        supertone_speech(SPEECH, credit=0.1),
        "Not enough credits",
    ),
    "supertone stream_speech NotFound: unknown voice_id": (
        supertone_speech(STREAM, "x"),
        "Voice not found",
    ),
    "supertone stream_speech Forbidden: voice_id of another account's custom voice": (
        supertone_speech_of_another(STREAM),
        "Permission denied",
    ),
    "supertone stream_speech PaymentRequired: credit is less than the seconds of speech": (
        supertone_speech(STREAM, credit=0.1),
        "Not enough credits",
    ),
    "supertone stream_speech ValidationFailed: model: not one that streams": (
        supertone_speech(STREAM, fields={"model": "sona_speech_2"}),
        "model must be one of sona_speech_1 for a stream; got sona_speech_2",
    ),
    **{
        f"supertone {operation} ValidationFailed: {cause}": (
            supertone_speech(path, voice, fields),
            text,
        )
        for operation, path in (
            ("create_speech", SPEECH),
            ("stream_speech", STREAM),
            ("predict_duration", PREDICT),
        )
        for cause, (voice, fields, text) in UNSUPPORTED.items()
    },
    "supertone predict_duration NotFound: unknown voice_id": (
        supertone_speech(PREDICT, "x"),
        "Voice not found",
    ),
    "supertone predict_duration Forbidden: voice_id of another account's custom voice": (
        supertone_speech_of_another(PREDICT),
        "Permission denied",
    ),
    "supertone predict_duration PaymentRequired: credit is 0": (
        supertone_speech(PREDICT, credit=0),
        "Not enough credits",
    ),
    "supertone get_usage ValidationFailed: end_time before start_time": (
        supertone_usage("2024-01-02T00:00:00Z", "2024-01-01T00:00:00Z"),
        "end_time must not be before start_time",
    ),
    "supertone get_usage ValidationFailed: start_time or end_time in the year 0000": (
        supertone_usage("0000-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        "start_time must be in the years 1 to 9999; got 0000-01-01T00:00:00Z",
    ),
    "faseeh cloneVoice PaymentRequired: credit is 0": (
        faseeh_clone(credit=0),
        "Insufficient wallet balance",
    ),
    "faseeh cloneVoice Forbidden: models does not list the model": (
        faseeh_clone(models=[]),
        "Model is not enabled for this account: faseeh-v1-preview",
    ),
    "faseeh previewVoice PaymentRequired: credit is 0": (
        faseeh_preview(credit=0),
        "Insufficient wallet balance",
    ),
    "faseeh previewVoice UnknownVoice: unknown model_id": (
        faseeh_preview("x"),
        "Model not found: x",
    ),
    "faseeh previewVoice Forbidden: models does not list the model": (
        faseeh_preview(models=[]),
        "Model is not enabled for this account: faseeh-v1-preview",
    ),
    "faseeh previewVoice PaymentRequired: credit is less than the cost of the text": (
        faseeh_preview(credit=0.00001),
        "Required: $0.0017, Available: $1e-05",
    ),
    "faseeh textToSpeech PaymentRequired: credit is 0": (
        faseeh_speech(credit=0),
        "Insufficient wallet balance",
    ),
    "faseeh textToSpeech UnknownVoice: unknown model_id": (
        faseeh_speech("x"),
        "Model not found: x",
    ),
    "faseeh textToSpeech NotFound: unknown voice_id": (
        faseeh_speech(voice="x"),
        "Voice not found: x",
    ),
    "faseeh textToSpeech Forbidden: models does not list the model": (
        faseeh_speech(models=[]),
        "Model is not enabled for this account: faseeh-v1-preview",
    ),
    "faseeh textToSpeech PaymentRequired: credit is less than the cost of the text": (
        faseeh_speech(credit=0.00001),
        "Required: $0.0017, Available: $1e-05",
    ),
}


def poor(provoke: Provoke) -> Provoke:
    """Provoke with an account whose organization may have no more clones."""

    def request(box: Box) -> httpx.Response:
        box.put("telnyx", "KEY", credit=0)
        return provoke(box)

    return request


def telnyx_dict(**members: Any) -> Provoke:
    item = {"text": "a", "type": "alias", "alias": "b"}
    return telnyx("POST", "/pronunciation_dicts", json={"name": "n", "items": [item], **members})


def telnyx_dicts(count: int, name: str = "n") -> Provoke:
    """Provoke by one dictionary more."""

    def request(box: Box) -> httpx.Response:
        for number in range(count):
            assert telnyx_dict(name=f"n{number}")(box).status_code == 201
        return telnyx_dict(name=name)(box)

    return request


def telnyx_renamed_dict(box: Box) -> httpx.Response:
    made = [telnyx_dict(name=name)(box).json()["data"] for name in ("a", "b")]
    return telnyx("PATCH", f"/pronunciation_dicts/{made[0]['id']}", json={"name": "b"})(box)


LARGE = telnyx_upload(WAV + bytes(5 * 2**20), gender="male")
LIMIT = "Forbidden: credit is 0: the organization may not have more clones"
TAKEN = "a dictionary with this name already exists"
GONE = "The requested pronunciation dictionary does not exist"
TELNYX_ROWS: dict[str, tuple[Provoke, str]] = {
    f"telnyx@2026-07-16 {row}": provocation
    for row, provocation in {
        "createVoiceCloneFromUpload ValidationFailed: audio_file: over the size of the model;"
        " Minimax: its length": (LARGE, "File too large. Maximum allowed size is 5MB"),
        f"createVoiceCloneFromUpload {LIMIT}": (
            poor(telnyx_upload(WAV, gender="male")),
            "The organization has reached its limit of voice clones",
        ),
        f"createVoiceClone {LIMIT}": (
            poor(telnyx_clone()),
            "The organization has reached its limit of voice clones",
        ),
        "CreatePronunciationDict ValidationFailed: name of another dictionary": (
            telnyx_dicts(1, "n0"),
            TAKEN,
        ),
        "CreatePronunciationDict ValidationFailed: over 50 dictionaries": (
            telnyx_dicts(50),
            "Maximum number of pronunciation dictionaries (50) reached",
        ),
        "CreatePronunciationDict ValidationFailed: file: not a dictionary": (
            telnyx(
                "POST", "/pronunciation_dicts", data={"name": "n"}, files={"file": b"no separator"}
            ),
            "file must have word=alias or word:/phoneme/ in line 1",
        ),
        "GetPronunciationDict NotFound: unknown id": (
            telnyx("GET", f"/pronunciation_dicts/{UNKNOWN}"),
            GONE,
        ),
        "UpdatePronunciationDict NotFound: unknown id": (
            telnyx("PATCH", f"/pronunciation_dicts/{UNKNOWN}", json={"name": "n"}),
            GONE,
        ),
        "UpdatePronunciationDict ValidationFailed: name of another dictionary": (
            telnyx_renamed_dict,
            TAKEN,
        ),
        "DeletePronunciationDict NotFound: unknown id": (
            telnyx("DELETE", f"/pronunciation_dicts/{UNKNOWN}"),
            GONE,
        ),
    }.items()
}


def test_table_has_one_row_per_operation_and_declared_error() -> None:
    assert sorted(ROWS) == sorted(DECLARED)


@pytest.mark.parametrize("row", ROWS)
def test_declared_error_can_be_provoked(box: Box, row: str) -> None:
    problem, responses = DECLARED[row]
    provoke, text = ROWS[row]
    response = provoke(box)
    check(response)
    assert response.status_code == problem.status(responses)
    assert response.status_code in responses
    assert text in response.text
    assert not box.last()["internal_error"]


NEWER = {
    f"{provider.name}@{edition} {operation_id} {type(problem).__name__}: {problem.detail}": (
        provider.name,
        edition,
        problem,
        selected.document.operations[operation_id].responses,
    )
    for provider in PROVIDERS
    for edition in [*provider.editions][1:]
    for selected in [provider.select(edition)]
    for operation_id in selected.document.operations
    for problem in selected.declared(operation_id)
    if f"{provider.name} {operation_id} {type(problem).__name__}: {problem.detail}" not in DECLARED
}
NEWER_ROWS: dict[str, tuple[Provoke, str]] = {
    **TELNYX_ROWS,
}


def test_table_has_one_row_per_error_that_newer_editions_add() -> None:
    assert sorted(NEWER_ROWS) == sorted(NEWER)


@pytest.mark.parametrize("row", NEWER_ROWS)
def test_declared_error_of_a_newer_edition_can_be_provoked(box: Box, row: str) -> None:
    provider, edition, problem, responses = NEWER[row]
    provoke, text = NEWER_ROWS[row]
    assert box.control.post("/reset", json={"edition": {provider: edition}}).is_success
    response = provoke(box)
    assert response.status_code == problem.status(responses)
    assert text in response.text
    assert not box.last()["internal_error"]


def test_causes_of_an_operation_are_distinct() -> None:
    assert len(DECLARED) == sum(
        len(provider.declared(operation_id))
        for provider in PROVIDERS
        for operation_id in provider.document.operations
    )


# --- undeclared errors of a custom provider ------------------------------------------------------

ACME = """
openapi: 3.1.0
info: {title: Acme, version: '1'}
paths:
  /songs:
    get:
      operationId: listSongs
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
        '402': {description: no money, content: {application/json: {example: {oops: poor}}}}
        '404': {description: none, content: {application/json: {example: {oops: gone}}}}
        '500': {description: no, content: {application/json: {example: {oops: broken}}}}
"""


def raising(problem: Problem) -> Handler:
    async def handler(ctx: RequestContext) -> JSON:
        raise problem

    return handler


@contextmanager
def serving(provider: Provider) -> Iterator[httpx.Client]:
    """Serve a provider and yield a client of the server; internal errors are those of the test."""
    mock = Mock(Settings(), [provider, *built_in()])
    with (
        Server(mock, bind("127.0.0.1", 0)) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        yield http


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(ACME)
    return path


def last_internal_error(http: httpx.Client) -> str:
    (entry,) = http.get("/__mockvoice/requests", params={"limit": 1}).json()["requests"]
    return str(entry["internal_error"])


def test_undeclared_error_of_a_handler_is_an_internal_error(contract: Path) -> None:
    acme = Provider("acme", contract=contract)
    acme.operation("listSongs", raises=[Conflict("two of a kind")])(raising(NotFound("no song")))
    with serving(acme) as http:
        response = http.get("/acme/songs")
        assert (response.status_code, response.json()) == (500, {"oops": "broken"})
        message = last_internal_error(http)
    assert message == (
        'acme listSongs raised NotFound, which it does not declare: add NotFound("<cause>") to'
        ' raises in @provider.operation("listSongs", raises=[...]), or to raises of the Provider'
        " if admit raises it for every operation"
    )


def test_undeclared_error_of_admit_is_an_internal_error(contract: Path) -> None:
    async def admit(ctx: RequestContext) -> None:
        raise PaymentRequired

    with serving(Provider("acme", admit=admit, contract=contract)) as http:
        assert http.get("/acme/songs").status_code == 500
        assert "listSongs raised PaymentRequired" in last_internal_error(http)


def test_declared_error_of_a_handler_is_sent(contract: Path) -> None:
    acme = Provider("acme", contract=contract)
    acme.operation("listSongs", raises=[NotFound("no songs")])(raising(NotFound()))
    with serving(acme) as http:
        response = http.get("/acme/songs")
        assert (response.status_code, response.json()) == (404, {"oops": "gone"})
        assert not last_internal_error(http)


@pytest.mark.parametrize("by_operation", [True, False])
def test_declared_error_of_admit_is_sent(contract: Path, *, by_operation: bool) -> None:
    async def admit(ctx: RequestContext) -> None:
        raise PaymentRequired

    async def list_songs(ctx: RequestContext) -> JSON:
        return {}

    declared = [PaymentRequired("no money")]
    acme = Provider("acme", admit=admit, raises=[] if by_operation else declared, contract=contract)
    acme.operation("listSongs", raises=declared if by_operation else [])(list_songs)
    with serving(acme) as http:
        response = http.get("/acme/songs")
        assert (response.status_code, response.json()) == (402, {"oops": "poor"})
        assert not last_internal_error(http)


def test_declaration_includes_subclasses() -> None:
    class UnknownSong(NotFound):
        """No such song."""

    acme = Provider("acme", raises=[NotFound("no song")])
    assert undeclared(acme, "getSong", UnknownSong()) == ""
    assert undeclared(Provider("acme"), "getSong", UnknownSong()).startswith(
        "acme getSong raised UnknownSong, which it does not declare"
    )
