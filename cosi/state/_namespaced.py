"""A state that is composed of other states, one for each namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from typing_extensions import override

from cosi.resource._envelope import Kind, KindLike, Resource, S, kind_of
from cosi.resource._phase import Phase
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Event, Start, Watch


class NamespacedState(State):
    """Sends each operation to the state of its namespace, which ``build`` makes at first use.

    So namespaces may live in different places: one in memory, one in a database. ``build`` raises
    (for example :class:`~cosi.errors.Unsupported`) for a namespace that it does not know; it is
    then called again at the next use.
    """

    def __init__(self, build: Callable[[str], State]) -> None:
        self._build = build
        self._states: dict[str, State] = {}

    def of(self, namespace: str) -> State:
        """The state of one namespace; raises the errors of ``build``."""
        state = self._states.get(namespace)
        if state is None:
            state = self._states[namespace] = self._build(namespace)
        return state

    def _holding(self, kind: KindLike[Any]) -> State:
        return self.of(kind_of(kind).namespace)

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        return await self._holding(kind).get(kind, id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        return await self._holding(kind).list(kind, where)

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        return await self.of(resource.namespace).create(resource, owner=owner)

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        state = self.of(resource.namespace)
        return await state.update(resource, owner=owner, expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        await self._holding(kind).destroy(kind, id, owner=owner)

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        return self._holding(kind).watch(kind, id, where=where, start=start)

    @override
    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        return self._holding(kind).subscribe(kind, notify)
