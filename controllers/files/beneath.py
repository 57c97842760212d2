"""Opens, creates, lists and removes files below a root without following links.

Otherwise a user who may write somewhere below the root could plant a link, and make the supervisor,
which is root, write to, empty or mount over the target of the link. So each call walks from a
descriptor of the root (:mod:`controllers.files.openat2`), and operates relative to the directory
that it opened.

*Allowed:* links above the root, and in ``--root`` itself. If the root is ``/``, also links of the
distribution: the directories in :data:`DISTRIBUTION` may lie behind links (``/var/log``,
``/usr/local``), because only root can have created these. Mounts, including bind mounts, are not
links, and may be anywhere.

*Refused*, with ``ELOOP`` and the name of the link: all other links. A link is never followed, but
can be removed and replaced like a file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from controllers.files.openat2 import (
    LINK_REFUSED,
    open_beneath,
)
from controllers.files.removal import (
    remove_at,
)

DISTRIBUTION: Final = tuple(
    map(
        Path,
        (
            "/usr/local/etc/containers",
            "/usr/local/lib/containers",
            "/usr/local",
            "/etc",
            "/run",
            "/system",
            "/var/log",
        ),
    )
)
"""If the root is ``/``: directories whose paths may have links of the distribution or its owner."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY


class Beneath:
    """Access to the files below ``root``, an absolute path, by absolute paths below it.

    No descriptor is kept between two calls. All errors are ``OSError`` and name the given path, or
    the link on the way to it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """Open a file; ``mode``, less the umask, is that of a file that ``flags`` create."""
        anchor, name = self._split(path)
        with self._naming(path, anchor), _opened(anchor) as start:
            return open_beneath(start, name, flags, mode)

    @contextmanager
    def directory(self, path: Path, *, make: int | None = None) -> Generator[int]:
        """Open a directory inside the block; with ``make``, create it with this mode if missing.

        Its missing parents are created with 0755.
        """
        descriptor = self.open(path, _DIRECTORY) if make is None else self._made(path, make)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def make_directory(self, path: Path, mode: int = 0o755) -> None:
        """Create a directory and its parents; an existing one is not changed."""
        with self.directory(path, make=mode):
            pass

    def make_private(self, path: Path) -> None:
        """Create a directory that only we can enter; an existing one gets our owner and mode."""
        with self.directory(path, make=0o700) as directory:
            there = os.fstat(directory)
            if there.st_uid != os.geteuid():
                os.fchown(directory, os.geteuid(), os.getegid())
            if stat.S_IMODE(there.st_mode) != 0o700:
                os.fchmod(directory, 0o700)

    def look(self, path: Path) -> os.stat_result | None:
        """The status of the file or link at ``path``; ``None`` if there is none."""
        with contextlib.suppress(FileNotFoundError), self.directory(path.parent) as parent:
            return os.stat(path.name, dir_fd=parent, follow_symlinks=False)
        return None

    def refuse_link(self, path: Path) -> None:
        """Raise ``ELOOP`` if a link is there; for callers that then use the path itself."""
        there = self.look(path)
        if there and stat.S_ISLNK(there.st_mode):
            raise OSError(errno.ELOOP, LINK_REFUSED, str(path))

    def names(self, path: Path) -> list[str]:
        """The names in a directory, sorted; empty if it is missing."""
        try:
            with self.directory(path) as directory:
                return sorted(os.listdir(directory))  # noqa: PTH208 a descriptor
        except FileNotFoundError:
            return []

    def read(self, path: Path, limit: int = 16 * 1024 * 1024) -> bytes:
        """Read up to ``limit`` bytes of a regular file."""
        with _closing(self.open(path, os.O_RDONLY | os.O_NONBLOCK)) as descriptor:
            refuse_irregular(descriptor, path)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(limit)

    def write(
        self,
        path: Path,
        content: bytes,
        mode: int = 0o600,
        *,
        sync: bool = False,
        by: Path | None = None,
    ) -> None:
        """Write ``content`` to a file atomically, also if we are killed meanwhile.

        The file gets ``mode``, independent of the umask. ``by`` is a unique temporary name; the
        file is written there and then renamed. With ``sync`` it is flushed to disk before that.
        """
        by = by or path.with_name(f".{path.name}")
        self.remove(by)
        descriptor = self.open(by, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            if sync:
                os.fsync(descriptor)
        self.rename(by, path)

    def rename(self, old: Path, new: Path) -> None:
        """Rename a file or link, replacing the file or link with the new name."""
        with self.directory(old.parent) as here, self.directory(new.parent) as there:
            try:
                os.rename(old.name, new.name, src_dir_fd=here, dst_dir_fd=there)
            except OSError as error:
                raise _named(error, new) from None

    def remove(self, path: Path) -> None:
        """Remove a file, a link, or a directory with its contents; idempotent.

        If something is mounted there or below, nothing is removed: ``EBUSY``, ``EXDEV``.
        """
        with (
            contextlib.suppress(FileNotFoundError),
            self.directory(path.parent) as parent,
            self._naming(path, path.parent),
        ):
            remove_at(parent, path.name)

    def remove_file(self, path: Path) -> None:
        """As :meth:`remove`, but refuse a directory: ``EISDIR``."""
        with (
            contextlib.suppress(FileNotFoundError),
            self.directory(path.parent) as parent,
            self._naming(path, path.parent),
        ):
            os.unlink(path.name, dir_fd=parent)

    def remove_empty(self, path: Path) -> bool:
        """Remove a directory if it is empty; return whether it is gone."""
        with contextlib.suppress(OSError), self.directory(path.parent) as parent:
            os.rmdir(path.name, dir_fd=parent)
            return True
        return False

    def real(self, path: Path) -> Path:
        """A path to the same directory without links, for callers that use paths."""
        with self.directory(path) as directory:
            return Path(os.readlink(f"/proc/self/fd/{directory}"))  # noqa: PTH115 not a real path

    def _made(self, path: Path, mode: int) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self.open(path, _DIRECTORY)
        anchor, name = self._split(path)
        anchor.mkdir(mode=0o755, parents=True, exist_ok=True)
        with self._naming(path, anchor), _opened(anchor) as start:
            parts = Path(name).parts
            for count in range(1, len(parts) + 1):
                way = "/".join(parts[:count])
                _make(start, way, mode if count == len(parts) else 0o755)
            return open_beneath(start, name, _DIRECTORY)

    def _split(self, path: Path) -> tuple[Path, str]:
        """The nearest directory that may lie behind links, and the relative path from there."""
        anchors = [self.root]
        if self.root == Path("/"):
            anchors = [each for each in DISTRIBUTION if path.is_relative_to(each)] or anchors
        return anchors[0], str(path.relative_to(anchors[0]))

    @contextmanager
    def _naming(self, path: Path, start: Path) -> Generator[None]:
        try:
            yield
        except OSError as error:
            on_the_way = error.errno in {errno.ELOOP, errno.EXDEV, errno.EBUSY} and error.filename
            raise _named(error, start / error.filename if on_the_way else path) from None


@contextmanager
def _closing(descriptor: int) -> Generator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _opened(directory: Path) -> AbstractContextManager[int]:
    return _closing(os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))


def _make(start: int, way: str, mode: int) -> None:
    parent, _, name = way.rpartition("/")
    at = open_beneath(start, parent or ".", os.O_PATH | os.O_DIRECTORY)
    with _closing(at), contextlib.suppress(FileExistsError):
        os.mkdir(name, mode, dir_fd=at)


def refuse_irregular(descriptor: int, path: Path) -> None:
    """Raise ``EINVAL`` for a directory, a pipe, a device, a socket."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def _named(error: OSError, path: Path) -> OSError:
    return OSError(error.errno, error.strerror, str(path))
