"""The log files of services that are gone: the newest stay to be read, the others are removed.

Why a service was removed is often in its last words, so that its files stay when all else that
belongs to it goes; but names may come and go by the thousand. *The rule:* the files of the
:data:`KEPT` services that were removed last stay, those of older ones are removed. Of services that
were removed while no supervisor was there, the time of their last word counts.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
)
from controllers.paths import Paths
from resources.extension_service import service_id
from resources.go_format import (
    os_error_text,
)

KEPT: Final = 32
"""Services that are gone and whose files stay; 10 MiB each at most."""

_PREFIX: Final = service_id("")
_SUFFIXES: Final = (".log", ".log.1")


class OldLogFiles:
    """Which service's files are nobody's any more, the oldest first.

    :meth:`find` and :meth:`prune` block, and are called in any thread.
    """

    def __init__(self, paths: Paths, report: Callable[[str], None]) -> None:
        self._paths = paths
        self._report = report
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, id: str) -> None:
        """A service is gone just now."""
        with self._lock:
            self._ids.pop(id, None)
            self._ids[id] = None

    def take_back(self, id: str) -> None:
        """There is a service of this name."""
        with self._lock:
            self._ids.pop(id, None)

    def find(self, living: Collection[str]) -> None:
        """Learn from the directory of whose services there are files, none of these living ones."""
        found = {id: written for id, written in self._written() if id not in living}
        with self._lock:
            older = [(found[id], id) for id in found.keys() - self._ids.keys()]
            self._ids = dict.fromkeys((*(id for _, id in sorted(older)), *self._ids))

    def prune(self) -> None:
        """Remove the files of all but those that were removed last."""
        while self._prune_one():
            pass

    def _prune_one(self) -> bool:
        # The files too, so that none is taken from a service that has just come back.
        with self._lock:
            if len(self._ids) <= KEPT:
                return False
            id = next(iter(self._ids))
            del self._ids[id]
            for file in self._files(id):
                self._remove(file)
            return True

    def _remove(self, file: Path) -> None:
        try:
            if _regular(self._paths.beneath, file):
                self._paths.beneath.remove(file)
        except OSError as error:
            self._report(f"an old log file cannot be removed: {os_error_text(error)}")

    def _files(self, id: str) -> Iterator[Path]:
        log = self._paths.log(id)
        return (log.with_name(log.name.removesuffix(".log") + suffix) for suffix in _SUFFIXES)

    def _written(self) -> Iterator[tuple[str, float]]:
        """Each service of which there is a file, and when it was written to last."""
        latest: dict[str, float] = {}
        try:
            names = self._paths.beneath.names(self._paths.logs)
        except OSError:
            return iter(())
        for name in filter(_is_name, names):
            there = _regular(self._paths.beneath, self._paths.logs / name)
            if there:
                id = name.removesuffix(".1").removesuffix(".log")
                latest[id] = max(latest.get(id, 0.0), there.st_mtime)
        return iter(latest.items())


def _is_name(file: str) -> bool:
    return file.startswith(_PREFIX) and file.endswith(_SUFFIXES)


def _regular(beneath: Beneath, file: Path) -> os.stat_result | None:
    """What is there, if it is a file: all else is no log of ours."""
    there = beneath.look(file)
    return there if there and stat.S_ISREG(there.st_mode) else None
