"""All resources of one kind, synchronously: contents, checks, history, and who is told.

Nothing here waits, so nothing interleaves (one event loop owns a store) and there is no lock. A
write is two steps, so that a backing store fits in between: ``created``, ``updated`` and
``destroyable`` check and say what would be stored; ``put`` and ``remove`` make it so and publish.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cosi._aio.waker import Waker, running_loop
from cosi.errors import (
    AlreadyExists,
    FinalizerConflict,
    NotFound,
    OwnerConflict,
    PhaseConflict,
    VersionConflict,
)
from cosi.resource._envelope import Kind, Resource
from cosi.resource._metadata import MAX_VERSION, Metadata, format_version
from cosi.resource._phase import Phase
from cosi.state._query import EVERYTHING, Query
from cosi.state._watch import Event, EventType
from cosi.store._history import History, HistorySize
from cosi.store._label_index import LabelIndex
from cosi.store._view import Filtered, OneResource, View

# An attribute of an enumeration is looked up slowly (Python 3.11), and every write asks for these.
_RUNNING: Final = Phase.RUNNING
_TEARING_DOWN: Final = Phase.TEARING_DOWN
_CREATED: Final = EventType.CREATED
_UPDATED: Final = EventType.UPDATED
_log: Final = logging.getLogger(__name__)
_metadata: Final = Metadata.of
_epoch: Final = int.from_bytes(os.urandom(8), "big") << 64
_incarnations: Final = itertools.count(1)

Subscriber = Callable[[Event[Any]], None]


@dataclass(frozen=True, slots=True)
class KindStatistics:
    """How much of one kind is there, and who follows it."""

    resources: int
    events: int
    """How many there have been since the process started."""
    capacity: int
    """How many of them are remembered."""
    watches: int
    subscribers: int


class Collection:
    """The resources of one type in one namespace."""

    def __init__(self, kind: Kind[Any], size: HistorySize, now: Callable[[], datetime]) -> None:
        self.kind = kind
        self.history = History(kind, size)
        self._now = now
        self._items: dict[str, Resource[Any]] = {}
        self._ids: list[str] = []  # sorted
        self._snapshot: tuple[Resource[Any], ...] | None = ()
        self._labels: LabelIndex | None = None  # made by the first query that can use it
        self.impatient: dict[Waker, int] = {}  # who wants a bookmark, and from which position on
        self._subscribers: dict[object, Subscriber] = {}  # replaced, never changed
        self._everything = View(self.history, self.history)
        self._filtered: dict[Query, Filtered] = {}
        self._by_id: dict[str, OneResource] = {}
        self._touched: dict[OneResource, None] = {}
        self._flushing_on: asyncio.AbstractEventLoop | None = None

    # -- reading ------------------------------------------------------------------------------

    @property
    def unused(self) -> bool:
        """Whether nothing was ever here, and nobody waits for it."""
        return not (
            self.history.end
            or self._subscribers
            or self._everything.watches
            or self._filtered
            or self._by_id
        )

    def find(self, id: str) -> Resource[Any] | None:
        """The resource, or ``None``."""
        return self._items.get(id)

    def get(self, id: str) -> Resource[Any]:
        """The resource; raises :class:`~cosi.errors.NotFound` with COSI's text."""
        resource = self._items.get(id)
        if resource is None:
            pointer = self.kind.pointer(id)
            m = Metadata(pointer.namespace, pointer.type, id)  # whose version is undefined
            raise NotFound(f"resource {m} doesn't exist", pointer)
        return resource

    def list(self, where: Query = EVERYTHING) -> tuple[Resource[Any], ...]:
        """All that match, sorted by id; the tuple is shared until the next write."""
        if where.id is None and not where.labels:
            if self._snapshot is None:
                self._snapshot = tuple(map(self._items.__getitem__, self._ids))
            return self._snapshot
        if where.labels and where.id is None:
            if self._labels is None:
                self._labels = LabelIndex(self._items.values())
            if candidates := self._labels.candidates(where):
                ids, exact = candidates
                found = map(self._items.__getitem__, sorted(ids))
                if exact:
                    return tuple(found)
                return tuple(r for r in found if where.matches_labels(r.metadata.labels))
        return tuple(r for r in self.list() if where.matches(r))

    # -- checking -----------------------------------------------------------------------------

    def created(self, resource: Resource[Any], owner: str) -> Resource[Any]:
        """The resource as it would be stored.

        Raises what forbids creating it: :class:`~cosi.errors.OwnerConflict`,
        :class:`~cosi.errors.AlreadyExists`.
        """
        m = resource.metadata
        if m.owner and m.owner != owner:
            raise OwnerConflict(f'owner is already set to "{m.owner}"', resource.pointer)
        if m.id in self._items:
            raise AlreadyExists(f"resource {m} already exists", resource.pointer)
        now = self._now()
        return Resource(
            _metadata(
                m.namespace, m.type, m.id, 1, owner, m.phase, now, now,
                m.labels, m.annotations, m.finalizers, _epoch | next(_incarnations),
            ),
            resource.spec,
        )  # fmt: skip

    def updated(
        self, resource: Resource[Any], owner: str, expected_phase: Phase | None
    ) -> Resource[Any]:
        """The next version as it would be stored.

        The address, owner, creation time and uid of the stored resource stay. Raises what forbids
        it: :class:`~cosi.errors.NotFound`, :class:`~cosi.errors.OwnerConflict`,
        :class:`~cosi.errors.VersionConflict`, :class:`~cosi.errors.PhaseConflict`.
        """
        m = resource.metadata
        stored = self._items.get(m.id)
        if stored is None:
            raise NotFound(f"resource {m} doesn't exist", resource.pointer)
        was = stored.metadata
        if was.owner != owner:
            raise _owned(stored)
        if m.owner and m.owner != owner:
            raise OwnerConflict(
                f'resource {was} is owned by "{was.owner}"; it cannot be given to "{m.owner}"',
                stored.pointer,
            )
        if was.version != m.version:
            raise _stale(stored, m)
        if was.uid != m.uid and m.uid is not None and was.uid is not None:
            raise _reborn(stored, m)
        if expected_phase is not None and was.phase is not expected_phase:
            raise PhaseConflict(f"resource {was} is not in phase {expected_phase}", stored.pointer)
        if was.phase is _TEARING_DOWN and m.phase is _RUNNING:
            raise PhaseConflict(
                f"resource {was} is being torn down and cannot run again", stored.pointer
            )
        version = 1 if was.version is None else (was.version + 1) & MAX_VERSION
        return Resource(
            _metadata(
                was.namespace, was.type, was.id, version, was.owner, m.phase, was.created,
                self._now(), m.labels, m.annotations, m.finalizers, was.uid,
            ),
            resource.spec,
        )  # fmt: skip

    def destroyable(self, id: str, owner: str) -> Resource[Any]:
        """The stored resource.

        Raises what forbids destroying it: :class:`~cosi.errors.NotFound`,
        :class:`~cosi.errors.OwnerConflict`, :class:`~cosi.errors.FinalizerConflict`.
        """
        stored = self.get(id)
        if stored.metadata.owner != owner:
            raise _owned(stored)
        if stored.metadata.finalizers:
            names = " ".join(stored.metadata.finalizers)
            raise FinalizerConflict(
                f"resource {stored.metadata} has pending finalizers &[{names}]", stored.pointer
            )
        return stored

    # -- writing ------------------------------------------------------------------------------

    def put(self, resource: Resource[Any]) -> None:
        """Store what was checked, and publish it."""
        id = resource.metadata.id
        old = self._items.get(id)
        self._items[id] = resource
        self._snapshot = None
        if self._labels is not None:
            self._labels.replace(id, old, resource)
        if old is None:
            if self._ids and id < self._ids[-1]:
                insort(self._ids, id)
            else:  # in order, as numbers and times are: there is no place to look for
                self._ids.append(id)
            self._publish(self.history.record(_CREATED, resource))
        else:
            self._publish(self.history.record(_UPDATED, resource, old))

    def remove(self, id: str) -> None:
        """Forget what was checked, and publish that."""
        old = self._items.pop(id)
        self._snapshot = None
        del self._ids[bisect_left(self._ids, id)]
        if self._labels is not None:
            self._labels.replace(id, old, None)
        self._publish(self.history.record(EventType.DESTROYED, old))

    # -- telling ------------------------------------------------------------------------------

    def subscribe(self, notify: Subscriber) -> Callable[[], None]:
        """Call ``notify`` at every change; returns what ends that."""
        token = object()
        self._subscribers = {**self._subscribers, token: notify}

        def unsubscribe() -> None:
            self._subscribers = {t: n for t, n in self._subscribers.items() if t is not token}

        return unsubscribe

    def _publish(self, event: Event[Any]) -> None:
        for notify in self._subscribers.values():
            try:
                notify(event)
            except Exception:
                # The write is done: whoever cannot bear to hear of it must not undo half of it.
                _log.exception("a subscriber of %s failed on %s", self.kind, event.resource)
        view = self._by_id.get(event.resource.metadata.id)
        if view is not None:
            view.log.append(event, self.history.capacity)
            if view.parked:
                self._touched[view] = None
        if self._touched or self._filtered or self._everything.parked or self.impatient:
            self._schedule_flush()

    def _schedule_flush(self) -> None:
        """Wake watches once for each turn of the loop; a writer does not pay for their number."""
        loop = running_loop()
        if loop is None:
            self._flush()
        elif self._flushing_on is not loop:  # another one's flush died with that loop
            self._flushing_on = loop
            loop.call_soon(self._flush)
        for view in self._filtered.values():
            if view.behind >= self.history.capacity:  # the history is about to forget
                view.catch_up()

    def _flush(self) -> None:
        self._flushing_on = None
        touched, self._touched = self._touched, {}
        for view in touched:
            view.flush()
        self._everything.flush()
        for filtered in self._filtered.values():
            filtered.flush()
        for waker, due in self.impatient.items():
            if self.history.end >= due:
                waker.wake()

    def statistics(self) -> KindStatistics:
        """Counted at the moment of the call."""
        views = (self._everything, *self._filtered.values(), *self._by_id.values())
        return KindStatistics(
            resources=len(self._items),
            events=self.history.end,
            capacity=self.history.capacity,
            watches=sum(view.watches for view in views),
            subscribers=len(self._subscribers),
        )

    # -- views --------------------------------------------------------------------------------

    def open_view(self, id: str | None, where: Query) -> View:
        """The view that a watch reads; give it back with :meth:`close_view`."""
        view: View
        if id is not None:
            view = self._by_id.setdefault(id, OneResource(self.history, id))
        elif where == EVERYTHING:
            view = self._everything
        elif where in self._filtered:
            view = self._filtered[where]
            view.catch_up()
        else:
            view = self._filtered[where] = Filtered(self.history, where)
        view.watches += 1
        return view

    def close_view(self, view: View) -> None:
        """Give back what :meth:`open_view` gave; with its last watch a narrow view is forgotten."""
        view.watches -= 1
        if view.watches:
            return
        if isinstance(view, OneResource):
            del self._by_id[view.id]
            self._touched.pop(view, None)
        elif isinstance(view, Filtered):
            del self._filtered[view.query]


def _owned(stored: Resource[Any]) -> OwnerConflict:
    return OwnerConflict(
        f'resource {stored.metadata} is owned by "{stored.metadata.owner}"', stored.pointer
    )


def _stale(stored: Resource[Any], given: Metadata) -> VersionConflict:
    was = stored.metadata
    return VersionConflict(
        f"resource {was} update conflict: "
        f'expected version "{format_version(given.version)}", '
        f'actual version "{format_version(was.version)}"',
        stored.pointer,
    )


def _reborn(stored: Resource[Any], given: Metadata) -> VersionConflict:
    return VersionConflict(
        f"resource {stored.metadata} update conflict: it was destroyed and created again "
        f'since version "{format_version(given.version)}" was read',
        stored.pointer,
    )
