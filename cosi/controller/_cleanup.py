"""The cleanup controller: keeps resources until their dependents are gone, or removes those.

::

    runtime.register(
        cleanup(
            Machine,
            without(Lease, of=leases_of),               # wait until no lease is left
            removing(Disk, of=disks_of, owners=("Disks",)),  # and then remove the disks
            name="MachineCleanup",
        )
    )

When a guarded resource is torn down, the handlers are asked in order; when all are content, the
finalizer is removed. COSI: *cleanup*, with *HasNoOutputs*, *RemoveOutputs* and *Combine*.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from cosi.controller._declarations import Mapped, Output, StrongInput
from cosi.controller._qcontroller import QController
from cosi.controller._requeue import Requeue, Skip
from cosi.errors import FinalizerConflict, NotFound, RegistrationError
from cosi.resource._envelope import Kind, KindLike, Resource, S, kind_of
from cosi.state._query import Query
from cosi.state._state import State

Of = Callable[[Resource[Any]], Query]
"""Maps a guarded resource to the query that finds its dependents."""


class Handler(ABC):
    """One condition for releasing a guarded resource."""

    writes = False

    def __init__(self, kind: Kind[Any], of: Of) -> None:
        self.kind = kind
        self.of = of

    async def content(self, state: State, guarded: Resource[Any]) -> bool:
        """Whether this handler lets ``guarded`` go; it also does its part of the cleanup."""
        belonging = await state.list(self.kind, self.of(guarded))
        return all([await self.settled(state, resource) for resource in belonging])

    @abstractmethod
    async def settled(self, state: State, resource: Resource[Any]) -> bool:
        """Whether ``resource`` no longer keeps its guarded resource from going."""


class _Without(Handler):
    async def settled(self, state: State, resource: Resource[Any]) -> bool:
        return False


class _Removing(Handler):
    writes = True

    def __init__(self, kind: Kind[Any], of: Of, owners: tuple[str, ...]) -> None:
        super().__init__(kind, of)
        self.owners = frozenset({"", *owners})

    async def settled(self, state: State, resource: Resource[Any]) -> bool:
        owner = resource.owner
        if owner not in self.owners:
            return True  # another owner removes it, or keeps it
        try:
            if await state.teardown(self.kind, resource.id, owner=owner):
                await state.destroy(self.kind, resource.id, owner=owner)
                return True
        except NotFound:
            return True
        except FinalizerConflict:
            pass  # a finalizer was added between the two calls; its release wakes us
        return False


def without(kind: KindLike[S], *, of: Of) -> Handler:
    """A handler that is content once no resource of ``kind`` matches."""
    return _Without(kind_of(kind), of)


def removing(kind: KindLike[S], *, of: Of, owners: tuple[str, ...] = ()) -> Handler:
    """A handler that removes matching resources, and is content once they are gone.

    It removes those that are unowned or owned by one of ``owners``; it neither touches nor waits
    for those of other owners.
    """
    return _Removing(kind_of(kind), of, owners)


class Cleanup(QController[Any]):
    """Guards its primaries with its finalizer until every handler is content."""

    handlers: ClassVar[tuple[Handler, ...]] = ()

    def __init__(self) -> None:
        self._leaving: dict[str, None] = {}

    def leaving(self, changed: Resource[Any]) -> tuple[str, ...]:
        """The ids of the guarded resources that wait for a change."""
        return tuple(self._leaving)

    async def reconcile(self, resource: Resource[Any], /) -> Requeue | None:
        """Nothing to do: the framework has placed the finalizer."""
        self._leaving.pop(resource.id, None)
        return None

    async def finalize(self, resource: Resource[Any], /) -> Requeue | None:
        """Ask the handlers in order, up to the first that is not content.

        Raises :class:`~cosi.Skip` for that one: a change of its kind causes the next pass.
        """
        # Noted before the handlers look, so that a change meanwhile is not missed.
        self._leaving[resource.id] = None
        for handler in self.handlers:
            if not await handler.content(self._side.state, resource):
                raise Skip(f"{resource.pointer} is waited for by {handler.kind}")
        del self._leaving[resource.id]
        return None


def cleanup(guarded: KindLike[S], *handlers: Handler, name: str) -> Cleanup:
    """A controller that holds every ``guarded`` resource until the handlers are content.

    Raises :class:`~cosi.errors.RegistrationError` without handlers, or without a name: the name is
    the finalizer, and two controllers of one name would remove each other's.
    """
    if not handlers or not name:
        raise RegistrationError("cleanup needs a name, and something to clean up")
    declared: dict[str, Any] = {"name": name, "handlers": handlers}
    declared["primary"] = StrongInput(guarded)
    for kind in dict.fromkeys(handler.kind for handler in handlers):
        number = len(declared)
        declared[f"input{number}"] = Mapped(kind, by=Cleanup.leaving)
        if any(handler.writes for handler in handlers if handler.kind == kind):
            declared[f"output{number}"] = Output(kind, shared=True)
    made: type[Cleanup] = type(name, (Cleanup,), declared)
    return made()
