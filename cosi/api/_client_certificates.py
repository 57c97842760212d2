"""Callers with a client certificate (mTLS). Apart because this imports ``cryptography``."""

from __future__ import annotations

from functools import lru_cache

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from grpc.aio import ServicerContext

from cosi.api._strength import first_weakness
from cosi.api.roles import Caller, Role


def certified_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """The holder of the client certificate, which the TLS layer has verified against the CA.

    If the certificate, or an intermediate one, is weak, the caller has no roles, and ``refusal``
    has the reason.
    """
    shown = context.auth_context()
    certificates = list(shown.get("x509_pem_cert", ()))
    if not certificates:
        return Caller("a caller without a certificate", frozenset())
    return _caller(certificates[0], b"".join(shown.get("x509_pem_cert_chain", ())))


@lru_cache(maxsize=1024)
def _caller(pem: bytes, chain: bytes) -> Caller:
    """The caller with common name and roles; without roles if it is not a client certificate."""
    certificate = x509.load_pem_x509_certificate(pem)
    between = x509.load_pem_x509_certificates(chain) if chain else []
    name = "/".join(str(part.value) for part in certificate.subject)
    if problem := first_weakness([certificate, *between]):
        refusal = (
            f"the client certificate, or one that it depends on, is too weak: it has {problem}"
        )
        return Caller(name, frozenset(), refusal=refusal)
    organisations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    roles = {Role(str(o.value)) for o in organisations if str(o.value) in set(Role)}
    return Caller(name, frozenset(roles if _for_clients(certificate) else ()))


def _for_clients(certificate: x509.Certificate) -> bool:
    """Whether its extended key usage is exactly client authentication (Talos 1.14, "Roles")."""
    try:
        usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    except x509.ExtensionNotFound:
        return False
    return isinstance(usage, x509.ExtendedKeyUsage) and list(usage) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
