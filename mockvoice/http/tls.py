"""Certificates for TLS connections: a certificate authority, and one certificate for each host."""

from __future__ import annotations

import os
import ssl
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from ..text import brief

if TYPE_CHECKING:
    import trustme

INSTALL = "TLS needs additional packages: pip install 'mockvoice[tls]'"
MAX_HELLO_BYTES = 64 * 1024  # of a ClientHello
_WRONG_HOST = "wrong-host.invalid"
_CACHED = 256  # certificates
_BACKDATED = timedelta(days=2)  # for clients whose clock is late
_LIFETIME = timedelta(days=397)  # some clients reject certificates that are valid for longer


class TLSError(OSError):
    """A TLS connection cannot be accepted, or the configured CA cannot be used."""


def is_available() -> bool:
    """Return True if the packages for TLS are installed."""
    return find_spec("trustme") is not None


class CertificateAuthority:
    """Issues certificates, signed by a CA that is configured or else lives in this process only.

    `cert` and `key` are the paths of PEM files. Nothing is imported, read or generated before the
    first use.
    """

    def __init__(self, cert: str = "", key: str = "") -> None:
        self._cert = cert
        self._key = key
        self._lock = threading.RLock()  # used in threads, so that no request waits
        self._contexts: OrderedDict[tuple[str, str], ssl.SSLContext] = OrderedDict()

    @property
    def pem(self) -> bytes:
        """The certificate of the CA, with its chain if it is configured. Raises TLSError."""
        if self._cert:
            return _read(self._cert)
        with self._lock:
            return self._ca.cert_pem.bytes()

    @property
    def p12(self) -> bytes:
        """The certificate of the CA as a PKCS#12 trust store for Java. Raises TLSError."""
        _require_packages()
        from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
        from cryptography.x509 import load_pem_x509_certificates

        certificates = [
            pkcs12.PKCS12Certificate(certificate, f"mockvoice-{i}".encode())
            for i, certificate in enumerate(load_pem_x509_certificates(self.pem))
        ]
        return pkcs12.serialize_java_truststore(certificates, NoEncryption())

    def check(self) -> None:
        """Raise TLSError if the configured CA cannot issue certificates."""
        if self._cert or self._key:
            self.context("localhost")

    def generate(self) -> None:
        """Generate the CA now, so that processes forked from this one share it."""
        if self._cert or is_available():
            self.context("localhost")

    def context(self, host: str, defect: str = "") -> ssl.SSLContext:
        """Return a TLS context with a certificate for a host. Raises TLSError.

        The certificate may have a defect: it is "expired", for the "wrong_host", or "untrusted".
        """
        with self._lock:
            context = self._contexts.get((host, defect))
            if context is None:
                self._contexts[host, defect] = context = self._make_context(host, defect)
                if len(self._contexts) > _CACHED:
                    self._contexts.popitem(last=False)
            return context

    def _make_context(self, host: str, defect: str) -> ssl.SSLContext:
        ca = self._other_ca if defect == "untrusted" else self._ca
        until = datetime.now(UTC) + (-_BACKDATED if defect == "expired" else _LIFETIME)
        try:
            leaf = ca.issue_cert(
                _WRONG_HOST if defect == "wrong_host" else host,
                organization_name="mockvoice",
                not_before=until - _LIFETIME - _BACKDATED,
                not_after=until,
            )
        except ValueError as error:
            raise TLSError(
                f"no certificate can have the host name {brief(host)}: {error}"
            ) from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        _load_chain(context, leaf, b"" if ca is not self._ca else self.pem)
        return context

    @cached_property
    def _ca(self) -> trustme.CA:
        _require_packages()
        import trustme

        if self._cert:
            return _configured(self._cert, self._key)
        return trustme.CA(organization_name="mockvoice")

    @cached_property
    def _other_ca(self) -> trustme.CA:
        _require_packages()
        import trustme

        return trustme.CA(organization_name="mockvoice", organization_unit_name="untrusted")


def _require_packages() -> None:
    if not is_available():
        raise TLSError(INSTALL)


def _configured(cert: str, key: str) -> trustme.CA:
    """Return the CA of two files. Raises TLSError if it cannot issue certificates."""
    import trustme
    from cryptography.exceptions import InvalidSignature
    from cryptography.x509 import ExtensionNotFound, load_pem_x509_certificate

    pem, key_pem = _read(cert), _read(key)
    try:
        ca = trustme.CA.from_pem(pem, key_pem)
        leaf = ca.issue_cert("localhost").cert_chain_pems[0].bytes()
        load_pem_x509_certificate(leaf).verify_directly_issued_by(load_pem_x509_certificate(pem))
    except InvalidSignature:
        raise TLSError(f"tls_ca_key {key} is not the private key of tls_ca_cert {cert}") from None
    except (ValueError, TypeError, ExtensionNotFound) as error:
        raise TLSError(
            f"tls_ca_cert {cert} and tls_ca_key {key} must be the certificate of a CA (PEM, with a"
            f" subject key identifier) and its RSA or EC key without a passphrase: {error}"
        ) from None
    return ca


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TLSError(f"cannot read {path}: {error.strerror}") from None


def _load_chain(context: ssl.SSLContext, leaf: trustme.LeafCert, ca_pem: bytes) -> None:
    """Load a certificate and its key, which `ssl` takes only from a file, without leaving one."""
    pem = leaf.private_key_and_cert_chain_pem.bytes() + ca_pem
    try:
        # In memory, as the file system may be read-only. Other systems than Linux have none.
        with os.fdopen(os.memfd_create("mockvoice"), "wb", buffering=0) as file:
            file.write(pem)
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    except (AttributeError, OSError):
        with NamedTemporaryFile(suffix=".pem") as file:  # mode 0600
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name)


def read_server_name(hello: bytes) -> str | None:
    """Return the host name in a ClientHello, "" if it has none, or None if bytes are missing.

    Raises TLSError for anything else.
    """
    names: list[str] = []

    def select(_: object, name: str | None, __: object) -> int:
        names.append(name or "")
        return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE  # everything is known: go no further

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = select
    received = ssl.MemoryBIO()
    received.write(hello)
    try:
        context.wrap_bio(received, ssl.MemoryBIO(), server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLError as error:
        if not names:
            raise TLSError(f"not a TLS handshake: {error.reason}") from None
    return names[0].lower() if names[0].isprintable() else ""
