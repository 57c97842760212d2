"""Who may call what: roles, how a caller gets them, and what each of them is refused.

The roles, their methods and the texts are those of Talos 1.14 ("Roles"). Beyond them: a caller
without ``os:admin`` sees no sensitive type, and none of which nobody here knows whether it is.
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
    refusal: str = ""
    """Why it has no roles, where there is a reason that it should hear."""

    @property
    def admin(self) -> bool:
        """Whether it may do everything, and see every namespace (Talos 1.14, "Roles")."""
        return Role.ADMIN in self.roles

    def check(self, allowed: frozenset[Role]) -> None:
        """Raise :class:`AccessDenied` unless one of the caller's roles is among ``allowed``."""
        if not self.roles & allowed:
            refusal = self.refusal or (READ_ONLY if self.anonymous else NOT_AUTHORIZED)
            raise AccessDenied(refusal)

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(sorted(self.roles)) or 'no role'})"


def local_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """Whoever came through the Unix socket; the gate has let in none but those who own it."""
    return Caller("local", ADMINS)


def anonymous_caller(context: ServicerContext[bytes, bytes]) -> Caller:
    """Anyone, on a listener without a client CA: may read."""
    return Caller("somebody", frozenset({Role.READER}), anonymous=True)
