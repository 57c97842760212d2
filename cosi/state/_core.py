"""The six primitive operations of a state, which a store implements (COSI: ``CoreState``).

The methods are async because some states wait for others (gRPC, a database); the in-memory one
never waits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from cosi.errors import NotFound
from cosi.resource._envelope import Kind, KindLike, Resource, S
from cosi.resource._phase import Phase
from cosi.state._query import EVERYTHING, Query
from cosi.state._watch import NOW, Event, Start, Watch


class CoreState(ABC):
    """The interface that a store implements; :class:`~cosi.State` builds everything else on it."""

    # -- the six primitives -------------------------------------------------------------------

    @abstractmethod
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        """Return the resource; raises :class:`~cosi.errors.NotFound`."""

    @abstractmethod
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        """Return all matching resources, sorted by id; an unknown kind has none."""

    @abstractmethod
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        """Store a new resource and return it as stored: version 1, ``owner`` set.

        Raises :class:`~cosi.errors.AlreadyExists`; :class:`~cosi.errors.OwnerConflict` if the
        resource names another owner already; :class:`~cosi.errors.InvalidResource` if its address
        has a control character.
        """

    @abstractmethod
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        """Replace the stored resource if it still has the version that ``resource`` was made from.

        ``expected_phase=None`` accepts any phase. The checks run in this order: existence, owner,
        version (and uid), phase. Raises :class:`~cosi.errors.NotFound`,
        :class:`~cosi.errors.OwnerConflict`, :class:`~cosi.errors.VersionConflict`,
        :class:`~cosi.errors.PhaseConflict`; the last one also if the update would bring a resource
        that is being torn down back to running.
        """

    @abstractmethod
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        """Remove the resource at once.

        Raises :class:`~cosi.errors.NotFound`, :class:`~cosi.errors.OwnerConflict`,
        :class:`~cosi.errors.FinalizerConflict`.
        """

    @abstractmethod
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        """Follow one resource (``id``) or a kind; see :class:`~cosi.state.Watch`.

        Watching one id begins with its current state (``CREATED``, or ``DESTROYED`` with a
        tombstone) unless ``start`` asks for another position. Raises
        :class:`~cosi.errors.Unsupported`, here or when the watch is entered, for an ``id`` together
        with ``where``, and for a ``start`` whose parts exclude each other.
        """

    # -- faster ways of in-process states -----------------------------------------------------

    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        """Call ``notify`` synchronously at every change of ``kind``; return a function to stop it.

        ``None`` means that this state cannot do it (it is remote): watch instead. ``notify`` must
        not raise, wait, or access the state. It wakes controllers in the same process without a
        task, a stream or a copy in between.
        """
        return None

    async def find(self, kind: KindLike[S], id: str) -> Resource[S] | None:
        """Return the resource, or ``None``."""
        try:
            return await self.get(kind, id)
        except NotFound:
            return None
