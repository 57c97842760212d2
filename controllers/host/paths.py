"""The path reader: reports whether paths exist, for any number of them.

A path may lead through directories that do not exist yet, appear, vanish or are renamed, and
through symbolic links: ``directory_watcher.py`` knows what its answer depends on, and when to look
again. 1,000 services that wait for sockets in /run cost one watch for / and one for /run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from pathlib import Path
from typing import Protocol

from controllers.host.directory_watcher import BLIND_SECONDS, DirectoryWatcher, Sight
from controllers.host.notifier import Notifier, OpenNotifier, open_notifier
from controllers.host.reader import HostReader
from controllers.host.walk import Look, Presence, Walk


class PathReader(HostReader[Mapping[str, Presence]], Protocol):
    """Reports requested paths: those whose answer is new, or has changed."""

    def want(self, path: str) -> None:
        """Request ``path``; its answer is reported even if it was reported before."""
        ...

    def forget(self, path: str) -> None:
        """No longer request ``path``; a report about it may still arrive."""
        ...


class HostPaths:
    """The :class:`PathReader` of the real machine; paths are below ``root``.

    Symbolic links are followed as the kernel does: an absolute one leads to the machine's own root.
    """

    def __init__(
        self,
        root: str | Path = "/",
        *paths: str,
        blind_seconds: float = BLIND_SECONDS,
        notifier: OpenNotifier = open_notifier,
    ) -> None:
        """``blind_seconds``: between two looks at paths that watches do not cover."""
        self._root = str(root).rstrip("/")
        self._watcher = DirectoryWatcher(
            self._see, paths, blind_seconds=blind_seconds, notifier=notifier
        )

    def want(self, path: str) -> None:
        """See :class:`PathReader`."""
        self._watcher.wanted.add(path)
        self._watcher.ask([path])

    def forget(self, path: str) -> None:
        """See :class:`PathReader`."""
        self._watcher.wanted.discard(path)
        self._watcher.ask([path])

    async def follow(self, report: Callable[[Mapping[str, Presence]], None]) -> None:
        """See :class:`PathReader`."""

        def seen(sights: Mapping[str, Sight], _: object) -> None:
            news = {path: sight.now.presence for path, sight in sights.items() if _is_news(sight)}
            if news:
                report(news)

        await self._watcher.follow(seen)

    def _see(self, path: str, notifier: Notifier, silent: Set[int]) -> Look:
        # As text: "a/" and "a/." are not the path "a".
        return Walk(notifier.add, silent).look(f"{self._root}/{path.lstrip('/')}")


def _is_news(sight: Sight) -> bool:
    return sight.before is None or sight.before.presence != sight.now.presence
