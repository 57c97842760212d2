"""The config files of services on disk: one directory for each service. Blocking: for a thread.

Talos 1.14 writes in place, so that a running service sees half of a new file, and a crash leaves
half of it for ever (differences: Talos 10). Here a file is replaced by renaming: a container that
has the old one mounted keeps it, whole, until it is started anew.

They may hold secrets. On the host only root gets at them, as only root may enter the directory of
them all; their own modes let every user of a container read what is mounted there from them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
)
from resources.extension_service_config import ExtensionServiceConfig

_DIRECTORY_MODE: Final = 0o755
_FILE_MODE: Final = 0o644
_TEMPORARY: Final = ".new"  # no service can have this name


class ConfigDirectory:
    """All services' config files, below one directory that holds nothing else."""

    def __init__(self, base: Path, beneath: Beneath) -> None:
        self.base = base
        self._beneath = beneath

    def write(self, service: str, config: ExtensionServiceConfig) -> None:
        """Make the service's directory hold the config's files and nothing else.

        What is there already stays as it is, its times included. Raises ``OSError``.
        """
        self._beneath.make_private(self.base)
        directory = self.base / service
        self._make(directory)
        files = contents(config)
        changed = [name for name in files if not self._holds(directory / name, files[name])]
        for name in changed:
            self._replace(directory / name, files[name])
        foreign = set(self._beneath.names(directory)).difference(files)
        for name in foreign:
            self._beneath.remove(directory / name)
        if changed or foreign:
            with self._beneath.directory(directory) as descriptor:
                os.fsync(descriptor)

    def remove(self, service: str) -> None:
        """Take the service's directory away; raises ``OSError``."""
        self._beneath.remove(self.base / service)

    def sweep(self, keep: Collection[str]) -> Mapping[str, OSError]:
        """Remove whatever belongs to none of these services; return what could not be, and why.

        Raises ``OSError`` if the directory of all cannot be used.
        """
        stuck: dict[str, OSError] = {}
        if self._beneath.look(self.base) is None:
            return stuck
        # One that an older version of this program has made could be entered by everyone.
        self._beneath.make_private(self.base)
        for name in self._beneath.names(self.base):
            if name not in keep:
                try:
                    self._beneath.remove(self.base / name)
                except OSError as error:
                    stuck[name] = error
        return stuck

    def _make(self, directory: Path) -> None:
        there = self._beneath.look(directory)
        if there is None or not stat.S_ISDIR(there.st_mode):
            self._beneath.remove(directory)
            with self._beneath.directory(directory, make=_DIRECTORY_MODE) as made:
                os.fchmod(made, _DIRECTORY_MODE)  # whatever the umask says

    def _replace(self, path: Path, content: bytes) -> None:
        there = self._beneath.look(path)
        if there and stat.S_ISDIR(there.st_mode):
            self._beneath.remove(path)
        self._beneath.write(path, content, _FILE_MODE, sync=True, by=self.base / _TEMPORARY)

    def _holds(self, path: Path, content: bytes) -> bool:
        there = self._beneath.look(path)
        if there is None or not stat.S_ISREG(there.st_mode) or there.st_size != len(content):
            return False
        return self._beneath.read(path, len(content) + 1) == content


def is_directory_name(service: str) -> bool:
    """Whether a directory of this name lies where it should: in the base directory."""
    return service not in {"", ".", "..", _TEMPORARY} and "/" not in service and "\0" not in service


def contents(config: ExtensionServiceConfig) -> Mapping[str, bytes]:
    """What each file is to hold, by file name; of two for one mount path the last one counts."""
    return {config.file_names[file.mount_path]: file.content.encode() for file in config.files}
