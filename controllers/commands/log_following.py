"""A log followed across restarts of the server: nothing twice, and nothing left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cosi import NotFound
from cosi.cli.reconnect import Patience
from cosi.errors import Unavailable

MEMORY: Final = 4096
"""So many bytes of what was shown last are kept, to find the place again."""

Take = Callable[[bytes], None]


class LogSource(Protocol):
    """Where logs are read: :class:`controllers.commands.client.Machine`."""

    async def log_ids(self) -> list[str]:
        """The ids of the services that have a log."""
        ...

    async def logs(self, id: str, take: Take, *, follow: bool, tail: int) -> None:
        """Give ``take`` the last ``tail`` lines (-1: all) and, to ``follow``, what is written then.

        Raises :class:`~cosi.errors.NotFound` before the first run of the service, and
        :class:`~cosi.errors.Unavailable` when the server is gone.
        """
        ...


class LogFollowing:
    """The log of one service.

    A server that comes back remembers what was shown, then its log goes on right after that; or it
    does not, being a new one, then all that it has is new.
    """

    def __init__(self, machine: LogSource, id: str, take: Take) -> None:
        self._machine = machine
        self._id = id
        self._take = take
        self._patience = Patience(f"log of {id}")
        self._recent = b""
        self._skip = 0

    async def run(self, tail: int) -> None:
        """Show the last ``tail`` lines (-1: all), then what is written; for ever."""
        await self._machine.log_ids()  # a log may be silent for long: is there a server at all?
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
        """How many bytes of the whole log are known; it is as long as the server's memory."""
        history = bytearray()
        await self._machine.logs(self._id, history.extend, follow=False, tail=-1)
        if not self._recent:
            return len(history) if tail == 0 else 0
        found = history.rfind(self._recent)
        return 0 if found < 0 else found + len(self._recent)
