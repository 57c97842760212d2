"""Removes files, links and trees of any depth in an open directory, but no mounts."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from controllers.files.openat2 import (
    MOUNTED,
    open_beneath,
)
from controllers.host.mounts import mount_points

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY


def remove_at(parent: int, name: str) -> None:
    """Remove a file, link or tree; does nothing if it does not exist.

    Raises ``OSError``: ``EXDEV`` or ``EBUSY`` if something is mounted there or below; then nothing
    is removed.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=parent)
            return
        directory = open_beneath(parent, name, _DIRECTORY, cross_mounts=False)
        try:
            _empty(directory)
        finally:
            os.close(directory)
        os.rmdir(name, dir_fd=parent)


def _empty(top: int) -> None:
    """Remove everything in a directory, at any depth.

    Nested directories are first moved up to ``top``. So two descriptors and no recursion are enough
    for any depth, and after a kill the next call removes the rest.
    """
    _refuse_mounts(top)
    numbers = itertools.count()
    while names := os.listdir(top):
        for name in names:
            if not _unlinked(top, name):
                _flatten(top, name, numbers)


def _flatten(top: int, name: str, numbers: Iterator[int]) -> None:
    directory = open_beneath(top, name, _DIRECTORY, cross_mounts=False)
    try:
        for inner in os.listdir(directory):  # noqa: PTH208 a descriptor
            if not _unlinked(directory, inner):
                _move_up(directory, inner, top, numbers)
    finally:
        os.close(directory)
    os.rmdir(name, dir_fd=top)


def _move_up(directory: int, name: str, top: int, numbers: Iterator[int]) -> None:
    for number in numbers:
        # A name may be taken, by a killed supervisor's rest or another program; try the next.
        try:
            os.rename(name, f".removed-{number}", src_dir_fd=directory, dst_dir_fd=top)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}:
                raise
        else:
            return


def _unlinked(directory: int, name: str) -> bool:
    """Remove it unless it is a directory; return whether it is gone."""
    try:
        os.unlink(name, dir_fd=directory)
    except FileNotFoundError:
        return True
    except IsADirectoryError:
        return False
    return True


def _refuse_mounts(directory: int) -> None:
    here = Path(os.readlink(f"/proc/self/fd/{directory}"))  # noqa: PTH115 not a real path
    for point in mount_points():
        if here in point.parents:
            raise OSError(errno.EBUSY, MOUNTED, str(point))
