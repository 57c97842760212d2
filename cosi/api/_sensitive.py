"""Checks which types a caller without ``os:admin`` may read (Talos 1.14, "Roles")."""

from __future__ import annotations

from typing import cast

from cosi.api.roles import NOT_AUTHORIZED, Caller
from cosi.errors import AccessDenied
from cosi.resource._payload import AnySpec, Spec
from cosi.resource._types import TypeRegistry
from cosi.state._meta import Namespace, ResourceDefinition
from cosi.state._state import State


class Visibility:
    """Only administrators may read sensitive types, and types unknown to this server.

    A type is known if it has a payload class here, or a definition in the state (COSI: meta
    resources).
    """

    def __init__(self, state: State, types: TypeRegistry) -> None:
        self._state = state
        self._types = types

    async def check(self, caller: Caller, namespace: str, type: str) -> None:
        """Raise :class:`AccessDenied` unless ``caller`` may read this kind."""
        if caller.admin:
            return
        sensitive = await self._sensitive(type)
        if sensitive is None:
            raise AccessDenied(f'resource type "{type}" is not supported')
        if not await self._is_namespace(namespace):
            raise AccessDenied(f'namespace "{namespace}" is not supported')
        if sensitive:
            raise AccessDenied(NOT_AUTHORIZED)

    async def _sensitive(self, type: str) -> bool | None:
        """Whether ``type`` is sensitive; ``None`` if it is unknown."""
        payload = self._types.find(type)
        if payload is not None:
            return payload.__cosi__.sensitive
        definition = await self._state.find(ResourceDefinition, type.lower())
        if definition is None:
            return None
        # An embedding system may have stored the definition undecoded.
        spec = cast("Spec | AnySpec", definition.spec)
        return not isinstance(spec, ResourceDefinition) or bool(spec.sensitivity)

    async def _is_namespace(self, namespace: str) -> bool:
        if any(payload.__cosi__.default_namespace == namespace for payload in self._types):
            return True
        return await self._state.find(Namespace, namespace) is not None
