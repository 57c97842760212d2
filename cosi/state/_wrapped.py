"""Base class of state wrappers: delegates everything; a wrapper overrides what it changes."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from cosi.resource._envelope import Kind, KindLike, Resource, S
from cosi.resource._phase import Phase
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Event, Start, Watch


class WrappedState(State):
    """Delegates the primitives, ``subscribe`` included, to ``inner``.

    Compound operations are *not* delegated: they are built from the wrapper's own primitives, so
    that a wrapper which refuses or counts primitives sees all of them.
    """

    def __init__(self, inner: State) -> None:
        self.inner = inner

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        return await self.inner.get(kind, id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        return await self.inner.list(kind, where)

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        return await self.inner.create(resource, owner=owner)

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        return await self.inner.update(resource, owner=owner, expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        await self.inner.destroy(kind, id, owner=owner)

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        return self.inner.watch(kind, id, where=where, start=start)

    @override
    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        return self.inner.subscribe(kind, notify)
