"""The protocol of a durable store below the in-memory state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer


class BackingStore(Protocol):
    """Durable contents under an :class:`~cosi.InMemoryState`.

    *Flow.* ``load`` is called once, before the first operation. If it fails, that operation raises
    its exception, nothing is loaded, and the next operation tries again. ``put`` and ``destroy``
    are called before a change is visible to any reader.

    *Guarantees.* At most one ``put`` or ``destroy`` of an address runs at a time; those of
    different addresses may overlap, so an implementation can commit them as a group. They are not
    cancelled half-way.

    *Errors.* If ``put`` or ``destroy`` raises, the caller gets the exception and nothing has
    changed. The store must keep all of the metadata, ``uid`` included.
    """

    async def load(self) -> Iterable[Resource[Any]]:
        """Return all resources that were put and not destroyed, in any order."""
        ...

    async def put(self, resource: Resource[Any]) -> None:
        """Store ``resource``, replacing the one at its address."""
        ...

    async def destroy(self, pointer: Pointer) -> None:
        """Remove the resource at this address."""
        ...
