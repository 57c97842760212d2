"""Reads files with bounds: at most the size of a definition, and without waiting for a pipe."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from controllers.definitions.yaml_tree import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Stamp:
    """The metadata of a file; if it is unchanged, the file need not be read again."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int
    device: int


def stamp(path: Path) -> Stamp | None:
    """Return the stamp of the file at ``path``, after links; ``None`` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


def read_bounded(path: Path) -> bytes:
    """Return the contents of a regular file, at most one byte more than the limit of a document.

    Raises ``OSError``, also for directories, pipes and devices.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(MAX_BYTES + 1)


def _without_waiting(path: str, flags: int) -> int:
    # Without this flag, open() of a pipe called x.yaml waits for a writer.
    return os.open(path, flags | os.O_NONBLOCK)


def failure(path: Path, error: OSError) -> str:
    """Return the error in Go's format: ``open PATH: permission denied``."""
    reason = error.strerror or str(error)
    verb = "read" if isinstance(error, IsADirectoryError) else "open"
    return f"{verb} {path}: {reason[:1].lower()}{reason[1:]}"
