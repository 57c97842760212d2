"""Events of the machine: the past ones, or all that come, across restarts of the server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import anyio

from cosi.cli.reconnect import Patience
from cosi.errors import InvalidResource, Unavailable

ANSWER_SECONDS: Final = 30.0
"""How long the server may take to say that it has understood."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Which past events are wanted: the last ``count`` (-1: all), those after ``id``, or recent.

    ``actor`` limits all of them to those that it caused.
    """

    count: int = 0
    id: str = ""
    seconds: int = 0
    actor: str = ""


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event; ``row`` is ``None`` if there is nothing to show, as for the greeting."""

    id: str
    row: tuple[str, ...] | None


Show = Callable[[EventLine], None]


class EventSource(Protocol):
    """Where events are read: :class:`controllers.commands.client.Machine`."""

    async def events(self, show: Show, tail: Tail) -> None:
        """Give ``show`` the past that ``tail`` asks for, then what happens; until cancelled.

        Raises :class:`~cosi.errors.Unavailable` when the server is gone.
        """
        ...


async def past(machine: EventSource, tail: Tail, show: Show, quiet_seconds: float) -> None:
    """Show the past: until nothing has come for so long, for nobody says where it ends."""
    with anyio.move_on_after(ANSWER_SECONDS) as waiting:

        def seen(event: EventLine) -> None:
            waiting.deadline = anyio.current_time() + quiet_seconds
            show(event)

        await machine.events(seen, tail)


class EventFollowing:
    """All events from now on, or from some past one on; none twice."""

    def __init__(self, machine: EventSource, show: Show) -> None:
        self._machine = machine
        self._show = show
        self._patience = Patience("events")
        self._last = ""

    async def run(self, tail: Tail) -> None:
        """For ever."""
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
                # A server that began anew knows nothing of that event; all that it knows is new.
                self._last = ""
            wanted = Tail(id=self._last, actor=tail.actor)
            if not self._last:
                wanted = Tail(count=-1, actor=tail.actor)
            await self._patience.wait(failure)

    def _seen(self, event: EventLine) -> None:
        self._patience.answered()
        self._last = event.id or self._last
        self._show(event)
