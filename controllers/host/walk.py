"""The walk along one path: whether it exists, and the directory entries that this depends on.

Whether ``/a/b/c`` exists depends on one name in each directory on the way: ``a`` in ``/``, ``b`` in
``/a``, and so on, through symbolic links as the kernel follows them. These pairs are the path's
*hinges*. Each directory is watched before its name is looked up, so that a change is either seen by
the look or recorded by the watch.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

MOST_LINKS = 40
"""Linux: path_resolution(7)."""

Hinge = tuple[int, str]
"""A watch and a name in its directory."""


@dataclass(frozen=True, slots=True)
class Presence:
    """The answer of stat(2) for a path: present, not present, or (``error``) unknown."""

    present: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """The result of a walk. ``blind``: watches do not record every change of the answer."""

    presence: Presence
    hinges: frozenset[Hinge]
    blind: bool


class Walk:
    """One walk along one path; ``look`` is called once."""

    def __init__(self, watch: Callable[[Path], int], silent: Set[int]) -> None:
        """``watch`` makes a watch or raises; ``silent`` are devices without records in inotify."""
        self._watch = watch
        self._silent = silent
        self._hinges: set[Hinge] = set()
        self._blind = False
        self._links = 0
        self._here = Path("/")

    def look(self, path: str | Path) -> Look:
        """Walk along an absolute path; one that ends in ``/`` or ``/.`` must be a directory."""
        try:
            self._blind = self._here.lstat().st_dev in self._silent
            self._walk(deque(os.fspath(path).split("/")))
            presence = Presence(present=True)
        except FileNotFoundError:
            presence = Presence(present=False)
        except (OSError, ValueError) as error:
            presence = self._unknown(path, error)
        return Look(presence, frozenset(self._hinges), self._blind)

    def _walk(self, names: deque[str]) -> None:
        while names:
            name = names.popleft()
            if name == "..":
                self._here = self._here.parent
            elif name not in {"", "."}:
                self._step(name, names)

    def _step(self, name: str, names: deque[str]) -> None:
        self._hinge(name)
        entry = self._here / name
        found = entry.lstat()
        if stat.S_ISLNK(found.st_mode):
            self._follow(str(entry.readlink()), names)
        elif names and not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        else:
            self._here = entry
            self._blind |= bool(names) and found.st_dev in self._silent

    def _hinge(self, name: str) -> None:
        try:
            self._hinges.add((self._watch(self._here), name))
        except FileNotFoundError:
            pass  # It vanished just now: the watch of its parent has a record of that.
        except OSError:
            self._blind = True

    def _follow(self, target: str, names: deque[str]) -> None:
        self._links += 1
        if self._links > MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            self._here = Path("/")
        names.extendleft(reversed(target.split("/")))

    def _unknown(self, path: str | Path, error: OSError | ValueError) -> Presence:
        number = errno.EINVAL if isinstance(error, ValueError) else (error.errno or errno.EIO)
        # A change of a name, which watches record, can end these errors; of others they have none.
        self._blind |= number not in {errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENAMETOOLONG}
        text = os.strerror(number)
        return Presence(present=False, error=f"stat {path}: {text[:1].lower()}{text[1:]}")
