"""Who may call what: roles, how a caller gets them, and what each of them is refused.

The roles, their methods and the texts are those of Talos 1.14 ("Roles"). Beyond them: a caller
without ``os:admin`` sees no sensitive type, and none of which nobody here knows whether it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from grpc.aio import ServicerContext

from cosi.errors import AccessDenied

NOT_AUTHORIZED: Final = "not authorized"
READ_ONLY: Final = "write access is not allowed"


class Role(StrEnum):
    """What an organisation in a client certificate means."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"


ADMINS: Final = frozenset({Role.ADMIN})
OPERATORS: Final = ADMINS | {Role.OPERATOR}
READERS: Final = OPERATORS | {Role.READER}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls; ``anonymous`` is one without a certificate on a listener that asks for none."""

    name: str
    roles: frozenset[Role]
    anonymous: bool = False

    @property
    def admin(self) -> bool:
        return Role.ADMIN in self.roles

    def check(self, allowed: frozenset[Role]) -> None:
        """Raise :class:`AccessDenied` unless one of the caller's roles is among ``allowed``."""
        if not self.roles & allowed:
            raise AccessDenied(READ_ONLY if self.anonymous else NOT_AUTHORIZED)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(sorted(self.roles)) or 'no role'})"


def local_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """Whoever came through the Unix socket; the gate has let in none but those who own it."""
    return Caller("local", ADMINS)


def anonymous_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """Anyone, on a listener without a client CA: may read."""
    return Caller("somebody", frozenset({Role.READER}), anonymous=True)


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
