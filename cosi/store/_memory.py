"""The in-memory state, optionally on top of a durable store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import anyio
from typing_extensions import override

from cosi._aio.shielded import finish
from cosi.resource._envelope import Kind, KindLike, Resource, S, check_name, kind_of
from cosi.resource._payload import AnySpec
from cosi.resource._phase import Phase
from cosi.resource._pointer import Pointer
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Event, Start, Watch
from cosi.store._backing import BackingStore
from cosi.store._collection import Collection, KindStatistics
from cosi.store._history import HistorySize
from cosi.store._watching import MemoryWatch

_now = partial(datetime.now, UTC)


class InMemoryState(State):
    """Resources of all namespaces in the memory of this process.

    One event loop owns it: its operations are synchronous inside, so they do not interleave, and
    without a ``store`` none of them ever waits. The cost of a write does not depend on the number
    of watchers. Readers get the stored objects themselves; nothing is copied.

    ``history``
        How many events each kind keeps; see :class:`~cosi.state.HistorySize`.
    ``store``
        Keeps the contents beyond the end of the process; a change is published after it is stored.
        History and bookmarks are not kept.
    ``now``
        The clock for ``created`` and ``updated``.
    """

    def __init__(
        self,
        *,
        history: HistorySize | None = None,
        store: BackingStore | None = None,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._history = history or HistorySize()
        self._now = now
        self._store = store
        self._unloaded = store  # until its contents are loaded
        self._load_lock = anyio.Lock()
        self._collections: dict[tuple[str, str], Collection] = {}
        self._by_kind: dict[Any, Collection] = {}
        self._writing: dict[Pointer, anyio.Lock] = {}

    @property
    def kinds(self) -> tuple[Kind[AnySpec], ...]:
        """The namespaces and types that there is, or was, something of, sorted."""
        return tuple(Kind(*where, AnySpec) for where in sorted(self._collections))

    # -- reading ------------------------------------------------------------------------------

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        return self._known(kind).get(id)

    @override
    async def find(self, kind: KindLike[S], id: str) -> Resource[S] | None:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        return self._known(kind).find(id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        return self._known(kind).list(where)

    # -- writing ------------------------------------------------------------------------------

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        metadata = resource.metadata
        check_name(metadata)
        collection = self._open(metadata.namespace, metadata.type)
        if self._store is None:
            stored = collection.created(resource, owner)
            collection.put(stored)
            return stored
        async with self._exclusively(resource.pointer):
            stored = collection.created(resource, owner)
            await finish(self._store.put(stored), partial(collection.put, stored))
            return stored

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        metadata = resource.metadata
        collection = self._holding(metadata.namespace, metadata.type)
        if self._store is None:
            stored = collection.updated(resource, owner, expected_phase)
            collection.put(stored)
            return stored
        async with self._exclusively(resource.pointer):
            stored = collection.updated(resource, owner, expected_phase)
            await finish(self._store.put(stored), partial(collection.put, stored))
            return stored

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        if self._unloaded is not None:
            await self._load(self._unloaded)
        collection = self._known(kind)
        if self._store is None:
            collection.destroyable(id, owner)
            collection.remove(id)
            return
        pointer = collection.kind.pointer(id)
        async with self._exclusively(pointer):
            collection.destroyable(id, owner)
            await finish(self._store.destroy(pointer), partial(collection.remove, id))

    # -- following ----------------------------------------------------------------------------

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        return MemoryWatch(self, kind, id, where, start)

    @override
    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        return self._collection(kind).publisher.subscribe(notify)

    def statistics(self) -> dict[str, KindStatistics]:
        """Statistics by kind (``Type(namespace)``)."""
        return {str(c.kind): c.statistics() for c in self._collections.values()}

    # -- for watches --------------------------------------------------------------------------

    async def acquire(self, kind: KindLike[Any]) -> Collection:
        """See :class:`~cosi.store._watching.CollectionOwner`."""
        if self._unloaded is not None:
            await self._load(self._unloaded)
        return self._collection(kind)

    def release(self, collection: Collection) -> None:
        """See :class:`~cosi.store._watching.CollectionOwner`."""
        if not collection.unused:
            return
        # Remote clients may watch kinds that do not exist: empty collections must not pile up.
        del self._collections[collection.kind.namespace, collection.kind.type]
        self._by_kind = {k: c for k, c in self._by_kind.items() if c is not collection}

    # -- inside -------------------------------------------------------------------------------

    def _known(self, kind: KindLike[Any]) -> Collection:
        """The collection of ``kind``, or a temporary empty one: reading must not use memory."""
        collection = self._by_kind.get(kind)
        if collection is None:
            where: Kind[Any] = kind_of(kind)
            collection = self._holding(where.namespace, where.type)
            if collection is self._collections.get((where.namespace, where.type)):
                self._by_kind[kind] = collection
        return collection

    def _holding(self, namespace: str, type: str) -> Collection:
        collection = self._collections.get((namespace, type))
        if collection is None:
            return Collection(Kind(namespace, type, AnySpec), self._history, self._now)
        return collection

    def _collection(self, kind: KindLike[Any]) -> Collection:
        collection = self._by_kind.get(kind)
        if collection is None:
            where: Kind[Any] = kind_of(kind)
            collection = self._by_kind[kind] = self._open(where.namespace, where.type)
        return collection

    def _open(self, namespace: str, type: str) -> Collection:
        collection = self._collections.get((namespace, type))
        if collection is None:
            kind = Kind(namespace, type, AnySpec)
            collection = Collection(kind, self._history, self._now)
            self._collections[namespace, type] = collection
        return collection

    async def _load(self, store: BackingStore) -> None:
        """Load the contents of the store once, all or nothing."""
        async with self._load_lock:
            if self._unloaded is None:
                return
            for resource in tuple(await store.load()):
                self._open(resource.namespace, resource.type).put(resource)
            self._unloaded = None

    @asynccontextmanager
    async def _exclusively(self, pointer: Pointer) -> AsyncGenerator[None, None]:
        """Lock this address against other writers; the body is shielded from cancellation.

        So checks stay true while the store works (versions are compared exactly), and a cancelled
        caller leaves either the whole change or none of it.
        """
        lock = self._writing.setdefault(pointer, anyio.Lock())
        try:
            async with lock:
                with anyio.CancelScope(shield=True):
                    yield
        finally:
            if not lock.locked() and not lock.statistics().tasks_waiting:
                self._writing.pop(pointer, None)
