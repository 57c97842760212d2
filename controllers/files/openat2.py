"""Opens files below a directory without following links: openat2(2), and a fallback.

Both refuse a symbolic link anywhere in the path, the last name included, and never leave the
directory. openat2 does it in one call (since Linux 5.6). If it is missing, or blocked by a sandbox,
the fallback opens name by name, each relative to the previous one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import stat
from collections.abc import Callable
from typing import Final, TypeAlias

_OPENAT2: Final = 437  # the same number on all architectures of Python, except Alpha
_NO_XDEV: Final = 0x01
_NO_SYMLINKS: Final = 0x04
_BENEATH: Final = 0x08

LINK_REFUSED: Final = "a symbolic link, which is not followed here; use a bind mount"
MOUNTED: Final = "something is mounted there; umount it first"

Open: TypeAlias = Callable[[int, str, int, int, bool], int]
"""Directory, name below it, flags, mode, and whether mounts may be crossed → descriptor."""

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    """``struct open_how`` of linux/openat2.h."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_beneath(
    directory: int, name: str, flags: int, mode: int = 0, *, cross_mounts: bool = True
) -> int:
    """Open ``name``, one name or several ("a/b"), below the open ``directory``; "." is itself.

    The descriptor is not inherited. ``mode`` applies if ``flags`` create a file.

    Raises ``OSError``: ``ELOOP`` with the name of a link, ``EXDEV`` for a mount that may not be
    crossed, ``EINVAL`` for a name that is absolute, empty or has "..".
    """
    if name != "." and (not {"", ".", ".."}.isdisjoint(name.split("/")) or "\0" in name):
        raise OSError(errno.EINVAL, "not a name below a directory", name)
    how = at_once if has_openat2() else step_by_step
    flags |= os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return how(directory, name, flags, mode if flags & os.O_CREAT else 0, cross_mounts)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR} and (link := _first_link(directory, name)):
            raise OSError(errno.ELOOP, LINK_REFUSED, link) from None
        if error.errno == errno.EXDEV:
            raise OSError(
                errno.EXDEV, "something is mounted there; umount it first", name
            ) from None
        raise


def at_once(directory: int, name: str, flags: int, mode: int, cross_mounts: bool) -> int:
    """As :func:`open_beneath`, by openat2(2), for a checked name and flags."""
    resolve = _BENEATH | _NO_SYMLINKS | (0 if cross_mounts else _NO_XDEV)
    how = _How(flags, mode, resolve)
    while True:
        descriptor: int = _libc.syscall(
            ctypes.c_long(_OPENAT2),
            ctypes.c_int(directory),
            os.fsencode(name),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code), name)


def step_by_step(directory: int, name: str, flags: int, mode: int, cross_mounts: bool) -> int:
    """As :func:`at_once`, by one openat(2) for each name."""
    *parents, last = name.split("/")
    at = os.dup(directory)
    try:
        for parent in parents:
            at, before = _next(at, parent, os.O_PATH | os.O_DIRECTORY, 0, cross_mounts), at
            os.close(before)
        return _next(at, last, flags, mode, cross_mounts)
    finally:
        os.close(at)


def _next(at: int, name: str, flags: int, mode: int, cross_mounts: bool) -> int:
    found = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=at)
    if not cross_mounts and _mount_of(found) != _mount_of(at):
        os.close(found)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), name)
    return found


def _mount_of(descriptor: int) -> str:
    """The id of its mount (proc_pid_fdinfo(5))."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:  # noqa: PTH123
        return next(line for line in file if line.startswith("mnt_id:"))


def _first_link(directory: int, name: str) -> str:
    """The first link in the path ``name``, from ``directory`` on; "" if there is none."""
    parts = name.split("/")
    for count in range(1, len(parts) + 1):
        way = "/".join(parts[:count])
        # The earlier parts are not links, so this is the file meant by the path.
        with contextlib.suppress(OSError):
            if stat.S_ISLNK(os.stat(way, dir_fd=directory, follow_symlinks=False).st_mode):
                return way
    return ""


@functools.cache
def has_openat2() -> bool:
    """Whether the kernel has openat2, and lets us call it."""
    here = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        os.close(at_once(here, ".", os.O_PATH | os.O_CLOEXEC, 0, True))
    except OSError:
        return False
    finally:
        os.close(here)
    return True
