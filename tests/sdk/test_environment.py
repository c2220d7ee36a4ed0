"""`mock.env()` redirects the SDKs of Telnyx and Retell; Supertone reads no variables."""

from __future__ import annotations

import pytest
from retell import Retell
from supertone import Supertone
from telnyx import Telnyx

import mockvoice


def test_env_redirects_telnyx_and_retell(monkeypatch: pytest.MonkeyPatch) -> None:
    with mockvoice.serve() as mock:
        mock.env(monkeypatch)
        with Telnyx() as telnyx, Retell() as retell:
            assert [*telnyx.voice_clones.list()] == []
            assert retell.voice.list()
        assert [request.status for request in mock.requests] == [200, 200]


def test_supertone_reads_no_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPERTONE_BASE_URL", "SUPERTONE_SERVER_URL", "SUPERTONE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Supertone(api_key="K") as client:
        url, _ = client.sdk_configuration.get_server_details()
    assert url == "https://supertoneapi.com"
