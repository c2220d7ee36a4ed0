"""Providers keep records as a dictionary does, in any order of requests.

Two API keys take part; neither sees the records of the other. If several servers share a store, the
requests take turns: see tests/replicas/test_state_machines.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mockvoice.http.server import Server, bind

from ..conftest import encoded
from ..contract.contracts import check
from ..state.serializing import make_mock

pytestmark = pytest.mark.slow

WAV = encoded("wav", 0.2)
KEYS = st.sampled_from(["one", "two"])
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


class Machine(RuleBasedStateMachine):
    """A client, and the records that a key should find: name by id, oldest first."""

    base: ClassVar[str]
    urls: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.turns = cycle(map(httpx.URL, self.urls))
        self.http = httpx.Client(
            base_url=f"{self.urls[0]}{self.base}",
            event_hooks={"request": [self.take_turns], "response": [check]},
        )
        self.model: dict[str, dict[str, str]] = {"one": {}, "two": {}}

    def take_turns(self, request: httpx.Request) -> None:
        """Send a request to the next process."""
        url = next(self.turns)
        request.url = request.url.copy_with(host=url.host, port=url.port)

    @initialize()
    def forget(self) -> None:
        assert self.http.post(f"{self.urls[0]}/__mockvoice/reset").status_code == 204

    def teardown(self) -> None:
        verification = self.http.get(f"{self.urls[0]}/__mockvoice/verification").json()
        self.http.close()
        assert verification == {"faults": [], "requests": []}

    def owns(self, key: str, id: str) -> bool:
        return id in self.model[key]


@pytest.fixture(scope="module", autouse=True)
def one_server() -> Iterator[None]:
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        Machine.urls = [server.url]
        yield


class Telnyx(Machine):
    """Clones of Telnyx."""

    base = "/telnyx/v2"
    voices = Bundle[str]("voices")

    def key(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    @rule(target=voices, key=KEYS, name=NAMES)
    def create(self, key: str, name: str) -> str:
        form = {"name": name, "language": "en"}
        made = self.http.post(
            "/voice_clones/from_upload", headers=self.key(key), data=form, files={"audio_file": WAV}
        ).json()["data"]
        self.model[key][made["id"]] = name
        return str(made["id"])

    @rule(key=KEYS, id=voices)
    def get(self, key: str, id: str) -> None:
        response = self.http.get(f"/voice_clones/{id}", headers=self.key(key))
        assert response.status_code == (200 if self.owns(key, id) else 404)
        if response.is_success:
            assert response.json()["data"]["name"] == self.model[key][id]

    @rule(key=KEYS, id=voices, name=NAMES)
    def rename(self, key: str, id: str, name: str) -> None:
        path = f"/voice_clones/{id}"
        done = self.http.patch(path, headers=self.key(key), json={"name": name})
        assert done.status_code == (200 if self.owns(key, id) else 404)
        if done.is_success:
            self.model[key][id] = name

    @rule(key=KEYS, id=voices)
    def delete(self, key: str, id: str) -> None:
        done = self.http.delete(f"/voice_clones/{id}", headers=self.key(key))
        assert done.status_code == (204 if self.owns(key, id) else 404)
        self.model[key].pop(id, None)

    @rule(key=KEYS, id=voices)
    def speak(self, key: str, id: str) -> None:
        body = {"text": "hello", "voice": f"Telnyx.Qwen3TTS.{id}"}
        response = self.http.post("/text-to-speech/speech", headers=self.key(key), json=body)
        assert response.status_code == (200 if self.owns(key, id) else 400)

    @rule(key=KEYS, part=st.text("abAB", max_size=1), size=st.integers(1, 3))
    def pages(self, key: str, part: str, size: int) -> None:
        """All pages together are all records, in order."""
        ids: list[str] = []
        query: dict[str, Any] = {"filter[name]": part, "page[size]": size, "sort": "created_at"}
        for number in range(1, 99):
            page = self.http.get(
                "/voice_clones", headers=self.key(key), params={**query, "page[number]": number}
            ).json()
            ids += [clone["id"] for clone in page["data"]]
            if number >= page["meta"]["total_pages"]:
                break
        expected = [id for id, name in self.model[key].items() if part.lower() in name.lower()]
        assert ids == expected
        assert page["meta"]["total_results"] == len(expected)

    @rule(key=KEYS)
    def unknown(self, key: str) -> None:
        assert (
            self.http.get(f"/voice_clones/{UNKNOWN_ID}", headers=self.key(key)).status_code == 404
        )


class TelnyxDesigns(Machine):
    """Designs of Telnyx: numbers of the versions by id."""

    base = "/telnyx/v2"
    designs = Bundle[str]("designs")

    def __init__(self) -> None:
        super().__init__()
        self.versions: dict[str, dict[str, list[int]]] = {"one": {}, "two": {}}

    def post(self, key: str, **body: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return self.http.post("/voice_designs", headers=headers, json={"text": "t", **body})

    @rule(target=designs, key=KEYS)
    def create(self, key: str) -> str:
        id = str(self.post(key, name="d", prompt="p1").json()["data"]["id"])
        self.versions[key][id] = [1]
        return id

    @rule(key=KEYS, id=designs)
    def next_version(self, key: str, id: str) -> None:
        made = self.post(key, voice_design_id=id, prompt="p")
        assert made.status_code == (201 if id in self.versions[key] else 404)
        if made.is_success:
            numbers = self.versions[key][id]
            numbers.append(max(numbers, default=0) + 1)
            assert made.json()["data"]["version"] == numbers[-1]

    @rule(key=KEYS, id=designs, number=st.integers(1, 4))
    def delete_version(self, key: str, id: str, number: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        done = self.http.delete(f"/voice_designs/{id}/versions/{number}", headers=headers)
        numbers = self.versions[key].get(id, [])
        assert done.status_code == (204 if number in numbers else 404)
        if number in numbers:
            numbers.remove(number)

    @rule(key=KEYS, id=designs)
    def delete(self, key: str, id: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        done = self.http.delete(f"/voice_designs/{id}", headers=headers)
        assert done.status_code == (204 if id in self.versions[key] else 404)
        self.versions[key].pop(id, None)

    @rule(key=KEYS, id=designs, number=st.none() | st.integers(1, 4))
    def get(self, key: str, id: str, number: int | None) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        query = {"version": number} if number else {}
        response = self.http.get(f"/voice_designs/{id}", headers=headers, params=query)
        numbers = self.versions[key].get(id, [])
        newest = number or max(numbers, default=0)
        assert response.status_code == (200 if newest in numbers else 404)
        if response.is_success:
            assert response.json()["data"]["version"] == newest


class Retell(Machine):
    """Voices of Retell, which are created and never changed."""

    base = "/retell"
    voices = Bundle[str]("voices")

    def key(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    @rule(target=voices, key=KEYS, name=NAMES)
    def create(self, key: str, name: str) -> str:
        form = {"voice_name": name, "voice_provider": "platform"}
        made = self.http.post(
            "/clone-voice", headers=self.key(key), data=form, files={"files": WAV}
        ).json()
        self.model[key][made["voice_id"]] = name
        return str(made["voice_id"])

    @rule(target=voices, key=KEYS, name=NAMES)
    def add(self, key: str, name: str) -> str:
        body = {"provider_voice_id": "x", "voice_name": name, "voice_provider": "minimax"}
        made = self.http.post("/add-community-voice", headers=self.key(key), json=body).json()
        self.model[key][made["voice_id"]] = name
        return str(made["voice_id"])

    @rule(key=KEYS, id=voices)
    def get(self, key: str, id: str) -> None:
        response = self.http.get(f"/get-voice/{id}", headers=self.key(key))
        assert response.status_code == (200 if self.owns(key, id) else 422)

    @invariant()
    def listed(self) -> None:
        for key, model in self.model.items():
            listed = self.http.get("/list-voices", headers=self.key(key)).json()
            own = {v["voice_id"]: v["voice_name"] for v in listed if "voice_type" in v}
            assert [*own.items()] == [*model.items()]


class Supertone(Machine):
    """Custom voices of Supertone."""

    base = "/supertone/v1"
    voices = Bundle[str]("voices")

    @rule(target=voices, key=KEYS, names=st.lists(NAMES, min_size=1, max_size=6))
    def create(self, key: str, names: list[str]) -> Any:
        ids = []
        for name in names:
            made = self.http.post(
                "/custom-voices/cloned-voice",
                headers={"x-sup-api-key": key},
                data={"name": name},
                files={"files": WAV},
            ).json()
            self.model[key][made["voice_id"]] = name
            ids.append(made["voice_id"])
        return multiple(*ids)

    @rule(key=KEYS, id=voices)
    def get(self, key: str, id: str) -> None:
        response = self.http.get(f"/custom-voices/{id}", headers={"x-sup-api-key": key})
        assert response.status_code == (200 if self.owns(key, id) else 404)
        if response.is_success:
            assert response.json()["name"] == self.model[key][id]

    @rule(key=KEYS, id=voices, name=NAMES)
    def rename(self, key: str, id: str, name: str) -> None:
        headers = {"x-sup-api-key": key}
        done = self.http.patch(f"/custom-voices/{id}", headers=headers, json={"name": name})
        assert done.status_code == (200 if self.owns(key, id) else 404)
        if done.is_success:
            self.model[key][id] = name

    @rule(key=KEYS, id=voices)
    def delete(self, key: str, id: str) -> None:
        done = self.http.delete(f"/custom-voices/{id}", headers={"x-sup-api-key": key})
        assert done.status_code == (204 if self.owns(key, id) else 404)
        self.model[key].pop(id, None)

    @rule(key=KEYS, id=voices)
    def speak(self, key: str, id: str) -> None:
        body = {"text": "hello", "language": "en"}
        response = self.http.post(
            f"/text-to-speech/{id}", headers={"x-sup-api-key": key}, json=body
        )
        other = "two" if key == "one" else "one"
        gone = 403 if self.owns(other, id) else 404
        assert response.status_code == (200 if self.owns(key, id) else gone)

    @rule(key=KEYS, part=st.text("abAB", max_size=1))
    def pages(self, key: str, part: str) -> None:
        ids, query = list[str](), {"name": part, "page_size": "10.0"}
        while True:
            page = self.http.get(
                "/custom-voices/search", headers={"x-sup-api-key": key}, params=query
            ).json()
            ids += [voice["voice_id"] for voice in page["items"]]
            if "next_page_token" not in page:
                break
            query = {**query, "next_page_token": page["next_page_token"]}
        expected = [id for id, name in self.model[key].items() if part.lower() in name.lower()]
        assert ids == expected
        assert page["total"] == len(expected)


class Faseeh(Machine):
    """Voices of Faseeh."""

    base = "/faseeh/api/v1"
    voices = Bundle[str]("voices")

    @rule(target=voices, key=KEYS, name=NAMES)
    def create(self, key: str, name: str) -> str:
        form = {"text": "t", "stability": "0.5", "name": name, "model": "faseeh-v1-preview"}
        made = self.http.post(
            "/voices/clone",
            headers={"x-api-key": key},
            data=form,
            files={"voice_file": WAV, "reference_audio_file": WAV},
        ).json()
        self.model[key][made["voice_id"]] = name
        return str(made["voice_id"])

    @rule(key=KEYS, id=voices)
    def speak(self, key: str, id: str) -> None:
        path, body = "/text-to-speech/faseeh-v1-preview", {"voice_id": id, "text": "hello"}
        response = self.http.post(path, headers={"x-api-key": key}, json=body)
        assert response.status_code == (200 if self.owns(key, id) else 404)

    @invariant()
    def listed(self) -> None:
        for key, model in self.model.items():
            listed = self.http.get("/voices", headers={"x-api-key": key}).json()
            own = {voice["voice_id"]: voice["name"] for voice in listed if voice["type"] is None}
            assert [*own.items()] == [*model.items()]


MACHINES = [Telnyx, TelnyxDesigns, Retell, Supertone, Faseeh]


def run_machine(machine: type[Machine], steps: int) -> None:
    limits = settings(max_examples=15, stateful_step_count=steps)
    run_state_machine_as_test(machine, settings=limits)


@pytest.mark.parametrize("machine", MACHINES)
def test_records_are_those_of_the_model(machine: type[Machine]) -> None:
    run_machine(machine, steps=20)
