"""Boot files: small JSON files in one directory that are valid until the machine reboots."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from controllers.files.beneath import (
    Beneath,
)
from controllers.processes.processes import boot_id
from resources.go_format import (
    os_error_text,
)

_log = logging.getLogger(__name__)

_SUFFIX: Final = ".json"


class BootFiles:
    """One file for each name; the caller ensures that a name is not a path.

    The directory is created when it is needed. Every method may raise ``OSError``.
    """

    def __init__(
        self, directory: Path, beneath: Beneath, boot: Callable[[], str] = boot_id
    ) -> None:
        """``beneath`` opens the directory: it follows no links below its root."""
        self._directory = directory
        self._beneath = beneath
        self._boot = boot

    def read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every name with its fields; files of another boot, and damaged ones, are removed."""
        boot = self._boot()
        for name in self._beneath.names(self._directory):
            if name.startswith(".") or not name.endswith(_SUFFIX):
                continue
            if (fields := self._parse(self._directory / name, boot)) is not None:
                yield name.removesuffix(_SUFFIX), fields
            else:
                self._discard(self._directory / name)

    def write(self, name: str, fields: Mapping[str, object]) -> None:
        """Write ``fields`` to a file atomically: whole or not at all, also if this is killed."""
        self._beneath.make_private(self._directory)
        content = json.dumps({"boot_id": self._boot(), **fields}).encode()
        self._beneath.write(self._file(name), content, by=self._directory / f".{name}")

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is no error."""
        self._beneath.remove_file(self._file(name))

    def remove_directory(self) -> None:
        """Remove the directory if it is empty."""
        self._beneath.remove_empty(self._directory)

    def _discard(self, file: Path) -> None:
        """Remove an invalid file; if that fails, the others are read all the same."""
        try:
            self._beneath.remove_file(file)
        except OSError as error:
            _log.warning("cannot remove %s, which is not valid: %s", file, os_error_text(error))

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"

    def _parse(self, file: Path, boot: str) -> dict[str, Any] | None:
        try:
            fields: dict[str, Any] = json.loads(self._beneath.read(file))
            return fields if fields.pop("boot_id") == boot else None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
