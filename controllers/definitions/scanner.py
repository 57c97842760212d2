"""The definition directory → readings of the files in it that changed. Blocking: for a thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
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
from resources.extension_service import ExtensionServiceSpec
from resources.go_format import (
    quote,
)
from resources.problem import (
    Problem,
    Severity,
)

SUFFIX: Final = ".yaml"


def is_definition(name: str) -> bool:
    """Whether a file of this name is read: the text from the last dot on is ``.yaml`` (Talos).

    A name with control characters, or that is no UTF-8, is not: nobody could be told about it.
    """
    return name.endswith(SUFFIX) and name.isprintable()


def definition_names(directory: Path) -> list[str]:
    """The names of the definition files, in the order that decides between duplicates.

    A directory that does not exist is empty. Raises ``OSError`` where it cannot be listed.
    """
    try:
        return sorted(path.name for path in directory.iterdir() if is_definition(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return []


@dataclass(frozen=True, slots=True)
class Seen:
    """One file that was read: when it last changed, what it says, whether it is a link."""

    stamp: Stamp | None
    reading: Reading
    is_link: bool


@dataclass(frozen=True, slots=True)
class Scan:
    """What is new: files that were read, and files that are no longer there."""

    seen: Mapping[str, Seen]
    gone: frozenset[str]


class Scanner:
    """Reads definition files; ``rootfs`` says where the root filesystem of a service lies."""

    def __init__(self, directory: Path, rootfs: Callable[[str], Path]) -> None:
        self.directory = directory
        self._rootfs = rootfs

    def scan(self, known: Mapping[str, Stamp | None], names: Iterable[str] | None = None) -> Scan:
        """Read what changed since ``known``: all of ``names``, or whatever a look at all finds.

        Ten thousand files of which one has changed are ten thousand calls of stat(2), and one read.
        Raises ``OSError`` where the directory cannot be listed.
        """
        if names is None:
            there = definition_names(self.directory)
            gone = known.keys() - set(there)
            changed = [name for name in there if self._has_changed(name, known)]
        else:
            asked = set(filter(is_definition, names))
            there = sorted(name for name in asked if os.path.lexists(self.directory / name))
            gone = asked - set(there)
            changed = there
        return Scan({name: self._read(name) for name in changed}, frozenset(gone))

    def _has_changed(self, name: str, known: Mapping[str, Stamp | None]) -> bool:
        return name not in known or known[name] != stamp(self.directory / name)

    def _read(self, name: str) -> Seen:
        path = self.directory / name
        # Before the text: if it changes meanwhile, the next look sees another stamp.
        before = stamp(path)
        return Seen(before, self._reading(path), path.is_symlink())

    def _reading(self, path: Path) -> Reading:
        try:
            data = read_bounded(path)
        except OSError as error:
            return unreadable(failure(path, error))
        reading = read_service(data)
        return self._with_rootfs(reading, reading.spec) if reading.spec else reading

    def _with_rootfs(self, reading: Reading, spec: ExtensionServiceSpec) -> Reading:
        """Warn about an entrypoint that is not there: a warning, for it may be mounted later.

        If it is still missing when the service starts, the service fails and says so.
        """
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
