"""The file watcher: reports which files, given or in given directories, may have changed.

By inotify, and by watchfiles only where there is none (``notifier.py``): its thread looks twenty
times a second whether something has happened (measured: 61 wake-ups in 3 s, for each watch), and an
idle machine is to wake this process less than once a second. What a path hangs on (links,
directories that do not exist yet, mounts), and when to look again, is ``directory_watcher.py``'s.

What has changed is not reported: the caller looks, and knows what it knew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from pathlib import Path
from typing import Final, Protocol

from controllers.host.directory_watcher import BLIND_SECONDS, DirectoryWatcher, Sight
from controllers.host.hinges import CONTENTS_OF
from controllers.host.inotify import CONTENTS
from controllers.host.notifier import Notifier, OpenNotifier, open_notifier
from controllers.host.reader import HostReader
from controllers.host.walk import Hinge, Look, Walk

SETTLE_SECONDS: Final = 0.05
"""How long to let the steps of one change (create, write, rename) pile up."""


class FileWatcher(HostReader[Set[Path]], Protocol):
    """Reports paths that may have changed.

    A file in a directory that is followed is reported as such; the directory itself is reported
    where anything in it may have changed.
    """

    def aim(self, paths: Iterable[Path]) -> None:
        """Follow these absolute paths and no others; each new one is reported once it is."""
        ...


class HostFiles:
    """The :class:`FileWatcher` of the real machine."""

    def __init__(
        self, *, blind_seconds: float = BLIND_SECONDS, notifier: OpenNotifier = open_notifier
    ) -> None:
        """``blind_seconds``: between two reports of files of which no watch has records."""
        self._watcher: DirectoryWatcher[Path] = DirectoryWatcher(
            _see,
            settle_seconds=SETTLE_SECONDS,
            blind_seconds=blind_seconds,
            notifier=notifier,
        )

    def aim(self, paths: Iterable[Path]) -> None:
        """See :class:`FileWatcher`."""
        wanted = set(paths)
        changed = wanted ^ self._watcher.wanted
        self._watcher.wanted ^= changed
        if changed:
            self._watcher.ask(changed)

    async def follow(self, report: Callable[[Set[Path]], None]) -> None:
        """See :class:`FileWatcher`."""

        def seen(sights: Mapping[Path, Sight], inside: Mapping[Path, Set[str]]) -> None:
            changed = {path for path, sight in sights.items() if _may_have_changed(sight)}
            changed |= {directory / name for directory in inside for name in inside[directory]}
            if changed:
                report(changed)

        await self._watcher.follow(seen)


def _may_have_changed(sight: Sight) -> bool:
    return sight.touched or sight.before != sight.now


def _see(path: Path, notifier: Notifier, silent: Set[int]) -> Look:
    look = Walk(notifier.add, silent).look(path)
    contents, blind = frozenset[Hinge](), look.blind
    try:
        if path.is_dir():
            contents = frozenset({(notifier.add(path, CONTENTS), CONTENTS_OF)})
            blind |= path.stat().st_dev in silent
        else:
            # The hinges tell of its coming and going; this, of what is written into it.
            notifier.add(path.resolve().parent, CONTENTS)
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        pass  # Gone just now, or a circle of links: the hinges tell.
    except OSError:
        blind = True
    return Look(look.presence, look.hinges | contents, blind)
