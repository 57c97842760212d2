"""One supervisor for one tree: two would start every service twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from controllers.containers.driver import DriverError
from controllers.containers.go_errors import os_error_text

# The lock below is a process's: it does not keep out a second driver in the same one.
_here: Final[set[Path]] = set()


@contextmanager
def only_one(directory: Path) -> Generator[None]:
    """Hold the lock of a run directory, which the kernel lifts when its holder dies.

    Raises:
        DriverError: somebody else holds it, or the directory cannot be used.
    """
    file = directory / "lock"
    if file in _here:
        raise _held(file)
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = _lock(file)
    except BlockingIOError:
        raise _held(file) from None
    except OSError as error:
        raise DriverError(f"run directory cannot be used: {os_error_text(error)}") from error
    _here.add(file)
    try:
        yield
    finally:
        _here.discard(file)
        file.unlink(missing_ok=True)
        os.close(lock)


def _held(file: Path) -> DriverError:
    return DriverError(f"another supervisor holds {file}: stop it first")


def _lock(file: Path) -> int:
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # This one is the supervisor's alone, and tells whether it lives.
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # This one is inherited by what it spawns, up to its execve: whoever waits for it
            # finds all that a killed supervisor had begun, and nothing is still to come.
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:
            os.close(lock)
            raise
        # Its last holder has removed it between our two calls: what is locked is nobody's file.
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)
