"""Finding what a client's query matches, without keeping the event loop from anything else.

A query of a few terms is the state's business, which has an index. Any other is matched here, piece
by piece, one query at a time: other work has its turn in between, and the time that it takes is
counted and bounded. So what a query can cost does not depend on how many resources there are, nor
on how many clients ask.

A watch is matched against every change for as long as it is open, and that cannot be put off. So
what all open watches cost together is bounded, as are the contents with which one begins.
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
"""How long others wait for a piece of a search."""
LIST_SECONDS: Final = 2.0
"""Time of the processor for one ``List``: enough for 64 terms and 50,000 resources."""
CONTENTS_SECONDS: Final = 0.25
"""The same for a watch that begins with its contents: these it reads at once, without a pause."""
WATCH_STEPS: Final = 50_000
"""Steps that all open watches together take at each change: some 20 ms."""

_CHEAP = 4
_NUMERIC = frozenset({LabelOp.LT_NUMERIC, LabelOp.LTE_NUMERIC})


def steps(query: Query) -> int:
    """How much work it is to match ``query`` once, in comparisons of two labels (0.4 us)."""
    terms = [term for branch in query.labels for term in branch]
    work = sum(8 if term.op in _NUMERIC else 1 + len(term.values) // 16 for term in terms)
    return work + (pattern_steps(query.id) if query.id is not None else 0)


class Turns:
    """One after the other, and something else in between: for work that takes a tenth of a second.

    A thousand requests that come at once would else be one piece of work, of a hundred seconds.
    """

    def __init__(self) -> None:
        self._one_at_a_time = anyio.Lock()

    @asynccontextmanager
    async def turn(self, *, dear: bool) -> AsyncGenerator[None]:
        """Work inside the block; at once, and without a turn, if it is not ``dear``."""
        if not dear:
            yield
            return
        async with self._one_at_a_time:
            yield
            await anyio.lowlevel.checkpoint()


class Searches:
    """The searches of all clients in ``state``."""

    def __init__(self, state: State, now: Callable[[], float] = time.thread_time) -> None:
        """``now`` is the time that this thread has been at work, in seconds."""
        self._state = state
        self._now = now
        self._one_at_a_time = anyio.Lock()
        self._watched = 0

    async def list(self, kind: Kind[Any], where: Query) -> tuple[Resource[Any], ...]:
        """What of ``kind`` matches, as :meth:`State.list <cosi.State.list>`.

        Raises :class:`LimitExceeded` after ``LIST_SECONDS``.
        """
        if steps(where) <= _CHEAP:
            return await self._state.list(kind, where)
        return await self._search(kind, where, LIST_SECONDS)

    async def check_contents(self, kind: Kind[Any], where: Query) -> None:
        """Raise :class:`LimitExceeded` if finding what matches takes ``CONTENTS_SECONDS``."""
        if steps(where) > _CHEAP:
            await self._search(kind, where, CONTENTS_SECONDS)

    @contextmanager
    def watching(self, where: Query) -> Generator[None]:
        """While a watch with this query is open; raises :class:`LimitExceeded` if too many are."""
        work = steps(where)
        if self._watched + work > WATCH_STEPS:
            raise LimitExceeded(
                f"this watch would compare {work} things at each change, and those that are open "
                f"{self._watched}, of at most {WATCH_STEPS}; ask for less, or later"
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
            # What is there now, as State.list promises: the tuple does not change any more.
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
        "ask with fewer terms, or a simpler pattern"
    )
