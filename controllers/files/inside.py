"""Resolves paths inside a container on the host, as its runtime and its processes resolve them.

Links are followed inside the root filesystem and its mounts, never out of them; ``..`` stops at the
root. The destination of a mount is resolved with the earlier mounts in place (runc and crun:
``filepath-securejoin``, ``RESOLVE_IN_ROOT``), and its missing parents are created.
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
"""The most symbolic links in one path, as in the kernel (path_resolution(7))."""
_ROOT: Final = PurePosixPath("/")


class Missing(Exception):
    """A path inside a container certainly does not exist."""


@dataclass(frozen=True)
class Mounted:
    """One mount of a container."""

    destination: str
    """As in the definition: it may be relative, and have links and ``..``."""
    source: Path | None = None
    """The bind source on the host; ``None`` for a mount that the host cannot look into."""


class ContainerView:
    """The filesystem of a container, before the container exists."""

    def __init__(self, rootfs: Path, mounts: Iterable[Mounted] = ()) -> None:
        """``mounts`` are in the order in which they are mounted."""
        self._rootfs = rootfs
        self._mounts: list[tuple[PurePosixPath, Path | None]] = []
        for mount in mounts:
            source = mount.source and Path(os.path.realpath(mount.source))
            self._mounts.append((self._place(mount.destination), source))

    def find(self, path: str) -> Path | None:
        """The path on the host of the file at ``path``; ``None`` if it is not certain.

        Raises :class:`Missing` if it does not exist, with any contents of the mounts.
        """
        try:
            return self._host(self._follow(path, _Walk(certain=True)))
        except OSError:
            return None

    def _place(self, destination: str) -> PurePosixPath:
        """The resolved destination of a mount, with the earlier mounts in place."""
        if not destination.startswith("/"):
            # runc normalizes a relative destination before it resolves links in it.
            destination = posixpath.normpath(f"/{destination}")
        try:
            return self._follow(destination, _Walk(certain=False))
        except OSError:  # a loop of links, which the runtime refuses
            return PurePosixPath(destination)

    def _follow(self, path: str, walk: _Walk) -> PurePosixPath:
        """The resolved path, without links."""
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
        """The target of the link at ``at``; "" if it is not a link."""
        host = self._host(at)
        try:
            if host is None:
                raise PermissionError(f"{at} is in a mount that the host cannot see")
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
        """Whether it is a directory that the runtime creates as a parent of a mount."""
        return any(at != place and place.is_relative_to(at) for place, _ in self._mounts)


class _Walk:
    """The unresolved rest of one path."""

    def __init__(self, *, certain: bool) -> None:
        self.certain = certain
        """Whether an invisible part is an error; otherwise it counts as an ordinary name."""
        self.parts: list[str] = []
        self._links = 0

    def into(self, target: str, at: PurePosixPath) -> PurePosixPath:
        """Follow a link in the directory ``at``; raises ``OSError`` if there are too many."""
        self._links += 1
        if self._links > _LINKS:
            raise OSError("too many links")
        where = PurePosixPath(target)
        self.parts[:0] = where.parts[1:] if where.is_absolute() else where.parts
        return _ROOT if where.is_absolute() else at
