"""The file of a SQLite store: opening it, its settings, its schema and older ones."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cosi.errors import StoreError

APPLICATION_ID: Final = 0x434F5349  # "COSI"

MIGRATIONS: Final = (
    """CREATE TABLE resources (
        namespace TEXT NOT NULL,
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        record BLOB NOT NULL,
        UNIQUE (namespace, type, id)
    )""",
)
"""Statement *n* makes schema *n + 1* of schema *n*; nothing is ever changed but appended."""

_SETTINGS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_size_limit = 16777216",
    # What is destroyed may be a secret.
    "PRAGMA secure_delete = ON",
    "PRAGMA trusted_schema = OFF",
)

Address = tuple[str, str, str]
"""Namespace, type, id."""


def open_file(path: Path, patience_seconds: float) -> sqlite3.Connection:
    """Open ``path``, or make it, readable for its owner only; bring its schema up to date.

    Waits ``patience_seconds`` for a process that has it. Raises :class:`~cosi.errors.StoreError` if
    it is a file of something else or of a later version, ``OSError`` or ``sqlite3.Error``.
    """
    _make(path)
    connection = sqlite3.connect(path, timeout=patience_seconds, isolation_level=None)
    try:
        # The memory of a state is the truth beside the file: a second process would have another.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        with transaction(connection):
            _check(connection)
        for setting in _SETTINGS:
            connection.execute(setting).fetchall()
        migrate(connection)
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise StoreError("it is in use: by another process, or by another store") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def _make(path: Path) -> None:
    # Only ever opened here if it is new: closing a file drops the locks that SQLite holds on it.
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _check(connection: sqlite3.Connection) -> None:
    application = _number(connection, "PRAGMA application_id")
    if application == APPLICATION_ID:
        return
    if application or _number(connection, "SELECT count(*) FROM sqlite_master"):
        raise StoreError("it is the database of another application")


def migrate(connection: sqlite3.Connection, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Take the file through what it has not seen yet, all or nothing.

    Raises :class:`~cosi.errors.StoreError` for a file of a later program, ``sqlite3.Error``.
    """
    version = _number(connection, "PRAGMA user_version")
    if version > len(migrations):
        raise StoreError(
            f"its schema is version {version}, and this program knows only {len(migrations)}: "
            "use the version of cosi that has written it, or a later one"
        )
    if version == len(migrations):
        return
    with transaction(connection):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in migrations[version:]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Everything inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


# -- contents -----------------------------------------------------------------------------------

_PUT: Final = (
    "INSERT INTO resources (namespace, type, id, record) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (namespace, type, id) DO UPDATE SET record = excluded.record"
)
_DESTROY: Final = "DELETE FROM resources WHERE namespace = ? AND type = ? AND id = ?"


def write(connection: sqlite3.Connection, changes: Mapping[Address, bytes | None]) -> None:
    """Keep these records, and forget what is ``None``; inside a transaction."""
    puts = [(*address, record) for address, record in changes.items() if record is not None]
    connection.executemany(_PUT, puts)
    connection.executemany(_DESTROY, [a for a, record in changes.items() if record is None])


def read(connection: sqlite3.Connection) -> Iterator[tuple[Address, bytes]]:
    """Every record, by and by, sorted by address."""
    rows = connection.execute(
        "SELECT namespace, type, id, record FROM resources ORDER BY namespace, type, id"
    )
    for namespace, type, id, record in rows:
        yield (namespace, type, id), record
