"""Where the in-memory state keeps its contents when the process is gone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer


class BackingStore(Protocol):
    """Durable contents under an :class:`~cosi.InMemoryState`.

    *Flow.* ``load`` is called once, before the first operation; if it fails, that operation raises
    what it raised, nothing is taken over, and the next operation tries again. ``put`` and
    ``destroy`` are called before a change is visible to anybody.

    *Guarantees.* At most one ``put`` or ``destroy`` of an address is under way at a time; those of
    different addresses may overlap, so an implementation can commit them as a group. They are not
    cancelled half-way.

    *Errors.* What ``put`` or ``destroy`` raises reaches the caller, and nothing has changed.
    Metadata is to be kept whole, ``uid`` included.
    """

    async def load(self) -> Iterable[Resource[Any]]:
        """Everything that was put and not destroyed, in any order."""
        ...

    async def put(self, resource: Resource[Any]) -> None:
        """Keep ``resource`` in place of whatever has its address."""
        ...

    async def destroy(self, pointer: Pointer) -> None:
        """Forget the resource at this address."""
        ...
