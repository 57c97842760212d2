"""One supervisor for one tree: two would start every service twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from controllers.containers.driver import DriverError
from controllers.containers.go_errors import os_error_text


@contextmanager
def only_one(directory: Path) -> Generator[None]:
    """Hold the lock of a run directory, which the kernel lifts when its holder dies.

    Raises:
        DriverError: somebody else holds it, or the directory cannot be used.
    """
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = _lock(directory / "lock")
    except BlockingIOError:
        raise DriverError(f"another supervisor holds {directory / 'lock'}: stop it first") from None
    except OSError as error:
        raise DriverError(f"run directory cannot be used: {os_error_text(error)}") from error
    try:
        yield
    finally:
        (directory / "lock").unlink(missing_ok=True)
        os.close(lock)


def _lock(file: Path) -> int:
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        # Its last holder has removed it between our two calls: what is locked is nobody's file.
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)
