"""The log files of removed services: the newest are kept, the others are removed.

The last output of a service often explains why it was removed, so its log files stay when
everything else is removed; but there may be thousands of removed services. *The rule:* the files of
the :data:`KEPT` services that were removed last are kept, those of older ones are removed. For
services that were removed while no supervisor ran, the time of their last output counts.
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
"""How many removed services keep their files; at most 10 MiB each."""

_PREFIX: Final = service_id("")
_SUFFIXES: Final = (".log", ".log.1")


class OldLogFiles:
    """The removed services with log files, the oldest first.

    :meth:`find` and :meth:`prune` block, and may be called in any thread.
    """

    def __init__(self, paths: Paths, report: Callable[[str], None]) -> None:
        self._paths = paths
        self._report = report
        self._ids: dict[str, None] = {}
        self._lock = threading.Lock()

    def add(self, id: str) -> None:
        """Add a service that was just removed."""
        with self._lock:
            self._ids.pop(id, None)
            self._ids[id] = None

    def take_back(self, id: str) -> None:
        """Exclude a service that exists (again)."""
        with self._lock:
            self._ids.pop(id, None)

    def find(self, living: Collection[str]) -> None:
        """Find the services with files in the directory, except the ``living`` ones."""
        found = {id: written for id, written in self._written() if id not in living}
        with self._lock:
            older = [(found[id], id) for id in found.keys() - self._ids.keys()]
            self._ids = dict.fromkeys((*(id for _, id in sorted(older)), *self._ids))

    def prune(self) -> None:
        """Remove the files of all but the :data:`KEPT` last removed services."""
        while self._prune_one():
            pass

    def _prune_one(self) -> bool:
        # The files are removed under the lock, too: the service may just be created again.
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
        """Each service with a file, and the time of its last write."""
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
    """The status of a regular file; nothing else is one of our logs."""
    there = beneath.look(file)
    return there if there and stat.S_ISREG(there.st_mode) else None
