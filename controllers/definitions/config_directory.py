"""The config files of services on disk: one directory for each service. Blocking: for a thread.

Talos 1.14 writes in place, so that a running service sees half of a new file, and a crash leaves
half of it for ever (weak point 11.1/10). Here a file is replaced by renaming: a container that has
the old one mounted keeps it, whole, until it is started anew.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from resources.extension_service_config import ExtensionServiceConfig

_DIRECTORY_MODE: Final = 0o755
_FILE_MODE: Final = 0o644
_TEMPORARY: Final = ".new"  # no service can have this name


class ConfigDirectory:
    """All services' config files, below one directory that holds nothing else."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def write(self, service: str, config: ExtensionServiceConfig) -> None:
        """Make the service's directory hold the config's files and nothing else.

        What is there already stays as it is, its times included. Raises ``OSError``.
        """
        directory = self.base / service
        if directory.is_symlink() or not directory.is_dir():
            _remove(directory)
            directory.mkdir(parents=True)
            directory.chmod(_DIRECTORY_MODE)  # whatever the umask says
        files = contents(config)
        changed = [name for name in files if not _holds(directory / name, files[name])]
        for name in changed:
            self._replace(directory / name, files[name])
        foreign = [path for path in directory.iterdir() if path.name not in files]
        for path in foreign:
            _remove(path)
        if changed or foreign:
            _sync(directory)

    def remove(self, service: str) -> None:
        """Take the service's directory away; raises ``OSError``."""
        _remove(self.base / service)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove whatever belongs to none of these services; raises ``OSError``."""
        if self.base.is_dir():
            for path in self.base.iterdir():
                if path.name not in keep:
                    _remove(path)

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = self.base / _TEMPORARY
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), _FILE_MODE)
            os.fsync(file.fileno())
        if path.is_dir() and not path.is_symlink():
            _remove(path)
        temporary.replace(path)


def is_directory_name(service: str) -> bool:
    """Whether a directory of this name lies where it should: in the base directory."""
    return service not in {"", ".", "..", _TEMPORARY} and "/" not in service and "\0" not in service


def contents(config: ExtensionServiceConfig) -> Mapping[str, bytes]:
    """What each file is to hold, by file name; of two for one mount path the last one counts."""
    return {config.file_names[file.mount_path]: file.content.encode() for file in config.files}


def _holds(path: Path, content: bytes) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != len(content):
        return False
    return path.read_bytes() == content


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
