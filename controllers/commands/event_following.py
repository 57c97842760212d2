"""Reads events of the machine: past ones, or new ones across restarts of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from cosi.cli.reconnect import Patience
from cosi.errors import InvalidResource, Unavailable

ANSWER_SECONDS: Final = 30.0
"""The time limit for the server's first message."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Selects past events: the last ``count`` (-1: all), those after ``id``, or recent ones.

    Recent ones are at most ``seconds`` old. ``actor`` selects the events that it caused.
    """

    count: int = 0
    id: str = ""
    seconds: int = 0
    actor: str = ""


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event; ``row`` is ``None`` if it has nothing to show, as the server's first message."""

    id: str
    row: tuple[str, ...] | None


Show = Callable[[EventLine], None]


class EventSource(Protocol):
    """The source of events: :class:`controllers.commands.client.Machine`."""

    async def events(self, show: Show, tail: Tail) -> None:
        """Call ``show`` with the past events of ``tail``, then with new ones, until cancelled.

        Raises :class:`~cosi.errors.Unavailable` when the connection to the server is lost.
        """
        ...


async def past(machine: EventSource, tail: Tail, show: Show, quiet_seconds: float) -> None:
    """Show past events, until none has come for ``quiet_seconds``: nothing marks their end."""
    with anyio.move_on_after(ANSWER_SECONDS) as waiting:

        def seen(event: EventLine) -> None:
            waiting.deadline = anyio.current_time() + quiet_seconds
            show(event)

        await machine.events(seen, tail)


class EventFollowing:
    """Shows all events from now on, or from a past one on; none twice."""

    def __init__(self, machine: EventSource, show: Show) -> None:
        self._machine = machine
        self._show = show
        self._patience = Patience("events")
        self._last = ""

    async def run(self, tail: Tail) -> None:
        """Show events until cancelled; reconnect when the connection is lost."""
        wanted = tail
        while True:
            failure = Unavailable("the server has ended the events")
            try:
                await self._machine.events(self._seen, wanted)
            except Unavailable as error:
                failure = error
            except InvalidResource:
                if wanted.id != self._last or not self._last:
                    raise
                # A restarted server does not know that event; all events that it has are new.
                self._last = ""
            wanted = Tail(id=self._last, actor=tail.actor)
            if not self._last:
                wanted = Tail(count=-1, actor=tail.actor)
            await self._patience.wait(failure)

    def _seen(self, event: EventLine) -> None:
        self._patience.answered()
        self._last = event.id or self._last
        self._show(event)
