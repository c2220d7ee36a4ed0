"""Injected faults as the official SDKs see them: exceptions and retries."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ..conftest import Box

if TYPE_CHECKING:
    from retell import Retell
    from telnyx import Telnyx

pytestmark = pytest.mark.slow

KEY = "key_of_the_tests"
SOON = {"retry_after": 0.001}  # without Retry-After the SDKs wait for at least half a second


@pytest.fixture
def a_telnyx(box: Box) -> Iterator[Telnyx]:
    from telnyx import Telnyx

    url = f"{box.url}/telnyx/v2"
    with Telnyx(api_key=KEY, base_url=url) as client:
        yield client


@pytest.fixture
def a_retell(box: Box) -> Iterator[Retell]:
    from retell import Retell

    url = f"{box.url}/retell"
    with Retell(api_key=KEY, base_url=url) as client:
        yield client


@pytest.fixture
def a_supertone(box: Box) -> Iterator[Any]:
    from supertone import Supertone

    with Supertone(api_key=KEY, server_url=f"{box.url}/supertone") as client:
        yield client


def clone_telnyx(client: Any, wav: bytes) -> Any:
    upload = {
        "audio_file": wav,
        "name": "narrator",
        "language": "en",
        "gender": "male",
        "provider": "telnyx",
    }
    return client.voice_clones.create_from_upload(voice_clone_upload_request=upload)


def clone_retell(client: Any, wav: bytes) -> Any:
    return client.voice.clone(files=[wav], voice_name="narrator", voice_provider="elevenlabs")


def clone_supertone(client: Any, wav: bytes) -> Any:
    files = {"file_name": "a.wav", "content": wav}
    return client.custom_voices.create_cloned_voice(files=files, name="narrator")


def attempts(box: Box) -> list[tuple[int | None, int | None]]:
    """Return the attempt and status of each request."""
    return [(entry["attempt"], entry["status"]) for entry in box.requests()]


# --- retries ----------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
def test_two_failures_are_absorbed_by_retries(
    box: Box, a_telnyx: Telnyx, wav: bytes, times: int
) -> None:
    box.inject(provider="telnyx", times=times, **SOON)
    assert clone_telnyx(a_telnyx, wav).data.name == "narrator"
    assert attempts(box) == [*[(n + 1, 502) for n in range(times)], (times + 1, 201)]
    assert len(box.voices()) == 1
    assert all(entry["files"][0]["format"] == "wav" for entry in box.requests())


def test_third_failure_is_raised_with_the_code_of_the_provider(
    box: Box, a_telnyx: Telnyx, wav: bytes
) -> None:
    from telnyx import InternalServerError

    id = box.inject(provider="telnyx", operation="POST /voice_clones/from_upload", **SOON)
    with pytest.raises(InternalServerError) as caught:
        clone_telnyx(a_telnyx, wav)
    assert isinstance(caught.value.body, dict)
    assert caught.value.status_code == 502
    assert caught.value.body["errors"][0]["code"] == "10037"
    assert caught.value.response.headers["x-mockvoice-fault"] == id
    assert attempts(box) == [(1, 502), (2, 502), (3, 502)]
    assert box.voices() == []
    assert box.fault(id)["hits"] == 3


def test_retry_after_is_sent_in_seconds_and_milliseconds(box: Box) -> None:
    key = {"Authorization": f"Bearer {KEY}"}
    for retry_after, seconds, milliseconds in [
        (0, "0", "0"),
        (0.001, "0", "1"),
        (0.25, "0", "250"),
        (1, "1", None),
        (1.5, "2", None),
        (30, "30", None),
    ]:
        box.inject(status=429, retry_after=retry_after, times=1)
        headers = box.http.get("/retell/list-voices", headers=key).headers
        assert headers["retry-after"] == seconds
        assert headers.get("retry-after-ms") == milliseconds


def test_sdks_wait_for_the_milliseconds_of_a_short_retry_after(
    box: Box, a_telnyx: Telnyx, a_retell: Retell
) -> None:
    """They read `retry-after-ms` first: the 0 in `Retry-After` means their own backoff."""
    for listing in (a_telnyx.voice_clones.list, a_retell.voice.list):
        box.inject(status=429, retry_after=0.05, times=2)
        listing()
        entries = box.requests()[-3:]
        assert [entry["status"] for entry in entries] == [429, 429, 200]
        assert [entry["early"] for entry in entries] == [None, 0, 0]
        times = [datetime.fromisoformat(entry["at"]).timestamp() for entry in entries]
        assert min(times[1] - times[0], times[2] - times[1]) < 0.375  # their shortest backoff


def test_retries_of_a_fault_after_the_operation_create_three_voices(
    box: Box, a_retell: Retell, wav: bytes
) -> None:
    from retell import InternalServerError

    box.inject(status=500, when="after", operation="cloneVoice", **SOON)
    with pytest.raises(InternalServerError):
        clone_retell(a_retell, wav)
    assert attempts(box) == [(1, 500), (2, 500), (3, 500)]
    assert [voice["data"]["voice_name"] for voice in box.voices()] == ["narrator"] * 3


def test_async_client_retries_after_a_lost_response(box: Box, wav: bytes) -> None:
    from retell import AsyncRetell

    async def clone() -> Any:
        url = f"{box.url}/retell"
        async with AsyncRetell(api_key=KEY, base_url=url) as client:
            return await clone_retell(client, wav)

    box.inject(
        {"status": 503, **SOON}, {"status": 429, "when": "after", **SOON}, "ok", {"kind": "reset"}
    )
    assert asyncio.run(clone()).voice_name == "narrator"
    assert attempts(box) == [(1, 503), (2, 429), (3, 201)]
    assert len(box.voices()) == 2


def test_supertone_client_does_not_retry_by_default(box: Box, a_supertone: Any, wav: bytes) -> None:
    from supertone.errors import InternalServerErrorResponse

    box.inject(provider="supertone", status=500, times=1)
    with pytest.raises(InternalServerErrorResponse):
        clone_supertone(a_supertone, wav)
    assert clone_supertone(a_supertone, wav).voice_id
    assert attempts(box) == [(None, 500), (None, 200)]


# --- exceptions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "telnyx.BadRequestError"),
        (401, "telnyx.AuthenticationError"),
        (402, "telnyx.APIStatusError"),
        (403, "telnyx.PermissionDeniedError"),
        (404, "telnyx.NotFoundError"),
        (409, "telnyx.ConflictError"),
        (418, "telnyx.APIStatusError"),
        (422, "telnyx.UnprocessableEntityError"),
        (429, "telnyx.RateLimitError"),
        (502, "telnyx.InternalServerError"),
        (599, "telnyx.InternalServerError"),
    ],
)
def test_telnyx_client_raises_the_exception_of_the_status(
    box: Box, a_telnyx: Telnyx, wav: bytes, status: int, error: str
) -> None:
    box.inject(status=status)
    with pytest.raises(resolve_name(error)) as caught:
        clone_telnyx(a_telnyx.with_options(max_retries=0), wav)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert {"code", "title", "detail"} <= caught.value.body["errors"][0].keys()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "retell.BadRequestError"),
        (401, "retell.AuthenticationError"),
        (402, "retell.APIStatusError"),
        (418, "retell.APIStatusError"),
        (422, "retell.UnprocessableEntityError"),
        (429, "retell.RateLimitError"),
        (500, "retell.InternalServerError"),
        (599, "retell.InternalServerError"),
    ],
)
def test_retell_client_raises_the_exception_of_the_status(
    box: Box, a_retell: Retell, wav: bytes, status: int, error: str
) -> None:
    box.inject(status=status)
    with pytest.raises(resolve_name(error)) as caught:
        clone_retell(a_retell.with_options(max_retries=0), wav)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["status"] == "error"
    assert caught.value.body["message"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, "supertone.errors.BadRequestErrorResponse"),
        (401, "supertone.errors.UnauthorizedErrorResponse"),
        (403, "supertone.errors.ForbiddenErrorResponse"),
        (404, "supertone.errors.NotFoundErrorResponse"),
        (413, "supertone.errors.PayloadTooLargeErrorResponse"),
        (415, "supertone.errors.UnsupportedMediaTypeErrorResponse"),
        (418, "supertone.errors.SupertoneDefaultError"),
        (429, "supertone.errors.TooManyRequestsErrorResponse"),
        (500, "supertone.errors.InternalServerErrorResponse"),
        (599, "supertone.errors.SupertoneDefaultError"),
    ],
)
def test_supertone_client_raises_the_exception_of_the_status(
    box: Box, a_supertone: Any, wav: bytes, status: int, error: str
) -> None:
    box.inject(status=status)
    with pytest.raises(resolve_name(error)) as caught:
        clone_supertone(a_supertone, wav)
    assert caught.value.status_code == status
    assert json.loads(caught.value.body)["message"]["status_code"] == status


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("fault", "of_telnyx", "of_retell", "of_supertone"),
    [
        ("reset", "telnyx.APIConnectionError", "retell.APIConnectionError", "httpx.ReadError"),
        (
            "disconnect",
            "telnyx.APIConnectionError",
            "retell.APIConnectionError",
            "httpx.RemoteProtocolError",
        ),
        (
            "truncate",
            "telnyx.APIConnectionError",
            "retell.APIConnectionError",
            "httpx.RemoteProtocolError",
        ),
        ("timeout", "telnyx.APITimeoutError", "retell.APITimeoutError", "httpx.ReadTimeout"),
        (
            "malformed",
            "json.JSONDecodeError",
            "json.JSONDecodeError",
            "supertone.errors.ResponseValidationError",
        ),
        (
            "empty",
            "json.JSONDecodeError",
            "json.JSONDecodeError",
            "supertone.errors.ResponseValidationError",
        ),
    ],
)
def test_each_broken_response_raises_its_exception(
    box: Box, wav: bytes, fault: str, when: str, of_telnyx: str, of_retell: str, of_supertone: str
) -> None:
    from retell import Retell
    from supertone import Supertone
    from telnyx import Telnyx

    box.inject(kind=fault, when=when)
    client_timeout = 0.05
    http_client = httpx.Client()
    options: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "http_client": http_client}
    if fault == "timeout":
        options["timeout"] = client_timeout
    calls: list[tuple[str, Callable[[], Any]]] = [
        (
            of_telnyx,
            lambda: clone_telnyx(Telnyx(base_url=f"{box.url}/telnyx/v2", **options), wav),
        ),
        (of_retell, lambda: clone_retell(Retell(base_url=f"{box.url}/retell", **options), wav)),
    ]
    for error, call in calls:
        with pytest.raises(resolve_name(error)):
            call()
    milliseconds = int(client_timeout * 1000) if fault == "timeout" else None
    url = f"{box.url}/supertone"
    with Supertone(api_key=KEY, server_url=url, timeout_ms=milliseconds) as client:
        with pytest.raises(resolve_name(of_supertone)):
            clone_supertone(client, wav)
    http_client.close()
    assert len(box.voices()) == (3 if when == "after" else 0)


def test_wrong_type_is_text_for_telnyx_and_retell_and_raises_for_supertone(
    box: Box, a_telnyx: Telnyx, a_retell: Retell, a_supertone: Any, wav: bytes
) -> None:
    from supertone.errors import SupertoneDefaultError

    box.inject(kind="wrong_type")
    assert "<html>" in clone_telnyx(a_telnyx, wav)
    assert "<html>" in clone_retell(a_retell, wav)
    with pytest.raises(SupertoneDefaultError, match="text/html"):
        clone_supertone(a_supertone, wav)


def test_client_waits_for_a_slow_response(box: Box, a_telnyx: Telnyx, wav: bytes) -> None:
    box.inject(kind="delay", seconds=0.02)
    box.inject(kind="drip", seconds=0.02)
    made = clone_telnyx(a_telnyx, wav)
    assert a_telnyx.voice_clones.list().data == [made.data]
    assert attempts(box) == [(1, 201), (1, 200)]
