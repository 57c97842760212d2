"""The kernel's clock status: adjtimex(2), read only."""

from __future__ import annotations

import ctypes
import os

_UNSYNCHRONISED = 0x0040
"""``STA_UNSYNC``: set at boot and at each step of the clock; a time daemon clears it."""


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        # The rest is not read; the size is larger than any architecture writes.
        ("rest", ctypes.c_long * 32),
    )


def kernel_clock_is_synchronised() -> bool:
    """Whether a time daemon synchronises the kernel's clock; raises ``OSError`` if not readable."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"adjtimex: {os.strerror(number)}")
    return not timex.status & _UNSYNCHRONISED
