"""Whether paths exist, for any number of them, by directory watches.

A path may lead through directories that do not exist yet, come, go or are renamed, and through
symbolic links: what its answer hangs on is found by a *walk*, and a record for one of these hinges
means another walk. Paths below the same directories share their watches, so 1,000 services that
wait for sockets in /run cost one watch for / and one for /run, and an idle machine costs nothing.

Mounts cover directories without a record in any watch; the kernel's mount table tells. What nobody
tells (changes in /proc, /sys and network file systems, directories that may not be watched, more
watches than the kernel grants) is looked at every ten seconds, in one go, as long as there is any.

Looks happen in a thread: a dead NFS server blocks looks, and nothing else of the program.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Protocol

import anyio
import anyio.to_thread

from controllers.host.inotify import Change, Inotify, InotifyRecord
from controllers.host.mounts import silent_devices
from controllers.host.proc_events import MOUNTS, each_change
from controllers.host.reader import HostReader
from controllers.host.walk import Hinge, Look, Presence, Walk

log = logging.getLogger(__name__)

BLIND_SECONDS = 10.0

PAUSE_SECONDS = 0.1
"""How long to let things pile up that concern no path, or all of them."""


class PathReader(HostReader[Mapping[str, Presence]], Protocol):
    """Reports the paths that it was asked for: those whose answer is new, or has changed."""

    def want(self, path: str) -> None:
        """Ask for ``path``; its answer is reported even if it was before."""
        ...

    def forget(self, path: str) -> None:
        """Ask for ``path`` no longer; a report may still be under way."""
        ...


class InotifyPaths:
    """The :class:`PathReader` of the real machine; paths are below ``root``.

    Symbolic links are followed as the kernel does: an absolute one leads to the machine's own root.
    """

    def __init__(
        self, root: str | Path = "/", *paths: str, blind_seconds: float = BLIND_SECONDS
    ) -> None:
        """``blind_seconds``: between two looks at paths of which no watch tells."""
        self._root = str(root).rstrip("/")
        self._blind_seconds = blind_seconds
        self._answers: dict[str, Presence | None] = dict.fromkeys(paths)
        self._asked: set[str] = set()
        self._wake = anyio.Event()

    def want(self, path: str) -> None:
        """See :class:`PathReader`."""
        self._answers[path] = None
        self._asked.add(path)
        self._wake.set()

    def forget(self, path: str) -> None:
        """See :class:`PathReader`."""
        self._answers.pop(path, None)
        self._asked.add(path)
        self._wake.set()

    async def follow(self, report: Callable[[Mapping[str, Presence]], None]) -> None:
        """See :class:`PathReader`."""
        self._answers = dict.fromkeys(self._answers)
        self._asked, self._wake = set(), anyio.Event()
        with Inotify() as inotify:
            following = _FollowedPaths(inotify, self._root, self._answers, report)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(following.records)
                tasks.start_soon(following.mounts)
                tasks.start_soon(following.what_nobody_tells, self._blind_seconds)
                while True:
                    await self._wake.wait()
                    asked, self._asked, self._wake = self._asked, set(), anyio.Event()
                    await following.look(asked)


class Hinges:
    """Which paths hang on which name in which watched directory."""

    def __init__(self) -> None:
        self._paths: dict[int, dict[str, set[str]]] = {}
        self._hinges: dict[str, frozenset[Hinge]] = {}
        self.blind: set[str] = set()

    def affected(self, records: Iterable[InotifyRecord]) -> set[str]:
        """The paths whose answer may have changed."""
        paths: set[str] = set()
        for record in records:
            if record.change & Change.OVERFLOW:
                return set(self._hinges)
            names = self._paths.get(record.watch, {})
            if record.change & Change.IGNORED:
                paths = paths.union(*names.values())
            else:
                paths |= names.get(record.name, set())
        return paths

    def uses(self, watch: int) -> bool:
        """Whether anything hangs on this watch."""
        return watch in self._paths

    def replace(self, looks: Mapping[str, Look | None]) -> list[int]:
        """Hang paths on what was just seen (``None``: on nothing); return unused watches."""
        loose: set[int] = set()
        for path, look in looks.items():
            new = look.hinges if look else frozenset[Hinge]()
            old = self._hinges.pop(path, frozenset[Hinge]())
            if look:
                self._hinges[path] = new
            self._hang(path, new - old)
            loose |= self._unhang(path, old - new)
            (self.blind.add if look and look.blind else self.blind.discard)(path)
        return [watch for watch in loose if watch not in self._paths]

    def _hang(self, path: str, hinges: Set[Hinge]) -> None:
        for watch, name in hinges:
            self._paths.setdefault(watch, {}).setdefault(name, set()).add(path)

    def _unhang(self, path: str, hinges: Set[Hinge]) -> set[int]:
        """Return the watches that lost their last path."""
        for watch, name in hinges:
            names = self._paths[watch]
            names[name].discard(path)
            if not names[name]:
                del names[name]
            if not names:
                del self._paths[watch]
        return {watch for watch, _ in hinges if watch not in self._paths}


class _FollowedPaths:
    """One call of ``InotifyPaths.follow``: its watches, and how they are read."""

    def __init__(
        self,
        inotify: Inotify,
        root: str,
        answers: dict[str, Presence | None],
        report: Callable[[Mapping[str, Presence]], None],
    ) -> None:
        self.hinges = Hinges()
        self._inotify = inotify
        self._root = root
        self._answers = answers
        self._report = report
        self._silent: frozenset[int] = frozenset()
        # Records must not be read while a look makes the watches that they belong to.
        self._looking = anyio.Lock()
        self._blind = anyio.Event()

    async def records(self) -> None:
        """Look again at what the watches have a record of."""
        while True:
            await anyio.wait_readable(self._inotify.fd)
            async with self._looking:
                affected = self.hinges.affected(self._inotify.read())
            await self.look(affected)
            if not affected:
                await anyio.sleep(PAUSE_SECONDS)

    async def mounts(self) -> None:
        """Look at everything now, and again whenever the mount table changes."""
        try:
            await each_change(MOUNTS, self._look_at_all)
        except FileNotFoundError:
            log.info("changes of mounts will not be seen", extra={"missing": MOUNTS})
            await self.look(set(self._answers))

    async def what_nobody_tells(self, seconds: float) -> None:
        """Look again, now and then, at what no watch has records of; if there is any."""
        while True:
            await self._blind.wait()
            await anyio.sleep(seconds)
            self._blind = anyio.Event()
            await self.look(set(self.hinges.blind))

    async def _look_at_all(self) -> None:
        self._silent = frozenset(await anyio.to_thread.run_sync(_silent_devices))
        await self.look(set(self._answers))
        await anyio.sleep(PAUSE_SECONDS)

    async def look(self, paths: Set[str]) -> None:
        """Look at those of ``paths`` that are asked for, drop the others, report what is new."""
        if not paths:
            return
        async with self._looking:
            wanted = [path for path in paths if path in self._answers]
            # A file system that does not answer must not hold up the end of the program.
            seen = await anyio.to_thread.run_sync(self._walk, wanted, abandon_on_cancel=True)
            looks: dict[str, Look | None] = dict.fromkeys(paths) | seen
            for path in wanted:
                if path not in self._answers:  # forgotten meanwhile
                    looks[path] = None
            for watch in self.hinges.replace(looks):
                self._inotify.remove(watch)
            if self.hinges.blind:
                self._blind.set()
        self._tell({path: look.presence for path, look in looks.items() if look})

    def _walk(self, paths: Iterable[str]) -> dict[str, Look | None]:
        walk = self._inotify.add
        return {
            path: Walk(walk, self._silent).look(f"{self._root}/{path.lstrip('/')}")
            for path in paths
        }

    def _tell(self, seen: Mapping[str, Presence]) -> None:
        news = {
            path: now
            for path, now in seen.items()
            if path in self._answers and self._answers[path] != now
        }
        self._answers.update(news)
        if news:
            self._report(news)


def _silent_devices() -> list[int]:
    with Path(MOUNTS).open(encoding="utf-8", errors="surrogateescape") as mountinfo:
        return list(silent_devices(mountinfo))
