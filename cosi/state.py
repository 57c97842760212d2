"""The state: where resources live, and every way to read, change and follow them.

``State`` has six primitive operations, which a store implements, and everything else built from
them (COSI: ``CoreState`` and ``WrapCore``). Its methods are async because some states really wait
(gRPC, a database); the in-memory one never does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from cosi.metadata import Phase
from cosi.query import EVERYTHING, Query
from cosi.resource import Kind, KindLike, Resource, S
from cosi.watch import NOW, Event, Start, Watch

Subscriber = Callable[["tuple[Event[S], ...]"], None]


class State(ABC):
    """Resources, addressed by kind and id."""

    # -- the six primitives -------------------------------------------------------------------

    @abstractmethod
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        """Return the resource; raises :class:`~cosi.errors.NotFound`."""

    @abstractmethod
    async def list(
        self, kind: KindLike[S], where: Query = EVERYTHING
    ) -> tuple[Resource[S], ...]:
        """Return all that match, sorted by id; an unknown kind is an empty one."""

    @abstractmethod
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        """Store a new resource and return it as stored: version 1, ``owner`` set.

        Raises :class:`~cosi.errors.AlreadyExists`; :class:`~cosi.errors.OwnerConflict` if the
        resource names another owner already.
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
        :class:`~cosi.errors.VersionConflict`, :class:`~cosi.errors.PhaseConflict`.
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
        """Follow one resource (``id``) or a kind; see :class:`~cosi.watch.Watch`.

        Watching one id begins with its current state (``CREATED``, or ``DESTROYED`` with a
        tombstone) unless ``start`` says otherwise.
        """

    # -- what an in-process state can do better -----------------------------------------------

    def subscribe(self, kind: Kind[S], notify: Callable[[Event[S]], None]) -> Callable[[], None] | None:
        """Call ``notify`` synchronously at every change of ``kind``; return how to stop that.

        ``None`` means that this state cannot (it is remote): watch instead. ``notify`` must not
        raise, wait, or touch the state. It is how controllers in the same process are woken:
        no task, no stream and no copy in between.
        """
        return None
