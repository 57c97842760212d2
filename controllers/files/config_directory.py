"""The config files of services on disk: one directory for each service. Blocking: use a thread.

Talos 1.14 writes in place, so a running service can see half of a new file, and a crash leaves a
partial file behind (differences: Talos 10). Here a file is replaced by renaming: a container that
has the old file mounted keeps it, complete, until the container is restarted.

The files may have secrets. On the host only root can read them, because only root may enter their
common directory. The modes of the files themselves let every user in a container read those mounted
there.
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
    """The config files of all services, below one directory that has nothing else."""

    def __init__(self, base: Path, beneath: Beneath) -> None:
        self.base = base
        self._beneath = beneath

    def write(self, service: str, config: ExtensionServiceConfig) -> None:
        """Make the service's directory contain the config's files and nothing else.

        Unchanged files are not touched, and keep their times. Raises ``OSError``.
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
        """Remove the service's directory; raises ``OSError``."""
        self._beneath.remove(self.base / service)

    def sweep(self, keep: Collection[str]) -> Mapping[str, OSError]:
        """Remove everything that belongs to none of these services; return the failures by name.

        Raises ``OSError`` if the common directory cannot be used.
        """
        stuck: dict[str, OSError] = {}
        if self._beneath.look(self.base) is None:
            return stuck
        # An older version of this program created it with access for all users.
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
                os.fchmod(made, _DIRECTORY_MODE)  # independent of the umask

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
    """Whether a directory with this name is inside the base directory."""
    return service not in {"", ".", "..", _TEMPORARY} and "/" not in service and "\0" not in service


def contents(config: ExtensionServiceConfig) -> Mapping[str, bytes]:
    """The content of each file, by file name; the last one for a mount path counts."""
    return {config.file_names[file.mount_path]: file.content.encode() for file in config.files}
