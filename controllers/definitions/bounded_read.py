"""Files → bytes, bounded: never more than a definition can have, never a wait for a pipe."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from controllers.definitions.yaml_tree import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a file is known to be unchanged, without reading it."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int
    device: int


def stamp(path: Path) -> Stamp | None:
    """Return the stamp of what ``path`` leads to; ``None`` if it leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_dev)


def read_bounded(path: Path) -> bytes:
    """Return the contents of a regular file, at most one byte more than a document may have.

    Raises ``OSError``; also for directories, pipes and devices.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(MAX_BYTES + 1)


def _without_waiting(path: str, flags: int) -> int:
    # A pipe called x.yaml would be waited for until somebody writes into it.
    return os.open(path, flags | os.O_NONBLOCK)


def failure(path: Path, error: OSError) -> str:
    """Return the error in Go's words: ``open PATH: permission denied``."""
    reason = error.strerror or str(error)
    verb = "read" if isinstance(error, IsADirectoryError) else "open"
    return f"{verb} {path}: {reason[:1].lower()}{reason[1:]}"
