"""Failures of mockvoice itself in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server, bind
from mockvoice.provider import Provider, RequestContext
from mockvoice.providers import built_in

from ..conftest import Box
from ..state.serializing import make_mock

ACME = """
openapi: 3.1.0
info: {title: Acme}
servers: [{url: https://acme.example/v9}]
paths:
  /songs:
    get:
      operationId: listSongs
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
        '500': {description: no, content: {application/json: {example: {oops: broken}}}}
"""


@contextmanager
def serve_acme(folder: Path, handle: Any, **settings: Any) -> Iterator[Box]:
    """Sandbox of a server whose provider acme has `handle` as its only handler."""
    contract = folder / "acme.yaml"
    contract.write_text(ACME)
    provider = Provider("acme", "Acme", contract=contract)

    @provider.operation("listSongs")
    async def list_songs(ctx: RequestContext) -> Any:
        return handle(ctx)

    with Server(make_mock([provider, *built_in()], **settings), bind("127.0.0.1", 0)) as server:
        with Box(server, "acme") as box:
            yield box


def test_exception_in_handler_is_recorded_with_traceback(tmp_path: Path) -> None:
    def fail(ctx: RequestContext) -> Any:
        raise RuntimeError("oh no")

    with serve_acme(tmp_path, fail) as box:
        response = box.http.get("/acme/v9/songs")
        assert (response.status_code, response.json()) == (500, {"oops": "broken"})
        error = box.last()["internal_error"]
    assert error.startswith("Traceback")
    assert Path(__file__).name in error
    assert error.rstrip().endswith("RuntimeError: oh no")


def test_verification_keeps_internal_errors_of_evicted_entries(tmp_path: Path) -> None:
    def fail(ctx: RequestContext) -> Any:
        raise RuntimeError("oh no")

    with serve_acme(tmp_path, fail, max_requests=50) as box:
        box.http.get("/acme/v9/songs")
        for _ in range(50):
            box.http.get("/acme/v9/nowhere")
        assert box.control.get("/requests/request_1").status_code == 404
        (entry,) = box.control.get("/verification").json()["requests"]
    assert (entry["id"], entry["operation"]) == ("request_1", "listSongs")
    assert entry["internal_error"].rstrip().endswith("RuntimeError: oh no")


def test_log_and_evicted_errors_contain_neither_secrets_nor_content(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(ctx: RequestContext) -> Any:
        raise RuntimeError(f"{'x' * 100_000}: cannot bill {ctx.headers.get('x-api-key')}")

    with serve_acme(tmp_path, fail, max_requests=50) as box:
        box.http.get("/acme/v9/songs?token=t0ken-value", headers={"x-api-key": "key-of-mine"})
        for _ in range(50):
            box.http.get("/acme/v9/nowhere")
        text = box.control.get("/verification").text
        (stored,) = asyncio.run(box.server.mock.store.list_internal_errors(box.name))
    for secret in ("key-of-mine", "t0ken-value"):
        assert secret not in text + caplog.text + stored.internal_error
    assert "cannot bill" in stored.internal_error
    assert stored.weight < 20_000


def test_response_that_violates_its_contract_is_recorded(tmp_path: Path) -> None:
    with serve_acme(tmp_path, lambda ctx: [1]) as box:
        assert box.http.get("/acme/v9/songs").json() == [1]
        assert (
            box.last()["internal_error"]
            == "the response 200 of listSongs: the body must be an object; got [1]"
        )


def test_exception_in_stream_is_recorded_with_traceback(tmp_path: Path) -> None:
    def stream() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("no more")

    with serve_acme(tmp_path, lambda ctx: stream()) as box:
        with pytest.raises(httpx.RemoteProtocolError):
            box.http.get("/acme/v9/songs")
        assert "RuntimeError: no more" in box.last()["internal_error"]
