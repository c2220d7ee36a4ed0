"""The certificate authority: what it issues, and what it leaves behind."""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from mockvoice.http import tls
from mockvoice.http.server import Server, bind
from mockvoice.http.tls import CertificateAuthority, TLSError

from ..state.serializing import make_mock

pytestmark = pytest.mark.memory


def test_certificates_are_cached_by_host() -> None:
    ca = CertificateAuthority()
    assert ca.context("api.telnyx.com") is ca.context("api.telnyx.com")
    assert ca.context("api.telnyx.com") is not ca.context("api.retellai.com")


def test_cache_of_certificates_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "_CACHED", 2)
    ca = CertificateAuthority()
    first = ca.context("a.example")
    ca.context("b.example")
    ca.context("c.example")
    assert ca.context("a.example") is not first


@pytest.mark.parametrize("host", ["", "a_b.example", "..", "x" * 300, "a b"])
def test_impossible_host_names_are_rejected(host: str) -> None:
    with pytest.raises(TLSError, match="no certificate can have the host name"):
        CertificateAuthority().context(host)


def test_private_keys_never_reach_the_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a temporary file was created")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    monkeypatch.setattr(tls, "NamedTemporaryFile", refuse)
    CertificateAuthority().context("api.telnyx.com")


def test_without_memfd_the_key_is_in_a_private_file_that_is_deleted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    loaded = []

    class Context(ssl.SSLContext):
        def load_cert_chain(self, certfile: Any, *_: Any, **__: Any) -> None:
            loaded.append((Path(certfile), Path(certfile).stat().st_mode & 0o777))
            super().load_cert_chain(certfile)

    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(ssl, "SSLContext", Context)
    CertificateAuthority().context("api.telnyx.com")
    ((file, mode),) = loaded
    assert (file.parent, mode) == (tmp_path, 0o600)
    assert not [*tmp_path.iterdir()]


def test_without_the_packages_clients_are_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tls, "find_spec", lambda name: None)
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        parts = urlsplit(server.url)
        with pytest.raises(httpx.ProxyError, match=r"501 .* pip install 'mockvoice\[tls\]'"):
            httpx.get("https://api.telnyx.com/v2", proxy=server.url)
        with (
            socket.create_connection((parts.hostname, parts.port), timeout=10) as client,
            pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"),
        ):
            ssl.create_default_context().wrap_socket(client, server_hostname="api.telnyx.com")
        assert "to api.telnyx.com rejected: TLS needs additional packages" in caplog.text
        for file in ("ca.pem", "ca.p12"):
            response = httpx.get(f"{server.url}/__mockvoice/{file}")
            assert response.status_code == 501
            assert "pip install 'mockvoice[tls]'" in response.json()["detail"]


def _key_of_another(cert: Path, key: Path) -> None:
    cert.write_bytes(trustme.CA().cert_pem.bytes())
    key.write_bytes(trustme.CA().private_key_pem.bytes())


def _no_pem(cert: Path, key: Path) -> None:
    cert.write_bytes(trustme.CA().cert_pem.bytes())
    key.write_text("secret")


def _no_key(cert: Path, key: Path) -> None:
    cert.write_bytes(trustme.CA().cert_pem.bytes())


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_key_of_another, "tls_ca_key .*ca.key is not the private key of tls_ca_cert .*ca.pem"),
        (_no_pem, "must be the certificate of a CA"),
        (_no_key, "cannot read .*ca.key: No such file"),
    ],
)
def test_unusable_ca_is_reported_at_the_start(
    write: Callable[[Path, Path], None], message: str, tmp_path: Path
) -> None:
    cert, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    write(cert, key)
    with pytest.raises(TLSError, match=message) as caught:
        CertificateAuthority(str(cert), str(key)).check()
    assert "secret" not in str(caught.value)
