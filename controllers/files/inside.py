"""Paths inside a container, resolved on the host as its runtime and its processes resolve them.

Links are followed in the root filesystem and in what is mounted there, never out of them; `..`
stops at the root. A mount lies where its destination leads with the mounts before it in place (runc
and crun: `filepath-securejoin`, `RESOLVE_IN_ROOT`), and what is missing on the way to it is made.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

_LINKS: Final = 40
"""Symbolic links that are followed in one path, as the kernel does (path_resolution(7))."""
_ROOT: Final = PurePosixPath("/")


class Missing(Exception):
    """There is certainly nothing at a path inside a container."""


@dataclass(frozen=True)
class Mounted:
    """One mount of a container."""

    destination: str
    """As its definition has it: with links, relative, with `..`."""
    source: Path | None = None
    """What of the host is bound there; `None` for what the host cannot look into."""


class ContainerView:
    """What a container will see, before it is there."""

    def __init__(self, rootfs: Path, mounts: Iterable[Mounted] = ()) -> None:
        """`mounts` in the order in which they are made."""
        self._rootfs = rootfs
        self._mounts: list[tuple[PurePosixPath, Path | None]] = []
        for mount in mounts:
            source = mount.source and Path(os.path.realpath(mount.source))
            self._mounts.append((self._place(mount.destination), source))

    def find(self, path: str) -> Path | None:
        """Where the host has what is at `path`; `None` where that is not certain.

        Raises:
            Missing: there is nothing, whatever the mounts bring.
        """
        try:
            return self._host(self._follow(path, _Walk(certain=True)))
        except OSError:
            return None

    def _place(self, destination: str) -> PurePosixPath:
        """Where a mount lies, among those that are made before it."""
        if not destination.startswith("/"):
            # runc cleans a relative destination before it looks at any link in it.
            destination = posixpath.normpath(f"/{destination}")
        try:
            return self._follow(destination, _Walk(certain=False))
        except OSError:  # it leads in a circle: the runtime refuses it
            return PurePosixPath(destination)

    def _follow(self, path: str, walk: _Walk) -> PurePosixPath:
        """The place to which a path leads; no part of it is a link then."""
        at = _ROOT
        walk.parts = list(PurePosixPath("/", path).parts[1:])
        while walk.parts:
            part = walk.parts.pop(0)
            if part == "..":
                at = at.parent
            elif target := self._link(at / part, walk):
                at = walk.into(target, at)
            else:
                at /= part
        return at

    def _link(self, at: PurePosixPath, walk: _Walk) -> str:
        """Where the link there leads; "" if it is none."""
        host = self._host(at)
        try:
            if host is None:
                raise PermissionError(f"{at} lies in what cannot be looked into")
            return str(host.readlink()) if stat.S_ISLNK(host.lstat().st_mode) else ""
        except OSError as error:
            if not walk.certain or self._is_made(at):
                return ""
            gone = isinstance(error, FileNotFoundError | NotADirectoryError)
            if gone and not self._is_mounted(at):
                raise Missing(str(at)) from None
            raise

    def _host(self, at: PurePosixPath) -> Path | None:
        for place, source in reversed(self._mounts):
            if at.is_relative_to(place):
                return source and source / at.relative_to(place)
        return self._rootfs / at.relative_to(_ROOT)

    def _is_mounted(self, at: PurePosixPath) -> bool:
        return any(at.is_relative_to(place) for place, _ in self._mounts)

    def _is_made(self, at: PurePosixPath) -> bool:
        """Whether it is a directory that the runtime makes, on the way to a mount."""
        return any(at != place and place.is_relative_to(at) for place, _ in self._mounts)


class _Walk:
    """What is still to be followed of one path."""

    def __init__(self, *, certain: bool) -> None:
        self.certain = certain
        """Whether what cannot be seen is an error; a name like any other if not."""
        self.parts: list[str] = []
        self._links = 0

    def into(self, target: str, at: PurePosixPath) -> PurePosixPath:
        """Follow a link that is in the directory `at`; raises `OSError` if there are too many."""
        self._links += 1
        if self._links > _LINKS:
            raise OSError("too many links")
        where = PurePosixPath(target)
        self.parts[:0] = where.parts[1:] if where.is_absolute() else where.parts
        return _ROOT if where.is_absolute() else at
