"""Certificates: reads a server's, and creates those of a CA, a server and an administrator.

It uses ``cryptography`` and not the ``openssl`` program, which may not be installed, whose output
would have to be parsed, and because the roles in client certificates have to be read anyway. Keys
are P-256: gRPC's TLS library does not offer Ed25519, which Talos uses.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cosi.api._strength import first_weakness
from cosi.api.roles import Role
from cosi.errors import CosiError
from cosi.resource._yaml_writing import for_people

CA_VALID: Final = timedelta(days=3_650)
VALID: Final = timedelta(days=365)
CONTEXT: Final = "cosi"
"""The name of the context in a new talosconfig."""

_Usage = ExtendedKeyUsageOID


class CertificateError(CosiError):
    """A file is not a certificate or key, or the wrong one, or exists already."""


def server_credentials(
    certificate: Path, key: Path, client_ca: Path | None
) -> grpc.ServerCredentials:
    """Credentials of a TLS server from PEM files; raises :class:`CertificateError`.

    They are checked here, where the error can name the file; gRPC would fail at the first
    connection, and accept weak ones (``_strength.py``).
    """
    chain, secret = _read(certificate), _read(key)
    leaf = _trusted(certificate, chain)[0]
    try:
        public = load_pem_private_key(secret, None).public_key()
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{key}: not a private key in PEM without a password") from error
    if public != leaf.public_key():
        raise CertificateError(f"{key}: not the key of the certificate {certificate}")
    ca = None
    if client_ca is not None:
        ca = _read(client_ca)
        _trusted(client_ca, ca)
    return grpc.ssl_server_credentials([(secret, chain)], ca, require_client_auth=ca is not None)


def _trusted(path: Path, pem: bytes) -> list[x509.Certificate]:
    """The certificates in a file, none of which is too weak."""
    certificates = _certificates(path, pem)
    if problem := first_weakness(certificates):
        raise CertificateError(f"{path}: too weak: it has {problem}")
    return certificates


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


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority."""

    identity: Identity
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str = CONTEXT) -> Authority:
        """Create one, self-signed, valid for :data:`CA_VALID`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(subject, key.public_key(), CA_VALID)
            .issuer_name(subject)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(_identity(certificate, key), certificate, key)

    def server(self, hosts: Sequence[str]) -> Identity:
        """Issue a server certificate for ``hosts``, one or more names and addresses."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(_name(hosts[0]), _Usage.SERVER_AUTH, [names])

    def client(self, name: str, *roles: Role | str) -> Identity:
        """Issue a client certificate; its organisations are ``roles`` (Talos 1.14, "Roles")."""
        return self._issue(_name(name, roles), _Usage.CLIENT_AUTH, [])

    def _issue(
        self,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        extensions: Sequence[x509.ExtensionType],
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, key.public_key(), VALID).issuer_name(self.certificate.subject)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return _identity(builder.sign(self.key, hashes.SHA256()), key)


@dataclass(frozen=True, slots=True)
class GeneratedConfig:
    """The files of :func:`generate_config`."""

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path
    talosconfig: Path


def generate_config(directory: Path, hosts: Sequence[str]) -> GeneratedConfig:
    """Create a CA, a server certificate for ``hosts``, and a talosconfig for an administrator.

    ``hosts`` are the names and addresses that clients will use, and the endpoints in the
    talosconfig (Talos 1.14, "talosconfig"). Only their owner can read the keys. Raises
    :class:`CertificateError` instead of overwriting existing files.
    """
    if not hosts:
        raise CertificateError("no host for the certificate: give a name or an address")
    files = GeneratedConfig(
        ca=directory / "ca.crt",
        ca_key=directory / "ca.key",
        certificate=directory / "server.crt",
        key=directory / "server.key",
        talosconfig=directory / "talosconfig",
    )
    authority = Authority.new()
    server, admin = authority.server(hosts), authority.client("admin", Role.ADMIN)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(files.ca, authority.identity.certificate, secret=False)
    _write(files.ca_key, authority.identity.key, secret=True)
    _write(files.certificate, server.certificate, secret=False)
    _write(files.key, server.key, secret=True)
    _write(files.talosconfig, talosconfig(authority, admin, hosts), secret=True)
    return files


def talosconfig(authority: Authority, client: Identity, endpoints: Sequence[str]) -> bytes:
    """The file that ``talosctl --talosconfig`` reads."""
    context = {
        "endpoints": list(endpoints),
        "nodes": list(endpoints[:1]),
        "ca": _base64(authority.identity.certificate),
        "crt": _base64(client.certificate),
        "key": _base64(client.key),
    }
    document = {"context": CONTEXT, "contexts": {CONTEXT: context}}
    return for_people(document).encode()


def _write(path: Path, content: bytes, *, secret: bool) -> None:
    try:
        path.touch(mode=0o600 if secret else 0o644, exist_ok=False)
    except FileExistsError:
        raise CertificateError(f"{path} already exists; choose an empty directory") from None
    path.write_bytes(content)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _name(common_name: str, organisations: Sequence[str] = ()) -> x509.Name:
    # Each role is a name of its own; a common name has at most 64 characters.
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organisations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta
) -> x509.CertificateBuilder:
    # Clocks differ; a certificate from the future is refused.
    begin = datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + valid)
    )


def _identity(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Identity:
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Identity(certificate.public_bytes(Encoding.PEM), secret)
