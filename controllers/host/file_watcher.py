"""Files and directories of files: which of them may have changed.

By inotify, and not by watchfiles: its thread looks twenty times a second whether something has
happened (measured: 61 wake-ups in 3 s, for each watch), and an idle machine is to wake this process
less than once a second. What a path's answer hangs on (links, directories that do not exist yet,
mounts) is found by the same walks that find out whether paths exist.

Nothing is said of what has changed: whoever is told looks for himself, and knows what he knew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.to_thread

from controllers.host.inotify import CONTENTS, Inotify, InotifyRecord
from controllers.host.mounts import silent_devices
from controllers.host.paths import Hinges
from controllers.host.proc_events import MOUNTS, each_change
from controllers.host.reader import HostReader
from controllers.host.walk import Look, Walk

DEBOUNCE_SECONDS: Final = 0.05
"""How long to let the steps of one change (create, write, rename) pile up."""

BLIND_SECONDS: Final = 10.0
"""How long between two reports of what no watch tells about: network file systems and the like."""


class FileWatcher(HostReader[Set[Path]], Protocol):
    """Reports paths that may have changed.

    A file in a directory that is followed is reported as such; the directory itself is reported
    where anything in it may have changed.
    """

    def aim(self, paths: Iterable[Path]) -> None:
        """Follow these absolute paths and no others; each new one is reported once it is."""
        ...


class InotifyFiles:
    """The :class:`FileWatcher` of the real machine."""

    def __init__(self, *, blind_seconds: float = BLIND_SECONDS) -> None:
        self._blind_seconds = blind_seconds
        self._paths: frozenset[Path] = frozenset()
        self._aimed = anyio.Event()

    def aim(self, paths: Iterable[Path]) -> None:
        """See :class:`FileWatcher`."""
        wanted = frozenset(paths)
        if wanted != self._paths:
            self._paths = wanted
            self._aimed.set()

    async def follow(self, report: Callable[[Set[Path]], None]) -> None:
        """See :class:`FileWatcher`."""
        with Inotify() as inotify:
            following = _FollowedFiles(inotify, report)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(following.records)
                tasks.start_soon(following.mounts)
                tasks.start_soon(following.what_nobody_tells, self._blind_seconds)
                while True:
                    self._aimed = anyio.Event()
                    await following.aim(self._paths)
                    await self._aimed.wait()


@dataclass(frozen=True, slots=True)
class _Sight:
    """What one path hangs on, and the watch of its own contents, if it is a directory."""

    look: Look
    contents: int | None


class _FollowedFiles:
    """One call of ``InotifyFiles.follow``."""

    def __init__(self, inotify: Inotify, report: Callable[[Set[Path]], None]) -> None:
        self._inotify = inotify
        self._report = report
        self._hinges = Hinges()
        self._sights: dict[Path, _Sight] = {}
        self._paths: frozenset[Path] = frozenset()
        # Records must not be read while a look makes the watches that they belong to.
        self._looking = anyio.Lock()
        self._blind = anyio.Event()

    async def aim(self, paths: frozenset[Path]) -> None:
        """Follow these; report the new ones."""
        changed = paths ^ self._paths
        self._paths = paths
        await self._look(changed)
        self._tell(changed)

    async def records(self) -> None:
        """Report what the watches have records of."""
        while True:
            await anyio.wait_readable(self._inotify.fd)
            await anyio.sleep(DEBOUNCE_SECONDS)
            async with self._looking:
                records = self._inotify.read()
                inside = self._inside(records)
                affected = {Path(path) for path in self._hinges.affected(records)}
            await self._look(affected)
            self._tell(affected)
            if inside:
                self._report(inside)

    async def mounts(self) -> None:
        """Look at everything now, and again whenever the mount table changes."""
        try:
            await each_change(MOUNTS, self._look_at_all)
        except FileNotFoundError:  # no /proc: then nobody tells about mounts
            return

    async def what_nobody_tells(self, seconds: float) -> None:
        """Report, now and then, what no watch has records of; if there is any."""
        while True:
            await self._blind.wait()
            await anyio.sleep(seconds)
            self._tell({Path(path) for path in self._hinges.blind})
            if not self._hinges.blind:
                self._blind = anyio.Event()

    async def _look_at_all(self) -> None:
        """Report only what hangs on something else than before: containers mount all the time."""
        before = dict(self._sights)
        await self._look(self._paths)
        self._tell({path for path in before if before[path] != self._sights.get(path)})
        await anyio.sleep(DEBOUNCE_SECONDS)

    def _tell(self, paths: Set[Path]) -> None:
        if paths := paths & self._paths:
            self._report(paths)

    def _inside(self, records: Iterable[InotifyRecord]) -> set[Path]:
        """The files that the records are about, in directories that are followed."""
        return {
            directory / record.name
            for record in records
            if record.name
            for directory, sight in self._sights.items()
            if sight.contents == record.watch
        }

    async def _look(self, paths: Set[Path]) -> None:
        """Hang the paths on what is there now, the forgotten ones on nothing."""
        if not paths:
            return
        async with self._looking:
            wanted = paths & self._paths
            # A file system that does not answer must not hold up the end of the program.
            seen = await anyio.to_thread.run_sync(self._walk, wanted, abandon_on_cancel=True)
            loose = {sight.contents for sight in map(self._sights.get, paths) if sight}
            for path in paths:
                self._sights.pop(path, None)
            self._sights |= seen
            looks = {str(path): seen[path].look if path in seen else None for path in paths}
            used = {sight.contents for sight in self._sights.values()}
            for watch in {*self._hinges.replace(looks), *loose} - used:
                if watch is not None and not self._hinges.uses(watch):
                    self._inotify.remove(watch)
            if self._hinges.blind:
                self._blind.set()

    def _walk(self, paths: Iterable[Path]) -> dict[Path, _Sight]:
        silent = _silent_devices()
        return {path: self._see(path, silent) for path in paths}

    def _see(self, path: Path, silent: frozenset[int]) -> _Sight:
        look = Walk(self._inotify.add, silent).look(str(path))
        contents, blind = None, look.blind
        try:
            if path.is_dir():
                contents = self._inotify.add(path, CONTENTS)
                blind |= path.stat().st_dev in silent
            else:
                # The hinges tell of its coming and going; this, of what is written into it.
                self._inotify.add(path.resolve().parent, CONTENTS)
        except (FileNotFoundError, NotADirectoryError, RuntimeError):
            pass  # Gone just now, or a circle of links: the hinges tell.
        except OSError:
            blind = True
        return _Sight(Look(look.presence, look.hinges, blind), contents)


def _silent_devices() -> frozenset[int]:
    try:
        with Path(MOUNTS).open(encoding="utf-8", errors="surrogateescape") as mountinfo:
            return frozenset(silent_devices(mountinfo))
    except OSError:
        return frozenset()
