"""Cgroups of containers on v1, v2 and hybrid machines: lists their processes, and removes them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_MOUNTS: Final = Path("/proc/self/mountinfo")


class Cgroups:
    """All cgroup hierarchies of this machine; a container has the same path in each."""

    def __init__(self, mounts: str | None = None) -> None:
        text = _MOUNTS.read_text(errors="surrogateescape") if mounts is None else mounts
        self._roots = tuple(dict.fromkeys(_mount_points(text)))

    @property
    def usable(self) -> bool:
        """Whether any hierarchy is mounted."""
        return bool(self._roots)

    def directories(self, path: str) -> Iterator[Path]:
        """The directories of one cgroup, in the hierarchies that have it."""
        for root in self._roots:
            directory = root / path.lstrip("/")
            if directory.is_dir():
                yield directory

    def processes(self, path: str) -> set[int]:
        """The processes of a cgroup and of those below it."""
        found: set[int] = set()
        for directory in self.directories(path):
            for file in (directory / "cgroup.procs", *directory.glob("**/cgroup.procs")):
                # A cgroup may be removed meanwhile, and threaded ones have no list of processes.
                with contextlib.suppress(OSError):
                    found.update(map(int, file.read_text().split()))
        return found

    def thaw(self, path: str) -> None:
        """Thaw processes that a killed command of a runtime left frozen."""
        for directory in self.directories(path):
            for name, thawed in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                if (directory / name).exists():
                    (directory / name).write_text(thawed)

    def remove(self, path: str) -> None:
        """Remove a cgroup and those below it; raises ``OSError`` if one is in use."""
        for directory in self.directories(path):
            below = sorted((d for d in directory.glob("**/") if d != directory), reverse=True)
            for each in (*below, directory):
                with contextlib.suppress(FileNotFoundError):
                    each.rmdir()

    def remove_empty(self, path: str) -> None:
        """Remove a cgroup and those above it, as long as they are unused."""
        for root in self._roots:
            directory = root / path.lstrip("/")
            with contextlib.suppress(OSError):
                while directory != root:
                    with contextlib.suppress(FileNotFoundError):
                        directory.rmdir()
                    directory = directory.parent


def _mount_points(mounts: str) -> Iterator[Path]:
    """The mount points of the hierarchies."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith(("cgroup ", "cgroup2 ")):
            yield Path(before.split()[4])
