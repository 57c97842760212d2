"""The six primitive operations of a state, which a store implements (COSI: ``CoreState``).

Its methods are async because some states really wait (gRPC, a database); the in-memory one never
does.
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
    """What a store implements; :class:`~cosi.State` builds everything else on it."""

    # -- the six primitives -------------------------------------------------------------------

    @abstractmethod
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        """Return the resource; raises :class:`~cosi.errors.NotFound`."""

    @abstractmethod
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        """Return all that match, sorted by id; an unknown kind is an empty one."""

    @abstractmethod
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        """Store a new resource and return it as stored: version 1, ``owner`` set.

        Raises :class:`~cosi.errors.AlreadyExists`; :class:`~cosi.errors.OwnerConflict` if the
        resource names another owner already; :class:`~cosi.errors.InvalidResource` if its address
        holds a control character.
        """

    @abstractmethod
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        """Replace what is stored, if it is still the version that ``resource`` was made from.

        ``expected_phase=None`` accepts any. Checked in this order: exists, owner, version (and
        uid), phase. Raises :class:`~cosi.errors.NotFound`, :class:`~cosi.errors.OwnerConflict`,
        :class:`~cosi.errors.VersionConflict`, :class:`~cosi.errors.PhaseConflict`; the last one
        also if what is being torn down should run again.
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
        tombstone) unless ``start`` says otherwise. Raises :class:`~cosi.errors.Unsupported`, here
        or when the watch is entered, for an ``id`` together with ``where``, and for a ``start``
        whose parts exclude each other.
        """

    # -- what an in-process state can do better -----------------------------------------------

    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        """Call ``notify`` synchronously at every change of ``kind``; return how to stop that.

        ``None`` means that this state cannot (it is remote): watch instead. ``notify`` must not
        raise, wait, or touch the state. It is how controllers in the same process are woken:
        no task, no stream and no copy in between.
        """
        return None

    async def find(self, kind: KindLike[S], id: str) -> Resource[S] | None:
        """Return the resource, or ``None``."""
        try:
            return await self.get(kind, id)
        except NotFound:
            return None
