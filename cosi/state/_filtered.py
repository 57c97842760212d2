"""Access rules: a state that checks a rule before each operation (COSI: ``state.Filter``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from typing_extensions import override

from cosi.resource._envelope import Kind, KindLike, Resource, S, kind_of
from cosi.resource._phase import Phase
from cosi.state._query import EVERYTHING, Query
from cosi.state._state import State
from cosi.state._watch import NOW, Event, Start, Watch
from cosi.state._wrapped import WrappedState


class Verb(IntEnum):
    """The operation that a caller requests; the numbers are COSI's."""

    GET = 0
    LIST = 1
    WATCH = 2
    CREATE = 3
    UPDATE = 4
    DESTROY = 5

    @property
    def read_only(self) -> bool:
        """Whether the operation changes nothing."""
        return self <= Verb.WATCH


@dataclass(frozen=True, slots=True)
class Access:
    """One requested operation; ``id`` is empty for a list and for the watch of a kind."""

    namespace: str
    type: str
    id: str
    verb: Verb


Rule = Callable[[Access], None]
"""Returns to allow; raises to refuse, usually :class:`~cosi.errors.AccessDenied`."""


class FilteredState(WrappedState):
    """Calls ``rule`` before every operation; if the rule raises, the operation is not done.

    A compound operation is checked step by step: ``teardown`` needs get and update, ``watch_for``
    needs watch. ``subscribe`` counts as a watch.
    """

    def __init__(self, inner: State, rule: Rule) -> None:
        super().__init__(inner)
        self._rule = rule

    def _ask(self, kind: KindLike[Any], verb: Verb, id: str = "") -> None:
        where = kind_of(kind)
        self._rule(Access(where.namespace, where.type, id, verb))

    @override
    async def get(self, kind: KindLike[S], id: str) -> Resource[S]:
        self._ask(kind, Verb.GET, id)
        return await super().get(kind, id)

    @override
    async def list(self, kind: KindLike[S], where: Query = EVERYTHING) -> tuple[Resource[S], ...]:
        self._ask(kind, Verb.LIST)
        return await super().list(kind, where)

    @override
    async def create(self, resource: Resource[S], *, owner: str = "") -> Resource[S]:
        self._rule(Access(resource.namespace, resource.type, resource.id, Verb.CREATE))
        return await super().create(resource, owner=owner)

    @override
    async def update(
        self,
        resource: Resource[S],
        *,
        owner: str = "",
        expected_phase: Phase | None = Phase.RUNNING,
    ) -> Resource[S]:
        self._rule(Access(resource.namespace, resource.type, resource.id, Verb.UPDATE))
        return await super().update(resource, owner=owner, expected_phase=expected_phase)

    @override
    async def destroy(self, kind: KindLike[S], id: str, *, owner: str = "") -> None:
        self._ask(kind, Verb.DESTROY, id)
        await super().destroy(kind, id, owner=owner)

    @override
    def watch(
        self,
        kind: KindLike[S],
        id: str | None = None,
        *,
        where: Query = EVERYTHING,
        start: Start = NOW,
    ) -> Watch[S]:
        self._ask(kind, Verb.WATCH, id or "")
        return super().watch(kind, id, where=where, start=start)

    @override
    def subscribe(
        self, kind: Kind[S], notify: Callable[[Event[S]], None]
    ) -> Callable[[], None] | None:
        self._ask(kind, Verb.WATCH)
        return super().subscribe(kind, notify)
