"""A rate-limited logger: one line a second for each key, with the number of suppressed ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

PAUSE_SECONDS: Final = 1.0
_KEYS: Final = 256


@dataclass(slots=True)
class _Line:
    moment: float
    kept_back: int = 0


class Rarely:
    """A logger for events that clients can cause: they must not fill a disk.

    Lines with the same ``key`` are limited together. The text cannot be the key, because clients
    may choose parts of it.
    """

    def __init__(self, log: logging.Logger, now: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._now = now
        self._lines: dict[Hashable, _Line] = {}

    def warning(self, key: Hashable, text: str, *args: object) -> None:
        """Log a warning, unless one of this ``key`` was logged within the last second."""
        self._write(logging.WARNING, key, text, args, None)

    def error(self, key: Hashable, text: str, *args: object, exc_info: BaseException) -> None:
        """Log an error with its traceback, under the same condition."""
        self._write(logging.ERROR, key, text, args, exc_info)

    def _write(
        self,
        level: int,
        key: Hashable,
        text: str,
        args: tuple[object, ...],
        exc_info: BaseException | None,
    ) -> None:
        now = self._now()
        last = self._lines.pop(key, None)
        if last is not None and now < last.moment + PAUSE_SECONDS:
            last.kept_back += 1
            self._lines[key] = last
            return
        if last is not None and last.kept_back:
            text, args = f"{text} (%d more since the last such line)", (*args, last.kept_back)
        self._lines[key] = _Line(now)
        if len(self._lines) > _KEYS:
            del self._lines[next(iter(self._lines))]  # the one without a line for the longest time
        self._log.log(level, text, *args, exc_info=exc_info)
