"""Command `ca`."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from mockvoice import Control

from .processes import MOCKVOICE, check_output, clean_environ, run


def test_ca_writes_a_certificate_that_clients_can_trust(mock: Control, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    assert check_output("ca", "--url", mock.url, "-o", str(file)) == ""
    (certificate,) = ssl.create_default_context(cafile=str(file)).get_ca_certs()
    assert "mockvoice" in str(certificate["subject"])
    assert file.read_bytes() == mock.ca()
    assert check_output("ca", MOCKVOICE_URL=mock.url).encode() == mock.ca()
    assert "PRIVATE" not in file.read_text()


def test_ca_writes_a_trust_store_for_java(mock: Control) -> None:
    command = [*MOCKVOICE, "ca", "--format", "p12", "--url", mock.url]
    assert subprocess.check_output(command, env=clean_environ())[:1] == b"\x30"  # DER


def test_unusable_ca_exits_with_2(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    result = run("serve", "--port", "0", "--tls-ca-cert", str(file))
    assert (result.returncode, result.stderr) == (
        2,
        "mockvoice: tls_ca_cert and tls_ca_key must be set together\n",
    )
    result = run("serve", "--port", "0", "--tls-ca-cert", str(file), "--tls-ca-key", str(file))
    assert (result.returncode, result.stderr) == (
        2,
        f"mockvoice: cannot read {file}: No such file or directory\n",
    )
