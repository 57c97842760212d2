"""Creates missing source directories of a container's mounts, and nothing else.

Talos 1.14 creates a directory (0700) for every missing mount source: for the word ``tmpfs``, and
for ``/run/machined/machine.sock`` if the service starts just before the socket exists (after that
no server can listen there any more). Here a directory is created only if a directory is meant: for
a bind mount, from an absolute path, outside the trees that the system itself fills, and not if
either side looks like a file. Everything else is an error that names the mount.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Final

from controllers.files.inside import (
    ContainerView,
    Missing,
)
from resources.extension_service import Mount
from resources.go_format import (
    os_error_text,
    quote,
)

# In Talos's image these are read-only, or belong to the kernel; nothing is created there.
_SYSTEM: Final = frozenset(
    ("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "proc", "sbin", "sys", "usr")
)
_SHARED_MEMORY: Final = PurePosixPath("/dev/shm")  # noqa: S108 a path in a definition

_LIKE_FILES: Final = """
    .cfg .conf .crt .db .env .img .ini .json .key .lock .log .pem .pid .service .sh .so .sock
    .socket .toml .txt .xml .yaml .yml
"""
_FILE_SUFFIXES: Final = frozenset(_LIKE_FILES.split())


class MountSourceError(Exception):
    """The source of a mount does not exist and cannot be created; the message names the mount."""


def make_missing_sources(mounts: Iterable[Mount], rootfs: Path) -> None:
    """Create the missing source directories of ``mounts``, in order, with mode 0700.

    Raises :class:`MountSourceError` for the first one that does not exist and cannot be created.
    """
    for mount in mounts:
        if mount.is_bind:
            _make(mount, rootfs)


def _make(mount: Mount, rootfs: Path) -> None:
    if not mount.source.startswith("/"):
        raise _error(mount, "is not an absolute path")
    try:
        Path(mount.source).stat()
    except FileNotFoundError:
        if reason := _reason_not_to_make(mount, rootfs):
            raise _error(mount, f"does not exist, and is not created: {reason}") from None
        _make_directory(mount)
    except OSError as error:
        raise _error(mount, f"cannot be used: {os_error_text(error, 'stat')}") from None


def _make_directory(mount: Mount) -> None:
    path = Path(mount.source)
    missing = [parent for parent in (path, *path.parents) if not parent.exists()]
    try:
        for directory in reversed(missing):
            directory.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        reason = os_error_text(error, "mkdir")
        raise MountSourceError(f"{reason} (source of mount {quote(mount.destination)})") from None


def _reason_not_to_make(mount: Mount, rootfs: Path) -> str:
    """Why the source of a mount is not created as a directory; "" if it is."""
    source = PurePosixPath(mount.source)
    if os.path.islink(source):  # noqa: PTH114 a PurePosixPath has no is_symlink()
        return "it is a dangling symbolic link"
    top = source.parts[1] if len(source.parts) > 1 else ""
    if top in _SYSTEM and not source.is_relative_to(_SHARED_MEMORY):
        return f"/{top} {'has only devices' if top == 'dev' else 'belongs to the system'}"
    if source.suffix in _FILE_SUFFIXES:
        return "only directories are created, and it has the name of a file"
    if _is_file(mount.destination, rootfs):
        return "only directories are created, and the destination is a file"
    return ""


def _is_file(destination: str, rootfs: Path) -> bool:
    try:
        place = ContainerView(rootfs).find(destination)
        return place is not None and not stat.S_ISDIR(place.lstat().st_mode)
    except (Missing, OSError):
        return False


def _error(mount: Mount, text: str) -> MountSourceError:
    return MountSourceError(
        f"source {quote(mount.source)} of mount {quote(mount.destination)} {text}"
    )
