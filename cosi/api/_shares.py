"""How many connections there may be: a share of the files that this process may have open.

A connection takes descriptors before a byte of it was read. So connections must not be able to take
what others need: half of the open files is for supervision, a quarter for clients on a Unix socket,
who are of this machine, and a quarter for those on TCP, who may be anyone. Whatever the shares are,
clients come last when there really are few descriptors left.
"""

from __future__ import annotations

from typing import Final

from cosi.api import open_files

MAX_CONNECTIONS: Final = 4_096
"""In one share, however many files may be open."""
DESCRIPTORS: Final = 3
"""Of one connection: the client's, and both ends of the one to gRPC's own socket."""


class Share:
    """Who holds a place, in all of this process: descriptors are the process's too."""

    def __init__(self, part: float, last: float) -> None:
        """``part`` of all descriptors; none is given out beyond ``last`` of them."""
        self._part = part
        self._last = last
        self._holders: set[object] = set()

    @property
    def places(self) -> int:
        """How many connections there may be, at the limit of open files as it is now."""
        return min(MAX_CONNECTIONS, int(open_files.limit() * self._part) // DESCRIPTORS)

    def refuses(self, descriptor: int) -> str | None:
        """Why there is no place for the connection that has ``descriptor``; ``None`` if there is.

        The kernel gives out the lowest free number: a high one says that there are few left.
        """
        limit = open_files.limit()
        if len(self._holders) >= self.places:
            return f"as there are {self.places} already, with a limit of {limit} open files"
        if descriptor >= limit * self._last:
            return f"as {descriptor} of {limit} files are open, and the rest is for other things"
        return None

    def take(self, holder: object) -> None:
        """Give ``holder`` a place."""
        self._holders.add(holder)

    def give_back(self, holder: object) -> None:
        """``holder`` has gone; idempotent."""
        self._holders.discard(holder)


LOCAL: Final = Share(1 / 4, last=7 / 8)
REMOTE: Final = Share(1 / 4, last=3 / 4)
