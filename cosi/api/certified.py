"""Callers known by a client certificate; apart from the others, for reading one loads a library."""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from grpc.aio import ServicerContext

from cosi.api.access import Caller, Role


def certified_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """The holder of the client certificate, which the TLS layer has verified against the CA."""
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if not certificates:
        return Caller("somebody", frozenset())
    return Caller(*_subject(certificates[0]))


@lru_cache(maxsize=1024)
def _subject(pem: bytes) -> tuple[str, frozenset[Role]]:
    """The common name and the roles; no roles for a certificate that is not a client's."""
    certificate = x509.load_pem_x509_certificate(pem)
    names = [str(name.value) for name in certificate.subject]
    organisations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    roles = {Role(str(o.value)) for o in organisations if str(o.value) in set(Role)}
    return "/".join(names), frozenset(roles if _for_clients(certificate) else ())


def _for_clients(certificate: x509.Certificate) -> bool:
    """Whether its extended key usage is exactly client authentication (Talos 1.14, "Roles")."""
    try:
        usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    except x509.ExtensionNotFound:
        return False
    return isinstance(usage, x509.ExtendedKeyUsage) and list(usage) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
