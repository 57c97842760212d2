"""Changes in directories by watchfiles, for kernels without inotify: kqueue, FSEvents, or polling.

It is not used where there is inotify: its thread looks twenty times a second whether something has
happened, and an idle machine is to wake this process less than once a second.

What inotify promises and this does not: a name that is no UTF-8 is reported as another one. A
kernel that notifies in no way is polled; a poll sees names come and go, but not a change of mode,
nor a second write within one second, and reports a link that leads nowhere each time. So it is not
``exact``: what is followed is reported every ten seconds as well, whether it has changed or not.
"""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
import anyio.to_thread
import watchfiles
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError

from controllers.host.inotify import NAMES, Change, InotifyRecord

STEP_SECONDS: Final = 0.05
"""Between two looks at what was noticed."""

POLL_MILLISECONDS: Final = 300
"""Between two polls of a directory."""


class WatchfilesNotifier:
    """A :class:`~controllers.host.notifier.Notifier`; one watcher of watchfiles per directory.

    One for all of them could not be given another directory without losing what it has noticed.
    """

    def __init__(self, *, polling: bool = False) -> None:
        """``polling``: whether the kernel notifies in no way."""
        self.exact = not polling
        self._numbers = itertools.count(1)
        self._watches: dict[int, tuple[Path, RustNotify]] = {}
        self._by_path: dict[Path, int] = {}
        self._records: list[InotifyRecord] = []
        self._lock = threading.Lock()  # looks and the wait for changes are in threads

    def add(self, directory: Path, _changes: Change = NAMES) -> int:
        """See :class:`~controllers.host.notifier.Notifier`; all changes are asked for."""
        with self._lock:
            if known := self._by_path.get(directory):
                return known
            try:
                notify = RustNotify(
                    [str(directory)], False, not self.exact, POLL_MILLISECONDS, False, False
                )
            except WatchfilesRustInternalError as error:
                raise OSError(errno.EIO, str(error), str(directory)) from error
            watch = self._by_path[directory] = next(self._numbers)
            self._watches[watch] = (directory, notify)
            return watch

    def remove(self, watch: int) -> None:
        """See :class:`~controllers.host.notifier.Notifier`."""
        with self._lock:
            if found := self._watches.pop(watch, None):
                self._forget(watch, found[0])
                found[1].close()

    def _forget(self, watch: int, directory: Path) -> None:
        """The next to watch this path gets a watch of what is there then."""
        if self._by_path.get(directory) == watch:
            del self._by_path[directory]

    async def wait(self) -> None:
        """See :class:`~controllers.host.notifier.Notifier`."""
        stop = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_set_at_the_end, stop)
            await anyio.to_thread.run_sync(self._collect, stop)
            tasks.cancel_scope.cancel()

    def read(self) -> Sequence[InotifyRecord]:
        """See :class:`~controllers.host.notifier.Notifier`."""
        with self._lock:
            records, self._records = self._records, []
            return records

    def _collect(self, stop: threading.Event) -> None:
        """Wait until something was noticed; in a thread."""
        while not stop.wait(STEP_SECONDS):
            with self._lock:
                for watch in tuple(self._watches):
                    self._records += self._noticed(watch)
                if self._records:
                    return

    def _noticed(self, watch: int) -> Iterator[InotifyRecord]:
        directory, notify = self._watches[watch]
        try:
            changes = notify.watch(1, 1, 1, None)
        except WatchfilesRustInternalError:  # it will notice nothing more
            changes = {(watchfiles.Change.deleted, str(directory))}
        for number, text in changes if isinstance(changes, set) else ():
            path, change = Path(text), watchfiles.Change(number)
            if path != directory:
                yield InotifyRecord(watch, Change.WRITTEN, path.name)
            elif change is watchfiles.Change.modified:
                yield InotifyRecord(watch, Change.ATTRIBUTES, "")
            else:
                self._forget(watch, directory)
                yield InotifyRecord(watch, Change.IGNORED, "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for watch in tuple(self._watches):
            self.remove(watch)


async def _set_at_the_end(stop: threading.Event) -> None:
    """The waiting thread is not cancelled with its task: it must be asked to stop."""
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()
