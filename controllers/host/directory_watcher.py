"""The directory watcher: looks at paths again when they may have changed.

It is the base of the path reader and of the file watcher.

::

    keys asked for, records of watches,           in a thread
    the mount table, every 10 s if blind ──> look ───────────> hinges, watches ──> report

The look itself finds out what a key depends on (``walk.py``): each directory is watched before its
name is looked up. Keys below the same directories share watches, and an idle machine costs nothing.

*Blind* is a key of which no watch has all records: in /proc, /sys and network file systems, below a
directory that may not be watched, beyond the watches that the kernel grants, or anywhere on a
kernel that has to be polled. Those are looked at
every ten seconds, as long as there are any. A mount covers directories without a record in any
watch; the kernel's mount table reports it. A dead NFS server blocks looks, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Generic

import anyio
import anyio.to_thread

from controllers.host.hinges import Hinges, Key
from controllers.host.mounts import silent_devices
from controllers.host.notifier import Notifier, OpenNotifier, open_notifier
from controllers.host.proc_events import MOUNTS, each_change
from controllers.host.walk import Look

log = logging.getLogger(__name__)

BLIND_SECONDS: Final = 10.0
"""The time between two looks at blind keys."""

PAUSE_SECONDS: Final = 0.1
"""The time in which records collect that concern no key, or mount changes, which concern all."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look, and the one before; ``touched``: a change between them may show in neither."""

    before: Look | None
    now: Look
    touched: bool


See = Callable[[Key, Notifier, Set[int]], Look]
"""Looks at a key: it makes watches, and gets the devices that record nothing. It may block."""

Report = Callable[[Mapping[Key, Sight], Mapping[Key, Set[str]]], None]
"""Receives the keys that were looked at, and the names that changed inside directories."""


class DirectoryWatcher(Generic[Key]):
    """Follows a set of keys, which may change at any time.

    ``settle_seconds`` are waited after the first record of a change, to let its steps pile up.
    ``notifier`` makes what watches directories.
    """

    def __init__(
        self,
        see: See[Key],
        wanted: Iterable[Key] = (),
        *,
        settle_seconds: float = 0.0,
        blind_seconds: float = BLIND_SECONDS,
        notifier: OpenNotifier = open_notifier,
    ) -> None:
        self.see = see
        self.wanted = set(wanted)
        """The followed keys; after changing it, ``ask`` for the keys added or removed."""
        self.settle_seconds = settle_seconds
        self.blind_seconds = blind_seconds
        self._notifier = notifier
        self._asked: set[Key] = set()
        self._wake = anyio.Event()

    def ask(self, keys: Iterable[Key]) -> None:
        """Look at these as for the first time; stop following those no longer wanted."""
        self._asked.update(keys)
        self._wake.set()

    async def follow(self, report: Report[Key]) -> None:
        """Report every wanted key now, and again after each look, until cancelled.

        One call at a time. Raises what the notifier does: where it cannot be had, where it ends.
        """
        self._asked, self._wake = set(), anyio.Event()
        with self._notifier() as notifier:
            following = _Following(self, notifier, report)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(following.records)
                tasks.start_soon(following.mounts)
                tasks.start_soon(following.what_no_watch_reports)
                while True:
                    await self._wake.wait()
                    asked, self._asked, self._wake = self._asked, set(), anyio.Event()
                    await following.look_anew(asked)


class _Following(Generic[Key]):
    """One call of ``follow``: its watches, and the tasks that read them."""

    def __init__(
        self, watcher: DirectoryWatcher[Key], notifier: Notifier, report: Report[Key]
    ) -> None:
        self._watcher = watcher
        self._notifier = notifier
        self._report = report
        self._hinges: Hinges[Key] = Hinges()
        self._looks: dict[Key, Look] = {}
        self._silent: frozenset[int] = frozenset()
        # A look makes watches; records of those must not be read before it is done.
        self._looking = anyio.Lock()
        self._blind = anyio.Event()

    async def records(self) -> None:
        """Look again at the keys for which the watches have records."""
        while True:
            await self._notifier.wait()
            await anyio.sleep(self._watcher.settle_seconds)
            async with self._looking:
                records = self._notifier.read()
                affected = self._hinges.affected(records)
                inside = self._hinges.inside(records)
            if affected or inside:
                self._report(await self._look(affected, touched=True), inside)
            else:
                await anyio.sleep(PAUSE_SECONDS)

    async def mounts(self) -> None:
        """Look at everything now, and again whenever the mount table changes."""
        try:
            await each_change(MOUNTS, self._look_at_all)
        except FileNotFoundError:
            log.info("changes of mounts will not be noticed", extra={"missing": MOUNTS})
            self._report(await self._look(self._watcher.wanted), {})

    async def what_no_watch_reports(self) -> None:
        """Look again at the blind keys from time to time, if there are any."""
        while True:
            await self._blind.wait()
            await anyio.sleep(self._watcher.blind_seconds)
            self._blind = anyio.Event()
            self._report(await self._look(self._hinges.blind, touched=True), {})

    async def look_anew(self, keys: Set[Key]) -> None:
        """Look at keys as for the first time."""
        for key in keys:
            self._looks.pop(key, None)
        self._report(await self._look(keys), {})

    async def _look_at_all(self) -> None:
        self._silent = frozenset(await anyio.to_thread.run_sync(_silent_devices))
        self._report(await self._look(self._watcher.wanted), {})
        await anyio.sleep(PAUSE_SECONDS)

    async def _look(self, keys: Set[Key], *, touched: bool = False) -> dict[Key, Sight]:
        """Look at the wanted ones of ``keys``, and stop following the others."""
        if not keys:
            return {}
        keys = frozenset(keys)  # they may change meanwhile
        async with self._looking:
            wanted = keys & self._watcher.wanted
            # A file system that does not respond must not delay the end of the program.
            seen = await anyio.to_thread.run_sync(self._walk, wanted, abandon_on_cancel=True)
            looks = {key: seen.get(key) if key in self._watcher.wanted else None for key in keys}
            for watch in self._hinges.replace(looks):
                self._notifier.remove(watch)
            if self._hinges.blind:
                self._blind.set()
            before = {key: self._looks.pop(key, None) for key in keys}
            sights = {key: Sight(before[key], now, touched) for key, now in looks.items() if now}
            self._looks |= {key: sight.now for key, sight in sights.items()}
        return sights

    def _walk(self, keys: Iterable[Key]) -> dict[Key, Look]:
        looks = {key: self._watcher.see(key, self._notifier, self._silent) for key in keys}
        if self._notifier.exact:
            return looks
        return {key: replace(look, blind=True) for key, look in looks.items()}


def _silent_devices() -> list[int]:
    with Path(MOUNTS).open(encoding="utf-8", errors="surrogateescape") as mountinfo:
        return list(silent_devices(mountinfo))
