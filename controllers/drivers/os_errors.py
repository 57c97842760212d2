"""Errors of the operating system, and of its processes, as errors of a driver."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from controllers.drivers.driver import DriverError
from controllers.processes.session import ProcessesRemain
from resources.go_format import (
    os_error_text,
)


@contextmanager
def failing_as(kind: type[DriverError], doing: str = "") -> Generator[None]:
    """Inside, what the system refuses is raised as ``kind``, with ``doing`` before its text."""
    try:
        yield
    except OSError as error:
        raise kind(doing + os_error_text(error)) from error
    except ProcessesRemain as error:
        raise kind(doing + str(error)) from error


def error_text(error: Exception) -> str:
    """Any error in words; one that a driver does not expect with its class."""
    if isinstance(error, OSError):
        return os_error_text(error)
    return str(error) if isinstance(error, DriverError) else f"{type(error).__name__}: {error}"
