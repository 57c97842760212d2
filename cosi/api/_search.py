"""Searches for the matches of a client's query, without blocking the event loop.

The state, which has an index, answers a query of a few terms. Other queries are matched here, piece
by piece and one at a time: other work runs in between, and the time of a query is counted and
bounded. So the cost of a query does not depend on the number of resources or of clients.

A watch is matched against every change while it is open, and that cannot be postponed. So the total
cost of all open watches is bounded, as is the cost of the contents with which a watch begins.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import anyio
import anyio.lowlevel

from cosi.api._id_patterns import pattern_steps
from cosi.errors import LimitExceeded
from cosi.resource._envelope import Kind, Resource
from cosi.state._query import EVERYTHING, LabelOp, Query
from cosi.state._state import State

PIECE_SECONDS: Final = 0.005
"""How long a piece of a search may delay other work."""
LIST_SECONDS: Final = 2.0
"""CPU time for one ``List``: enough for 64 terms and 50,000 resources."""
CONTENTS_SECONDS: Final = 0.25
"""The same for the contents with which a watch begins, which it reads at once, without a pause."""
WATCH_STEPS: Final = 50_000
"""Steps that all open watches together may take at each change: some 20 ms."""

_CHEAP = 4
_NUMERIC = frozenset({LabelOp.LT_NUMERIC, LabelOp.LTE_NUMERIC})


def steps(query: Query) -> int:
    """The work to match ``query`` once, in comparisons of two labels (0.4 us each)."""
    terms = [term for branch in query.labels for term in branch]
    work = sum(8 if term.op in _NUMERIC else 1 + len(term.values) // 16 for term in terms)
    return work + (pattern_steps(query.id) if query.id is not None else 0)


class Turns:
    """Serializes work that takes a tenth of a second, with other work in between.

    A thousand concurrent requests would otherwise block the loop for a hundred seconds.
    """

    def __init__(self) -> None:
        self._one_at_a_time = anyio.Lock()

    @asynccontextmanager
    async def turn(self, *, dear: bool) -> AsyncGenerator[None]:
        """Wait for a turn, then run the block; without ``dear`` it runs at once."""
        if not dear:
            yield
            return
        async with self._one_at_a_time:
            yield
            await anyio.lowlevel.checkpoint()


class Searches:
    """The searches of all clients in ``state``."""

    def __init__(self, state: State, now: Callable[[], float] = time.thread_time) -> None:
        """``now`` returns the CPU time of this thread, in seconds."""
        self._state = state
        self._now = now
        self._one_at_a_time = anyio.Lock()
        self._watched = 0

    async def list(self, kind: Kind[Any], where: Query) -> tuple[Resource[Any], ...]:
        """The matching resources of ``kind``, as :meth:`State.list <cosi.State.list>`.

        Raises :class:`LimitExceeded` after ``LIST_SECONDS``.
        """
        if steps(where) <= _CHEAP:
            return await self._state.list(kind, where)
        return await self._search(kind, where, LIST_SECONDS)

    async def check_contents(self, kind: Kind[Any], where: Query) -> None:
        """Raise :class:`LimitExceeded` if finding the matches takes ``CONTENTS_SECONDS``."""
        if steps(where) > _CHEAP:
            await self._search(kind, where, CONTENTS_SECONDS)

    @contextmanager
    def watching(self, where: Query) -> Generator[None]:
        """Count a watch with this query while the block runs; raises :class:`LimitExceeded`."""
        work = steps(where)
        if self._watched + work > WATCH_STEPS:
            raise LimitExceeded(
                f"this watch needs {work} comparisons at each change, and the open watches need "
                f"{self._watched}, of at most {WATCH_STEPS}; use a simpler query, or try later"
            )
        self._watched += work
        try:
            yield
        finally:
            self._watched -= work

    async def _search(
        self, kind: Kind[Any], where: Query, seconds: float
    ) -> tuple[Resource[Any], ...]:
        found: list[Resource[Any]] = []
        async with self._one_at_a_time:
            # A snapshot, as State.list promises: the tuple does not change any more.
            everything = await self._state.list(kind, EVERYTHING)
            spent, began = 0.0, self._now()
            for resource in everything:
                if where.matches(resource):
                    found.append(resource)
                if (piece := self._now() - began) < PIECE_SECONDS:
                    continue
                spent += piece
                if spent > seconds:
                    raise _too_long(kind, len(everything), seconds)
                await anyio.lowlevel.checkpoint()
                began = self._now()
        return tuple(found)


def _too_long(kind: Kind[Any], count: int, seconds: float) -> LimitExceeded:
    return LimitExceeded(
        f"the query takes more than {seconds:g} seconds for {count} resources of {kind}; "
        "use fewer terms, or a simpler pattern"
    )
