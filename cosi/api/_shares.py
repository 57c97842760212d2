"""The limits of connections: shares of the files that this process may have open.

A connection takes descriptors before a byte of it is read. So connections must not take the
descriptors of other parts: half of the open files is for supervision, a quarter for clients on a
Unix socket, which are on this machine, and a quarter for clients on TCP, which may be anywhere. In
any case clients are refused first when few descriptors are left.
"""

from __future__ import annotations

from typing import Final

from cosi.api import open_files

MAX_CONNECTIONS: Final = 4_096
"""The maximum for one share, with any limit of open files."""
DESCRIPTORS: Final = 3
"""Descriptors of a connection: the client's, and both ends of the one to gRPC's own socket."""


class Share:
    """The holders of the places of a share; one share for the whole process, as descriptors are."""

    def __init__(self, part: float, last: float) -> None:
        """The share is ``part`` of all descriptors; it ends once ``last`` of all are in use."""
        self._part = part
        self._last = last
        self._holders: set[object] = set()

    @property
    def places(self) -> int:
        """The number of places, at the current limit of open files."""
        return min(MAX_CONNECTIONS, int(open_files.limit() * self._part) // DESCRIPTORS)

    def refuses(self, descriptor: int) -> str | None:
        """The reason to refuse the connection with ``descriptor``; ``None`` if it has a place.

        The kernel assigns the lowest free number, so a high one means that few are left.
        """
        limit = open_files.limit()
        if len(self._holders) >= self.places:
            return f"limit of {self.places} connections reached, with {limit} open files allowed"
        if descriptor >= limit * self._last:
            return f"{descriptor} of {limit} files are open, and the rest is reserved"
        return None

    def take(self, holder: object) -> None:
        """Give ``holder`` a place."""
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        """Free the place of ``holder``; idempotent."""
        self._holders.discard(holder)


LOCAL: Final = Share(1 / 4, last=7 / 8)
REMOTE: Final = Share(1 / 4, last=3 / 4)
