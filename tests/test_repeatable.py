"""Determinism: with one seed and a frozen clock, equal sessions get identical responses."""

from __future__ import annotations

import json
from typing import Any

from mockvoice.providers import built_in

from .conftest import Box, Serve, encoded

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FASEEH = {"x-api-key": "K"}
CLOCK = "2024-01-01T00:00:00Z"


def session(serve: Serve, **settings: Any) -> list[tuple[int, list[tuple[str, str]], bytes]]:
    """Return all responses of a session that uses every provider."""
    with Box(serve(**settings), "again") as box:
        for client in (box.http, box.control):
            client.headers["Host"] = "mock"  # URLs in responses contain it
        box.clock(freeze=CLOCK)
        responses = []

        def send(method: str, path: str, **options: Any) -> Any:
            response = box.http.request(method, path, **options)
            assert response.status_code < 600
            responses.append((
                response.status_code,
                response.headers.multi_items(),
                response.content,
            ))  # fmt: skip
            return response

        box.inject(status=503, probability=0.4, operation="listVoices", retry_after=2)
        box.inject(kind="delay", seconds=0.001, jitter=0.001, distribution="normal", times=5)
        for _ in range(2):
            upload = {"name": "n", "language": "en", "gender": "male"}
            for service in ("telnyx", "minimax"):
                clone = send(
                    "POST",
                    "/telnyx/v2/voice_clones/from_upload",
                    headers=BEARER,
                    data={**upload, "provider": service},
                    files={"audio_file": WAV},
                ).json()["data"]["id"]
            send("GET", f"/telnyx/v2/voice_clones/{clone}/sample", headers=BEARER)
            design = {"name": "d", "text": "Hello", "prompt": "Calm."}
            send("POST", "/telnyx/v2/voice_designs", headers=BEARER, json=design)
            say = {"text": "hello", "provider": "aws", "output_type": "audio_id"}
            speech = send(
                "POST", "/telnyx/v2/text-to-speech/speech", headers=BEARER, json=say
            ).json()
            path = speech["audio_url"].removeprefix("http://mock/~again")
            send("GET", path, headers=BEARER)
            send("GET", "/telnyx/v2/voice_clones", headers=BEARER)
            form = {"voice_name": "n", "voice_provider": "platform"}
            send("POST", "/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV})
            path = "/supertone/v1/custom-voices/cloned-voice"
            file = {"files": WAV}
            clone = send("POST", path, headers=SUPERTONE, data={"name": "n"}, files=file).json()
            path, body = clone["voice_id"], {"text": "hello", "language": "en"}
            send("POST", f"/supertone/v1/text-to-speech/{path}", headers=SUPERTONE, json=body)
            send("GET", "/supertone/v1/credits", headers=SUPERTONE)
            form = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"}
            files = {"voice_file": WAV, "reference_audio_file": WAV}
            send("POST", "/faseeh/api/v1/voices/clone", headers=FASEEH, data=form, files=files)
            send("POST", "/faseeh/api/v1/voices/clone", headers=FASEEH, data={})
            send("GET", "/faseeh/api/v1/nowhere", headers=FASEEH)
            for _ in range(5):
                send("GET", "/retell/list-voices", headers=BEARER)
            for provider in ("telnyx", "retell", "supertone", "faseeh"):
                send("POST", "/__mockvoice/voices", json={"provider": provider})
            box.clock(advance=10)
        for path in ("requests", "voices?presets=true", "faults"):
            listed = send("GET", f"/__mockvoice/{path}").json()
            for entry in listed.get("requests", ()):
                entry["milliseconds"] = 0
                entry["headers"]["content-type"] = ""  # httpx generates random boundaries
            status, headers, _ = responses.pop()
            del headers[[name for name, _ in headers].index("content-length")]
            responses.append((status, headers, json.dumps(listed).encode()))
        return responses


def test_same_seed_gives_identical_responses(serve: Serve) -> None:
    first = session(serve, seed=5)
    assert first == session(serve, seed=5)
    statuses = {status for status, _, _ in first}
    assert {200, 201, 400, 404, 503} <= statuses


def test_different_seeds_give_different_ids(serve: Serve) -> None:
    def ids(seed: int) -> list[str]:
        *_, (_, _, voices), _ = session(serve, seed=seed)
        return [record["id"] for record in json.loads(voices)["voices"]]

    first, second = set(ids(5)), set(ids(6))
    presets = {
        record.id for provider in built_in() if provider.presets for record in provider.presets("*")
    }
    assert first & second == presets
    assert len(first - presets) > 20
