"""The fault kind `tls`: handshakes with a certificate that a careful client rejects."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice import Control
from mockvoice.client.control import ControlError

from ..conftest import Box

pytestmark = pytest.mark.memory

URL = "https://api.telnyx.com/v2/voice_clones"
KEY = {"Authorization": "Bearer KEY"}


@pytest.fixture
def client(mock: Control, tmp_path: Path) -> Iterator[httpx.Client]:
    """Client that trusts the CA, and opens a new connection for each request."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(mock.ca())
    proxy = mock.url.replace("//", "//test:x@").partition("/~")[0]
    limits = httpx.Limits(max_keepalive_connections=0)
    context = ssl.create_default_context(cafile=str(ca))
    with httpx.Client(proxy=proxy, verify=context, limits=limits, headers=KEY) as client:
        yield client


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({}, "certificate has expired"),
        ({"certificate": "expired"}, "certificate has expired"),
        ({"certificate": "wrong_host"}, "Hostname mismatch"),
        ({"certificate": "untrusted"}, "unable to get local issuer certificate"),
    ],
)
def test_client_rejects_the_certificate(
    mock: Control, client: httpx.Client, fault: Any, error: str
) -> None:
    rule = mock.telnyx.fail("tls", times=1, **fault)
    with pytest.raises(httpx.ConnectError, match=error):
        client.get(URL)
    assert client.get(URL).status_code == 200
    assert rule.hits == rule.matched == 1
    broken, listed = mock.requests
    assert (broken.method, broken.path, broken.status) == ("TLS", "api.telnyx.com", None)
    assert broken.provider == "telnyx"
    assert broken.fault
    assert (broken.fault.id, broken.fault.kind) == (rule.id, "tls")
    assert listed.status == 200
    assert f"TLS api.telnyx.com  -> no response, tls ({rule.id})" in mock.report()
    mock.verify()


def test_client_that_does_not_verify_is_served(mock: Control, client: httpx.Client) -> None:
    mock.telnyx.fail("tls", certificate="wrong_host")
    proxy = mock.url.replace("//", "//test:x@").partition("/~")[0]
    assert httpx.get(URL, headers=KEY, proxy=proxy, verify=False).status_code == 200


def test_rules_select_handshakes(mock: Control, client: httpx.Client) -> None:
    mock.retell.fail("tls")
    mock.fail("tls", skip=1, times=1)
    assert client.get(URL).status_code == 200
    with pytest.raises(httpx.ConnectError):
        client.get(URL)
    assert client.get(URL).status_code == 200
    with pytest.raises(AssertionError, match='"provider": "retell"'):
        mock.verify()


def test_sequence_of_handshakes(mock: Control, client: httpx.Client) -> None:
    mock.telnyx.sequence(["tls", "ok", {"kind": "tls", "certificate": "untrusted"}])
    with pytest.raises(httpx.ConnectError, match="has expired"):
        client.get(URL)
    assert client.get(URL).status_code == 200
    with pytest.raises(httpx.ConnectError, match="local issuer"):
        client.get(URL)
    mock.verify()


def test_requests_do_not_match(mock: Control) -> None:
    rule = mock.fail("tls")
    assert httpx.get(f"{mock.telnyx.base_url}/voice_clones", headers=KEY).status_code == 200
    assert rule.matched == 0
    rule.remove()


def test_direct_connections_use_the_default_sandbox(control: Control, tmp_path: Path) -> None:
    control.reset()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(control.ca())
    context = ssl.create_default_context(cafile=str(ca))
    parts = urlsplit(control.url)
    control.telnyx.fail("tls", times=1)
    with (
        closing(socket.create_connection((parts.hostname, parts.port))) as connection,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        context.wrap_socket(connection, server_hostname="api.telnyx.com")
    control.verify()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"operation": "listVoiceClones"}, "operation cannot be used with the kind tls"),
        ({"match": {"account": "K"}}, "match cannot be used with the kind tls"),
        ({"certificate": "old"}, "certificate must be one of expired, wrong_host, untrusted"),
    ],
)
def test_fault_that_no_handshake_can_match_is_rejected(
    mock: Control, fault: Any, error: str
) -> None:
    with pytest.raises(ControlError, match=error):
        mock.telnyx.fail("tls", **fault)


def test_sequence_with_another_kind_is_rejected(mock: Control) -> None:
    with pytest.raises(ControlError, match=r"sequence\.1 must be tls or ok, because another item"):
        mock.telnyx.sequence(["tls", 502])


def test_header_comes_too_late(box: Box) -> None:
    response = box.http.get("/retell/list-voices", headers={"X-Mockvoice-Fault": "tls", **KEY})
    assert response.status_code == 400
    assert "cannot be tls, because the TLS handshake precedes the request" in response.text
