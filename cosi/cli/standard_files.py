"""Opens standard files that were closed at the start, and recognizes output that cannot be written.

If a standard file is closed when the program starts, Python sets ``sys.stdout`` (or its neighbour)
to ``None``, and the next opened file or socket gets its descriptor. All code that writes to
standard error, C libraries included, would then write into that file.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import Final

_UNWRITABLE: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}


def open_closed_ones() -> None:
    """Open closed standard files on ``/dev/null``; call this before any other file is opened."""
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

    A command that follows changes may write nothing for days, and would not notice otherwise.
    """
    import anyio

    if not stat.S_ISFIFO(os.fstat(1).st_mode):
        await anyio.sleep_forever()
    await anyio.wait_readable(1)  # the writing end has an error: the other end is closed


def cannot_be_written(error: OSError) -> bool:
    """Whether ``error`` is one of the standard output, which then becomes ``/dev/null``.

    So the flush at exit does not fail again.
    """
    if error.filename is not None or error.errno not in _UNWRITABLE:
        return False
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return True
