"""Small JSON files in one directory that count until the machine boots again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from controllers.containers.go_errors import os_error_text
from controllers.containers.processes import boot_id

_log = logging.getLogger(__name__)


class BootFiles:
    """One file for each name, which is no path: the caller sees to that.

    The directory is made when it is needed. Every method raises ``OSError``.
    """

    def __init__(self, directory: Path, boot: Callable[[], str] = boot_id) -> None:
        self._directory = directory
        self._boot = boot

    def read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every name with its fields; what is of another boot, or damaged, is removed."""
        if not self._directory.is_dir():
            return
        boot = self._boot()
        for file in self._directory.glob("*.json"):
            if (fields := _parse(file, boot)) is not None:
                yield file.stem, fields
            else:
                self._discard(file)

    def write(self, name: str, fields: Mapping[str, object]) -> None:
        """Make a file hold these, whole or not at all, whoever is killed meanwhile."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._directory / f".{name}"
        temporary.write_text(json.dumps({"boot_id": self._boot(), **fields}))
        temporary.replace(self._file(name))

    def remove(self, name: str) -> None:
        """Take a file away; a missing one is none."""
        self._file(name).unlink(missing_ok=True)

    def remove_directory(self) -> None:
        """Take the directory away if nothing is in it."""
        if self._directory.is_dir() and not any(self._directory.iterdir()):
            self._directory.rmdir()

    def _discard(self, file: Path) -> None:
        """Take away what does not count; one that cannot be removed keeps nothing else from being
        read.
        """
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("%s does not count, and cannot be removed: %s", file, os_error_text(error))

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _parse(file: Path, boot: str) -> dict[str, Any] | None:
    try:
        fields: dict[str, Any] = json.loads(file.read_text())
        return fields if fields.pop("boot_id") == boot else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
