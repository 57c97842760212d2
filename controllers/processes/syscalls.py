"""System calls without a function in Python: mount, umount2, prctl, PIDFD_GET_INFO."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from pathlib import Path
from typing import Final

MS_NOSUID: Final = 2
MS_NODEV: Final = 4
MNT_DETACH: Final = 2
UMOUNT_NOFOLLOW: Final = 8

_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37

# linux/pidfd.h: struct pidfd_info, first version: mask, cgroup id, 11 ids, exit code; 64 bytes.
_PIDFD_INFO: Final = struct.Struct("=QQ11Ii")
_PIDFD_GET_INFO: Final = 0xC040FF0B
_PIDFD_INFO_EXIT: Final = 1 << 3

_libc: Final = ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path, kind: str, flags: int, data: str) -> None:
    """mount(2); raises ``OSError`` with ``target``."""
    arguments = (source, str(target), kind)
    result = _libc.mount(*map(os.fsencode, arguments), ctypes.c_ulong(flags), os.fsencode(data))
    _check(result, target)


def unmount(target: Path, flags: int = 0) -> None:
    """umount2(2); raises ``OSError`` with ``target``."""
    _check(_libc.umount2(os.fsencode(target), flags), target)


def set_child_subreaper(value: bool) -> None:
    """Set whether orphans among the descendants of this process become its children."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(value), 0, 0, 0))


def is_child_subreaper() -> bool:
    """Whether orphans become children of this process: prctl(2), PR_GET_CHILD_SUBREAPER."""
    value = ctypes.c_int()
    _check(_libc.prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(value), 0, 0, 0))
    return bool(value.value)


def exit_status_of(pidfd: int) -> int | None:
    """The wait status of a process that its parent has reaped, if known (Linux 6.15 and newer)."""
    info = bytearray(_PIDFD_INFO.pack(_PIDFD_INFO_EXIT, *[0] * 13))
    try:
        fcntl.ioctl(pidfd, _PIDFD_GET_INFO, info)
    except OSError:
        return None
    mask, *_, exit_code = _PIDFD_INFO.unpack(info)
    return exit_code if mask & _PIDFD_INFO_EXIT else None


def _check(result: int, path: Path | None = None) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), *(() if path is None else (str(path),)))
