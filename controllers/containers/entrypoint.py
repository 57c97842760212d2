"""Whether the program of a container can be there at all, told before anything is started."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

_LINKS: Final = 40
"""Symbolic links that are followed in one path, as the kernel does (path_resolution(7))."""


def looked_for(entrypoint: str, rootfs: Path, mounted: Iterable[str]) -> Path | None:
    """Where the host would have the entrypoint, if it is certainly missing; else `None`.

    It is not certain if a mount (`mounted`: destinations) lies on the way to it, if it would be
    searched for in PATH, or if it cannot be seen.
    """
    if "/" not in entrypoint:
        return None
    way = _Way(rootfs, [PurePosixPath("/", destination) for destination in mounted])
    return way.missing(PurePosixPath("/", entrypoint))


class _Way:
    """Follows a path inside a root filesystem, never out of it."""

    def __init__(self, rootfs: Path, mounted: list[PurePosixPath]) -> None:
        self._rootfs = rootfs
        self._mounted = mounted
        self._links = 0

    def missing(self, path: PurePosixPath) -> Path | None:
        at = PurePosixPath("/")
        parts = list(path.parts[1:])
        while parts:
            part = parts.pop(0)
            at = at.parent if part == ".." else at / part
            if self._covered(at):
                return None
            here = self._rootfs / at.relative_to("/")
            try:
                linked = stat.S_ISLNK(here.lstat().st_mode)
                target = str(here.readlink()) if linked else ""
            except OSError as error:
                gone = isinstance(error, FileNotFoundError | NotADirectoryError)
                return self._rootfs / path.relative_to("/") if gone else None
            if target:
                self._links += 1
                if self._links > _LINKS:
                    return None
                parts[:0] = PurePosixPath(target).parts
                at = at.parent
                if target.startswith("/"):
                    at = PurePosixPath("/")
                    parts.pop(0)
        return None

    def _covered(self, path: PurePosixPath) -> bool:
        return any(path.is_relative_to(destination) for destination in self._mounted)
