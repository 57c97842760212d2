"""All resources of one kind, synchronously: what is there, and what a write may make of it.

Nothing here waits, so nothing interleaves (one event loop owns a store) and there is no lock. A
write is two steps, so that a backing store fits in between: ``created``, ``updated`` and
``destroyable`` check and say what would be stored; ``put`` and ``remove`` make it so and publish.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

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
from cosi.state._watch import EventType
from cosi.store._history import History, HistorySize
from cosi.store._label_index import LabelIndex
from cosi.store._publisher import Publisher

# An attribute of an enumeration is looked up slowly (Python 3.11), and every write asks for these.
_RUNNING: Final = Phase.RUNNING
_TEARING_DOWN: Final = Phase.TEARING_DOWN
_CREATED: Final = EventType.CREATED
_UPDATED: Final = EventType.UPDATED
_metadata: Final = Metadata.of
_epoch: Final = int.from_bytes(os.urandom(8), "big") << 64
_incarnations: Final = itertools.count(1)


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
        self.publisher = Publisher(self.history)
        self._publish = self.publisher.publish  # every write comes here
        self._now = now
        self._items: dict[str, Resource[Any]] = {}
        self._ids: list[str] = []  # sorted
        self._snapshot: tuple[Resource[Any], ...] | None = ()
        self._labels: LabelIndex | None = None  # made by the first query that can use it

    @property
    def unused(self) -> bool:
        """Whether nothing was ever here, and no watch waits for it."""
        return not (self.history.end or self.publisher.followed)

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

    def statistics(self) -> KindStatistics:
        """Counted at the moment of the call."""
        return KindStatistics(
            resources=len(self._items),
            events=self.history.end,
            capacity=self.history.capacity,
            watches=self.publisher.watches,
            subscribers=self.publisher.subscribers,
        )


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
