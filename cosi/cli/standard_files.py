"""The standard files: opened where they were closed, and full or broken ones are told from bugs.

Of one that is closed when the program begins, Python makes ``None`` (``sys.stdout``), and the next
file or socket that is opened gets its descriptor. Whatever writes to "standard error" would write
into that, in C libraries too.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import Final

_UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def open_closed_ones() -> None:
    """Before anything else is opened: see to it that 0, 1 and 2 are taken by what they are for."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


async def reader_gone() -> None:
    """Return when the reader of the standard output has gone; never if it is no pipe.

    A command that follows may have nothing to write for days, and would not notice otherwise.
    """
    import anyio

    if not stat.S_ISFIFO(os.fstat(1).st_mode):
        await anyio.sleep_forever()
    await anyio.wait_readable(1)  # of the writing end: an error, that is, the other one is closed


def cannot_be_written(error: OSError) -> bool:
    """Whether ``error`` is of the standard output; nothing is left in it for the end then."""
    if error.filename is not None or error.errno not in _UNWRITABLE:
        return False
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return True
