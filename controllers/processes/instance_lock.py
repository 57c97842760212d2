"""The instance lock: one supervisor for a tree, because two would start every service twice."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from controllers.files.beneath import (
    Beneath,
)
from cosi import CosiError
from resources.go_format import (
    os_error_text,
)


class LockError(CosiError):
    """The tree belongs to another supervisor, or its run directory cannot be used."""


# The lock below belongs to a process: it does not exclude a second driver in the same one.
_here: Final[set[Path]] = set()


@contextmanager
def instance_lock(directory: Path, beneath: Beneath) -> Generator[None]:
    """Hold the lock of a run directory, which the kernel releases when the holder dies.

    ``beneath`` opens the directory safely. Raises :class:`LockError` if another supervisor holds
    the lock, or the directory cannot be used.
    """
    file = directory / "lock"
    if file in _here:
        raise _held(file)
    try:
        beneath.make_directory(directory)
        lock = _lock(file, beneath)
    except BlockingIOError:
        raise _held(file) from None
    except OSError as error:
        raise LockError(f"run directory cannot be used: {os_error_text(error)}") from error
    _here.add(file)
    try:
        yield
    finally:
        _here.discard(file)
        with contextlib.suppress(OSError):  # it was removed, with or without its directory
            beneath.remove(file)
        os.close(lock)


def _held(file: Path) -> LockError:
    return LockError(f"another supervisor holds {file}: stop it first")


def _lock(file: Path, beneath: Beneath) -> int:
    while True:
        lock = beneath.open(file, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK)
        try:
            # This lock belongs to the supervisor alone, and shows whether it is alive.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # This one is inherited by its child processes, up to their execve: once we have it,
            # a killed supervisor cannot start anything any more.
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            os.close(lock)
            raise
        # Without a link the last holder removed the file between our two calls: lock a new one.
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)
