"""One seed and a clock that stands still: the same session is answered with the same bytes."""

from __future__ import annotations

import json
from typing import Any

from .conftest import Box, Serve, encoded

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FASEEH = {"x-api-key": "K"}
CLOCK = "2024-01-01T00:00:00Z"


def session(serve: Serve, **settings: Any) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Everything that a session over all providers is answered."""
    with Box(serve(**settings), "again") as box:
        for client in (box.http, box.control):
            client.headers["Host"] = "mock"  # addresses in answers are made of it
        box.clock(freeze=CLOCK)
        answers = []

        def call(method: str, path: str, **more: Any) -> Any:
            response = box.http.request(method, path, **more)
            assert response.status_code < 600
            answers.append((
                response.status_code,
                response.headers.multi_items(),
                response.content,
            ))  # fmt: skip
            return response

        box.request(status=503, probability=0.4, operation="listVoices", retry_after=2)
        box.request(kind="delay", seconds=0.001, jitter=0.001, distribution="normal", times=5)
        for _ in range(2):
            upload = {"name": "n", "language": "en", "gender": "male"}
            for service in ("telnyx", "minimax"):
                clone = call(
                    "POST",
                    "/telnyx/v2/voice_clones/from_upload",
                    headers=BEARER,
                    data={**upload, "provider": service},
                    files={"audio_file": WAV},
                ).json()["data"]["id"]
            call("GET", f"/telnyx/v2/voice_clones/{clone}/sample", headers=BEARER)
            design = {"name": "d", "text": "Hello", "prompt": "Calm."}
            call("POST", "/telnyx/v2/voice_designs", headers=BEARER, json=design)
            say = {"text": "hello", "provider": "aws", "output_type": "audio_id"}
            made = call("POST", "/telnyx/v2/text-to-speech/speech", headers=BEARER, json=say).json()
            path = made["audio_url"].removeprefix("http://mock/~again")
            call("GET", path, headers=BEARER)
            call("GET", "/telnyx/v2/voice_clones", headers=BEARER)
            form = {"voice_name": "n", "voice_provider": "platform"}
            call("POST", "/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV})
            path = "/supertone/v1/custom-voices/cloned-voice"
            file = {"files": WAV}
            made = call("POST", path, headers=SUPERTONE, data={"name": "n"}, files=file).json()
            path, body = made["voice_id"], {"text": "hello", "language": "en"}
            call("POST", f"/supertone/v1/text-to-speech/{path}", headers=SUPERTONE, json=body)
            call("GET", "/supertone/v1/credits", headers=SUPERTONE)
            form = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"}
            files = {"voice_file": WAV, "reference_audio_file": WAV}
            call("POST", "/faseeh/api/v1/voices/clone", headers=FASEEH, data=form, files=files)
            call("POST", "/faseeh/api/v1/voices/clone", headers=FASEEH, data={})
            call("GET", "/faseeh/api/v1/nowhere", headers=FASEEH)
            for _ in range(5):
                call("GET", "/retell/list-voices", headers=BEARER)
            for provider in ("telnyx", "retell", "supertone", "faseeh"):
                call("POST", "/__mockvoice/voices", json={"provider": provider})
            box.clock(advance=10)
        for path in ("requests", "voices?presets=true", "faults"):
            told = call("GET", f"/__mockvoice/{path}").json()
            for each in told.get("requests", ()):
                each["milliseconds"] = 0
                # httpx draws the boundaries of its forms.
                each["headers"]["content-type"] = ""
            status, headers, _ = answers.pop()
            del headers[[name for name, _ in headers].index("content-length")]
            answers.append((status, headers, json.dumps(told).encode()))
        return answers


def test_two_runs_with_one_seed_are_byte_for_byte_the_same(serve: Serve) -> None:
    first = session(serve, seed=5)
    assert first == session(serve, seed=5)
    statuses = {status for status, _, _ in first}
    assert {200, 201, 400, 404, 503} <= statuses


def test_another_seed_makes_other_ids_and_other_chances(serve: Serve) -> None:
    def ids(seed: int) -> list[str]:
        *_, (_, _, voices), _ = session(serve, seed=seed)
        return [each["id"] for each in json.loads(voices)["voices"]]

    one, other = set(ids(5)), set(ids(6))
    shared = {"550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000:1"}
    assert one & other == shared  # what every account finds
    assert len(one) > 20
