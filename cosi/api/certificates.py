"""Certificates: reading a server's, and making a CA, a server's and an administrator's.

With ``cryptography`` rather than the ``openssl`` program: that one need not be on the machine, its
output is text to be parsed, and the roles in client certificates have to be read anyway.
"""

from __future__ import annotations

from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cosi.errors import CosiError


class CertificateError(CosiError):
    """A file that is no certificate or key, or not the right one."""


def server_credentials(
    certificate: Path, key: Path, client_ca: Path | None
) -> grpc.ServerCredentials:
    """Credentials of a TLS server from PEM files; raises :class:`CertificateError`.

    They are checked here, where the file can be named; gRPC would fail at the first connection.
    """
    chain, secret = _read(certificate), _read(key)
    leaf = _certificates(certificate, chain)[0]
    try:
        public = load_pem_private_key(secret, None).public_key()
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{key}: not a private key in PEM without a password") from error
    if public != leaf.public_key():
        raise CertificateError(f"{key}: not the key of the certificate {certificate}")
    ca = None
    if client_ca is not None:
        ca = _read(client_ca)
        _certificates(client_ca, ca)
    return grpc.ssl_server_credentials([(secret, chain)], ca, require_client_auth=ca is not None)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error


def _certificates(path: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise CertificateError(f"{path}: not a certificate in PEM") from error
