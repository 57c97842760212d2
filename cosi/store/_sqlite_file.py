"""The file of a SQLite store: creates and opens it, and detects losses and foreign changes."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cosi.errors import StoreError
from cosi.store._sqlite_acknowledged import Acknowledged, flush_directory, last_commit, read_mark
from cosi.store._sqlite_errors import READ_ONLY, UNREADABLE, damaged, primary
from cosi.store._sqlite_records import check_owner, fresh, migrate, number, transaction

_log = logging.getLogger(__name__)

_SETTINGS: Final = (
    # A destroyed resource may have been secret.
    "PRAGMA secure_delete = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_size_limit = 16777216",
)
_SMALLEST: Final = 512  # the smallest page; SQLite treats 0 or 1 bytes as a new database
_CHANGED: Final = "it, or its log, was changed by another program"
_LEFT_OPEN: Final[list[sqlite3.Connection]] = []
_Identities = tuple[tuple[int, ...], ...]


class StoreFile:
    """An open store, compared with its acknowledged transactions.

    ``connection``
        For reading; changes are made inside :meth:`change`.
    ``losses``
        Acknowledged contents that were missing or unreadable at opening: a sentence for each.
        Changes are refused until the file is rebuilt.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, losses: list[str], log_damage: str = ""
    ) -> None:
        self.connection = connection
        self.losses = losses
        self._place = _Place(path, _beside(path, "-wal"))
        self._mark_path = _beside(path, "-acknowledged")
        self._mark: Acknowledged | None = None
        self._unmarked = False
        self._synchronous = ""
        self._gone = ""
        self._durable = 0
        self._commits = 0
        self._take_stock(log_damage)
        self._place.look()

    def _take_stock(self, log_damage: str) -> None:
        """Compare the acknowledged with the existing transactions; start our own mark."""
        reached = self._reached()
        mark = read_mark(self._mark_path)
        self._durable = mark.durable if mark else 0
        self._commits = max(reached, mark.expected if mark else 0, reached + bool(log_damage))
        if self.losses:
            return  # an older mark stays as it is
        if self._commits > reached:
            self._durable = self._commits  # so that the next process detects the loss, too
            self.losses.append(log_damage or self._missing(self._commits - reached))
        self._acknowledge()

    def _reached(self) -> int:
        if self.losses:
            return 0
        try:
            return number(self.connection, "SELECT commits FROM contents")
        except (*UNREADABLE, TypeError) as error:
            self.losses.append(f"its structure is damaged ({error})")
            return 0

    def _missing(self, count: int) -> str:
        return (
            f"{count} transactions that were acknowledged are missing: its write-ahead log (-wal) "
            "was damaged, cut off or removed, or an older copy was put in its place (if on "
            f"purpose, remove {self._mark_path.name}, too)"
        )

    # -- changing -----------------------------------------------------------------------------

    @contextmanager
    def change(self, *, durable: bool) -> Generator[sqlite3.Connection, None, None]:
        """A transaction: everything inside is committed at its end, or nothing.

        A ``durable`` one survives a power failure, too. Raises :class:`~cosi.errors.StoreError` if
        the file is no longer the one that was opened, or has lost contents; ``sqlite3.Error``.
        """
        self.check()
        self._flush_on_commit(durable)
        with self._watched(), transaction(self.connection):
            yield self.connection
            self.connection.execute("UPDATE contents SET commits = ?", (self._commits + 1,))
        self._committed(durable)

    def replace(self, contents: sqlite3.Connection) -> None:
        """Replace all contents by those of another store, all or nothing, and durably."""
        self._stay_in_place(self._place.problem())
        self._flush_on_commit(True)
        contents.execute("UPDATE contents SET commits = ?", (self._commits + 1,))
        with self._watched():
            contents.backup(self.connection)  # page by page, whatever the file contains
        self.losses.clear()
        self._committed(True)
        with suppress(sqlite3.OperationalError), self._watched():  # else it shrinks later
            self.connection.execute("PRAGMA writable_schema = OFF")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def check(self) -> None:
        """Raise :class:`~cosi.errors.StoreError` if changes are refused."""
        self._stay_in_place(self._place.problem())
        if self.losses:
            raise damaged(self.losses[0])

    @contextmanager
    def _watched(self) -> Generator[None, None, None]:
        """Take changes of the files inside as our own, even after a failure; check that the files
        are still the same."""
        try:
            yield
        finally:
            self._gone = self._gone or self._place.look()

    def _committed(self, durable: bool) -> None:
        self._stay_in_place()  # a change in a file that was removed or replaced is lost
        self._commits += 1
        self._durable = self._commits if durable else self._durable
        self._acknowledge()

    def _acknowledge(self) -> None:
        try:
            if self._mark is None:
                self._mark = Acknowledged(self._mark_path)
            self._mark.note(self._durable, self._commits)
        except OSError as error:  # the change is made, and an older or missing mark is not wrong
            if not self._unmarked:
                _log.warning("%s: a loss may not be noticed: %s", self._mark_path, error)
            self._unmarked = True

    def _stay_in_place(self, problem: str = "") -> None:
        # This is final, even if the file comes back: memory and file may differ.
        self._gone = self._gone or problem
        if self._gone:
            raise StoreError(
                f"{self._gone} while it was open, and no change is kept any more; stop the "
                "program, put the right file in its place, and start the program again"
            )

    def _flush_on_commit(self, durable: bool) -> None:
        wanted = "FULL" if durable else "NORMAL"
        if wanted != self._synchronous:
            self.connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted

    def close(self) -> None:
        """Move the log into the database and close it; a file of another program is not touched."""
        problem = self._gone or self._place.problem()
        if problem == _CHANGED:
            _close_untouched(self.connection)
        else:
            self.connection.close()  # SQLite itself checks that the file is the same
        keep = bool(problem or self.losses) or self._place.log.exists()
        if self._mark is not None:
            self._mark.close(keep=keep)


def _close_untouched(connection: sqlite3.Connection) -> None:
    """Close without moving the log into a file that another program has written."""
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE)
        connection.close()
    else:
        _LEFT_OPEN.append(connection)  # until the process ends, which does not move the log


class _Place:
    """The paths of the database and its log, and the files that were last seen there."""

    def __init__(self, path: Path, log: Path) -> None:
        self.log = log
        self._paths = (str(path), str(log))
        self._seen = self._now()

    def look(self) -> str:
        """Remember the current files; return the problem if they are missing or replaced."""
        now = self._now()
        problem = "" if now == self._seen else self._moved(now)
        self._seen = now
        return problem

    def problem(self) -> str:
        """The problem if the files were removed, replaced, or written by another program."""
        now = self._now()
        if now == self._seen:
            return ""
        return self._moved(now) or (_CHANGED if all(self._seen) else "")

    def _moved(self, now: _Identities) -> str:
        for path, before, after in zip(self._paths, self._seen, now, strict=True):
            if not before:  # SQLite creates the log at its first read
                continue
            if not after:
                return f"{Path(path).name} was removed"
            if before[:2] != after[:2]:
                return f"{Path(path).name} was replaced by another file"
        return ""

    def _now(self) -> _Identities:
        return tuple(_identity(path) for path in self._paths)


def _identity(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)  # noqa: PTH116  # half the time, and a commit needs four
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


# -- opening ------------------------------------------------------------------------------------


def open_file(path: Path, patience_seconds: float) -> StoreFile:
    """Open or create ``path``, readable for its owner only; bring its schema up to date.

    Waits ``patience_seconds`` for another process to release it. Raises
    :class:`~cosi.errors.StoreError` if it is a file of another program or a later version,
    ``OSError`` or ``sqlite3.Error``. A damaged file is opened if possible; see ``losses``.
    """
    path = Path(os.path.realpath(path))
    log, mark = _beside(path, "-wal"), _beside(path, "-acknowledged")
    _make(path, log, mark)
    frames = 0 if read_mark(mark) else last_commit(log)
    connection = sqlite3.connect(path, timeout=patience_seconds, isolation_level=None)
    try:
        # The state in memory is authoritative: a second process would have another one.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        losses, log_damage = [], ""
        try:
            _look_in(connection, (path, log, mark))
            log_damage = _unseen(connection, frames)
            migrate(connection)
        except UNREADABLE as error:
            if primary(error) != sqlite3.SQLITE_CORRUPT:
                raise
            # SQLite refuses a file that was cut off, except with this setting for repairs.
            connection.execute("PRAGMA writable_schema = ON")
            losses = [f"its structure is damaged ({error})"]
        return StoreFile(path, connection, losses, log_damage)
    except BaseException:
        connection.close()
        raise


def _look_in(connection: sqlite3.Connection, files: tuple[Path, ...]) -> None:
    """Take the lock, check the owning application, and set modes and settings."""
    with transaction(connection):
        check_owner(connection)
    for file in files:
        _narrow(file)
    for setting in _SETTINGS:
        connection.execute(setting).fetchall()


def _unseen(connection: sqlite3.Connection, frames: int) -> str:
    """The problem if the log has transactions after the last one that SQLite accepts."""
    if not frames:
        return ""
    _, taken, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if frames <= taken:
        return ""
    return (
        f"its write-ahead log (-wal) is damaged: only {taken} of its {frames} frames can be used, "
        "and the changes acknowledged later are missing"
    )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _make(path: Path, *beside: Path) -> None:
    """Create a complete empty store in one step: an empty file is never one of ours."""
    # An existing file is never opened here: closing it would drop the locks that SQLite holds.
    left = [file for file in beside if file.exists()]
    try:
        found = path.stat()
    except FileNotFoundError:
        if left:
            raise StoreError(
                f"it is missing, but {left[0].name} is still there: put the file back, or remove "
                "that one, too, to start empty"
            ) from None
        _create(path)
        return
    if not stat.S_ISREG(found.st_mode):
        raise StoreError("it is not a regular file; choose another path")
    if not os.access(path, os.W_OK, effective_ids=True):
        raise StoreError(READ_ONLY)  # SQLite reports a disk I/O error: it cannot take the lock
    if found.st_size < _SMALLEST:
        raise StoreError(
            f"it has only {found.st_size} bytes, too few for a store: it was cut off; put a backup "
            "in its place, or remove it to start empty"
        )


def _create(path: Path) -> None:
    with fresh() as empty:
        contents = empty.serialize()
    try:
        _write_whole(path, contents)
    except OSError as error:
        raise StoreError(f"it cannot be created in {path.parent}: {error.strerror}") from error


def _write_whole(path: Path, contents: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return  # another process was faster
        flush_directory(path.parent)
    finally:
        Path(name).unlink()


def _narrow(path: Path) -> None:
    """Remove the permissions of all but the owner from an existing file."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    if not mode & 0o077:
        return
    try:
        path.chmod(mode & ~0o077)
        _log.warning("%s was accessible to others (mode %04o); restricted to its owner", path, mode)
    except PermissionError as error:
        raise StoreError(
            f"others can access {path.name} (mode {mode:04o}), and only its owner can change that: "
            f"chmod go= {path}"
        ) from error
