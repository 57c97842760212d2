"""Roles: how a caller gets them, and which methods they allow.

The roles, their methods and the messages are those of Talos 1.14 ("Roles"). In addition, callers
without ``os:admin`` cannot read sensitive types, nor types unknown to this server.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from grpc.aio import ServicerContext

from cosi.errors import AccessDenied

NOT_AUTHORIZED: Final = "not authorized"
READ_ONLY: Final = "write access is not allowed"


class Role(StrEnum):
    """A role, given as an organisation in a client certificate."""

    ADMIN = "os:admin"
    OPERATOR = "os:operator"
    READER = "os:reader"


ADMINS: Final = frozenset({Role.ADMIN})
OPERATORS: Final = ADMINS | {Role.OPERATOR}
READERS: Final = OPERATORS | {Role.READER}


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller; ``anonymous`` if it has no certificate because the listener asks for none."""

    name: str
    roles: frozenset[Role]
    anonymous: bool = False
    refusal: str = ""
    """Why it has no roles, if the caller should get a reason."""

    @property
    def admin(self) -> bool:
        """Whether it may call every method and read every namespace (Talos 1.14, "Roles")."""
        return Role.ADMIN in self.roles

    def check(self, allowed: frozenset[Role]) -> None:
        """Raise :class:`AccessDenied` unless one of the caller's roles is among ``allowed``."""
        if not self.roles & allowed:
            refusal = self.refusal or (READ_ONLY if self.anonymous else NOT_AUTHORIZED)
            raise AccessDenied(refusal)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(sorted(self.roles)) or 'no role'})"


def local_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """A caller on the Unix socket: an administrator, because only admitted users can connect."""
    return Caller("local", ADMINS)


def anonymous_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """A caller on a listener without a client CA: it may read."""
    return Caller("anonymous", frozenset({Role.READER}), anonymous=True)
