"""Follows a log across restarts of the server, without repetitions and gaps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cosi import NotFound
from cosi.cli.reconnect import Patience
from cosi.errors import Unavailable

MEMORY: Final = 4096
"""How many bytes of the last output are kept, to find the place again."""

Take = Callable[[bytes], None]


class LogSource(Protocol):
    """The source of logs: :class:`controllers.commands.client.Machine`."""

    async def log_ids(self) -> list[str]:
        """The ids of the services that have a log."""
        ...

    async def logs(self, id: str, take: Take, *, follow: bool, tail: int) -> None:
        """Call ``take`` with the last ``tail`` lines (-1: all); with ``follow`` also with new ones.

        Raises :class:`~cosi.errors.NotFound` before the first run of the service, and
        :class:`~cosi.errors.Unavailable` when the connection to the server is lost.
        """
        ...


class LogFollowing:
    """Follows the log of one service.

    After a reconnect there are two cases: the server's log contains the last output shown, and
    continues after it; or it does not, because the server is a new one, and then all of it is new.
    """

    def __init__(self, machine: LogSource, id: str, take: Take) -> None:
        self._machine = machine
        self._id = id
        self._take = take
        self._patience = Patience(f"log of {id}")
        self._recent = b""
        self._skip = 0

    async def run(self, tail: int) -> None:
        """Show the last ``tail`` lines (-1: all), then new ones, until cancelled."""
        await self._machine.log_ids()  # fails without a server; a log may be silent for long
        self._patience.answered()
        first, start = True, tail
        while True:
            failure: Unavailable | NotFound = Unavailable("the server has ended the log")
            try:
                if not first:
                    self._skip = await self._shown_already(tail)
                await self._machine.logs(self._id, self._more, follow=True, tail=start)
            except Unavailable as error:
                failure = error
            except NotFound as error:  # a new server has not started the service yet
                if first:
                    raise
                failure = error
            first, start = False, -1
            await self._patience.wait(failure)

    def _more(self, data: bytes) -> None:
        self._patience.answered()
        new, self._skip = data[self._skip :], max(0, self._skip - len(data))
        if new:
            self._recent = (self._recent + new)[-MEMORY:]
            self._take(new)

    async def _shown_already(self, tail: int) -> int:
        """How many bytes of the server's whole log were shown already; it keeps a limited part."""
        history = bytearray()
        await self._machine.logs(self._id, history.extend, follow=False, tail=-1)
        if not self._recent:
            return len(history) if tail == 0 else 0
        found = history.rfind(self._recent)
        return 0 if found < 0 else found + len(self._recent)
