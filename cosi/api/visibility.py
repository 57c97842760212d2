"""What a caller who is no administrator may see of the state (Talos 1.14, "Roles")."""

from __future__ import annotations

from cosi.api.access import NOT_AUTHORIZED, Caller
from cosi.api.codec import PayloadOf
from cosi.errors import AccessDenied
from cosi.resource import Spec
from cosi.state import State


class Visibility:
    """Sensitive types are for administrators; so is every type of which nothing is known."""

    def __init__(self, state: State, payload_of: PayloadOf) -> None:
        self._state = state
        self._payload_of = payload_of

    async def check(self, caller: Caller, namespace: str, type: str) -> None:
        """Raise :class:`AccessDenied` unless ``caller`` may read this kind."""
        if caller.admin:
            return
        payload = self._payload_of(type)
        if not issubclass(payload, Spec):
            raise AccessDenied(f'resource type "{type}" is not supported')
        if payload.__cosi__.sensitive:
            raise AccessDenied(NOT_AUTHORIZED)
