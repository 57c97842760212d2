"""The notifier protocol: changes in directories, from inotify, or from watchfiles without it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from controllers.host.inotify import NAMES, Change, Inotify, InotifyRecord
from controllers.host.reader import HostReadError

EXTRA = "cosi[watch]"
"""What to install for watchfiles."""


class Notifier(Protocol):
    """Watches of directories and their records, both in inotify's terms; a context manager.

    Every method may raise ``OSError``.
    """

    @property
    def exact(self) -> bool:
        """Whether no change is missed; if some are, what is watched is to be looked at as well."""
        ...

    def add(self, directory: Path, changes: Change = NAMES, /) -> int:
        """Watch a directory, of which every change from now on has a record; from any thread.

        The same directory gives the same watch, of all changes ever asked for.
        """
        ...

    def remove(self, watch: int, /) -> None:
        """End a watch; one that has ended already is no error."""
        ...

    async def wait(self) -> None:
        """Wait until there are records."""
        ...

    def read(self) -> Sequence[InotifyRecord]:
        """The pending records, or some of them; empty if there are none."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...


OpenNotifier = Callable[[], Notifier]


def open_notifier() -> Notifier:
    """The notifier of this kernel.

    Raises ``OSError`` if inotify has no instance left for this user, and
    :class:`~controllers.host.reader.HostReadError` if there is neither inotify nor watchfiles.
    """
    try:
        return Inotify()
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        polling = True
    except AttributeError:  # of the C library of another kernel, which may notify in its own way
        polling = False
    try:
        from controllers.host.watchfiles_notifier import WatchfilesNotifier
    except ImportError as error:
        text = f"this kernel has no inotify; `pip install '{EXTRA}'` has another way: {error}"
        raise HostReadError(text) from error
    return WatchfilesNotifier(polling=polling)
