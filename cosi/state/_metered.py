"""A state wrapper that counts operations."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager

from typing_extensions import override

from cosi.errors import Conflict, NotFound
from cosi.resource._envelope import Kind, KindLike, Resource, S
from cosi.resource._phase import Phase
from cosi.state._filtered import Verb
from cosi.state._metrics import Sample
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Event, Start, Watch
from cosi.state._wrapped import WrappedState


class MeteredState(WrappedState):
    """Counts primitive operations by verb and outcome; see :meth:`samples`.

    Teardown is passed to ``inner`` as a whole and counted as an update, so that a remote state can
    do it in one call (COSI's wrappers prevent that).
    """

    def __init__(self, inner: State) -> None:
        super().__init__(inner)
        self._counts: Counter[tuple[str, str]] = Counter()

    def count(self, verb: Verb, outcome: str = "ok") -> int:
        """How often ``verb`` ended with ``outcome``: ok, not_found, conflict or error."""
        return self._counts[verb.name.lower(), outcome]

    def samples(self) -> Iterable[Sample]:
        """``state_operations``, by ``verb`` and ``outcome``; see :mod:`cosi.state._metrics`."""
        for (verb, outcome), count in sorted(self._counts.items()):
            yield Sample(
                "state_operations",
                "counter",
                "Operations on the state.",
                count,
                {"verb": verb, "outcome": outcome},
            )

    @asynccontextmanager
    async def _counted(self, verb: Verb) -> AsyncGenerator[None, None]:
        outcome = "error"
        try:
            yield
            outcome = "ok"
        except NotFound:
            outcome = "not_found"
            raise
        except Conflict:
            outcome = "conflict"
            raise
        finally:
            self._counts[verb.name.lower(), outcome] += 1

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        async with self._counted(Verb.GET):
            return await super().get(kind, id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        async with self._counted(Verb.LIST):
            return await super().list(kind, where)

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        async with self._counted(Verb.CREATE):
            return await super().create(resource, owner=owner)

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        async with self._counted(Verb.UPDATE):
            return await super().update(resource, owner=owner, expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        async with self._counted(Verb.DESTROY):
            await super().destroy(kind, id, owner=owner)

    @override
    async def teardown(self, kind: KindLike[S], id: str, *, owner: str = "") -> bool:
        async with self._counted(Verb.UPDATE):
            return await self.inner.teardown(kind, id, owner=owner)

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        self._counts["watch", "ok"] += 1
        return super().watch(kind, id, where=where, start=start)

    @override
    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        self._counts["watch", "ok"] += 1
        return super().subscribe(kind, notify)
