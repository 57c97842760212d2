"""A timer descriptor that becomes readable when the clock is set.

The kernel cancels a timer on absolute real time, on request, whenever that time is set:
timerfd_create(2), ``TFD_TIMER_CANCEL_ON_SET``. The timer itself never expires.
Python has these calls from 3.13 on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from types import TracebackType
from typing import Self

_ABSOLUTE_AND_CANCEL_ON_SET = 1 | 2
_NEVER_SECONDS = 2**31 - 1


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("value_seconds", ctypes.c_long),
        ("value_nanoseconds", ctypes.c_long),
    )


class ClockSetDescriptor:
    """One timer descriptor; a context manager. Raises ``OSError``."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = self._checked(self._libc.timerfd_create(time.CLOCK_REALTIME, flags))
        self._arm()

    def acknowledge(self) -> None:
        """Make the descriptor unreadable until the clock is set again."""
        # ECANCELED means that the clock was set; EAGAIN that it was not.
        with contextlib.suppress(OSError):
            os.read(self.fd, 8)
        self._arm()

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)

    def _arm(self) -> None:
        spec = _TimerSpec(value_seconds=_NEVER_SECONDS)
        self._checked(
            self._libc.timerfd_settime(
                self.fd, _ABSOLUTE_AND_CANCEL_ON_SET, ctypes.byref(spec), None
            )
        )

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"timerfd: {os.strerror(number)}")
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
