"""The definition directory → readings of the files in it that changed. Blocking: for a thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from controllers.definitions.bounded_read import Stamp, failure, read_bounded, stamp
from controllers.definitions.decoder import in_order
from controllers.definitions.service import Reading, read_service, unreadable
from controllers.files.entrypoint import (
    container_view,
    look_for,
    without_dots,
)
from controllers.files.inside import (
    Missing,
)
from resources.go_format import (
    quote,
)
from resources.problem import (
    Problem,
    Severity,
)

SUFFIX: Final = ".yaml"


def definition_files(directory: Path) -> list[Path]:
    """The definition files, in the order that decides between duplicates.

    A directory that does not exist is empty. Raises ``OSError`` where it cannot be listed.
    """
    try:
        return sorted(path for path in directory.iterdir() if _is_definition(path))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_definition(path: Path) -> bool:
    """Whether a file of this name is read: the text from the last dot on is ``.yaml`` (Talos).

    A name with control characters, or one that is not UTF-8, is not: it could not be shown.
    """
    return path.name.endswith(SUFFIX) and path.name.isprintable()


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at one file: its stamp, its reading, and whether it is a link."""

    stamp: Stamp | None
    reading: Reading
    is_link: bool


class Scanner:
    """Reads definition files; ``rootfs`` maps a service to the path of its root filesystem."""

    def __init__(self, directory: Path, rootfs: Callable[[str], Path]) -> None:
        self.directory = directory
        self._rootfs = rootfs

    def scan(
        self, known: Mapping[Path, Seen], changed: Set[Path], *, trust: bool = True
    ) -> dict[Path, Seen | None]:
        """Read the files among ``changed``; ``None`` for one that does not exist.

        If the directory itself is among them, check every file, and also read those whose stamp
        differs from ``known``; without ``trust``, all of them. Ten thousand files of which one has
        changed cost ten thousand calls of stat(2), and one read. Raises ``OSError`` if the
        directory cannot be listed.
        """
        # A file that is named is read, whatever its stamp: two writes in one tick give one stamp.
        named = {path for path in changed if path.parent == self.directory and _is_definition(path)}
        if self.directory in changed:
            there = definition_files(self.directory)
            gone = known.keys() - set(there)
            read = [p for p in there if p in named or not (trust and _is_as_known(p, known))]
        else:
            read = sorted(path for path in named if os.path.lexists(path))
            gone = named - set(read)
        return {path: self._read(path) for path in read} | dict.fromkeys(gone)

    def _read(self, path: Path) -> Seen:
        # Before the text: if that changes meanwhile, the next look sees another stamp.
        before = stamp(path)
        return Seen(before, self._reading(path), path.is_symlink())

    def _reading(self, path: Path) -> Reading:
        try:
            data = read_bounded(path)
        except OSError as error:
            return unreadable(failure(path, error))
        return self._with_rootfs(read_service(data))

    def _with_rootfs(self, reading: Reading) -> Reading:
        """Warn about a missing entrypoint: only a warning, because it may be mounted later.

        If it is still missing when the service starts, the service fails with an error.
        """
        if (spec := reading.spec) is None:
            return reading
        rootfs, entrypoint = self._rootfs(spec.name), spec.container.entrypoint
        try:
            look_for(entrypoint, container_view(rootfs, spec.container.mounts))
        except Missing:
            missing = rootfs / without_dots(entrypoint)
        else:
            return reading
        line, column = reading.entrypoint_at
        text = f"entrypoint {quote(entrypoint)} is not there: {missing} does not exist"
        warning = Problem(line=line, column=column, severity=Severity.WARNING, text=text)
        return replace(reading, problems=in_order([*reading.problems, warning]))


def _is_as_known(path: Path, known: Mapping[Path, Seen]) -> bool:
    return path in known and known[path].stamp == stamp(path)
