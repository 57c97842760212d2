"""The error messages of the SQLite store: SQLite's errors as sentences with the way out."""

from __future__ import annotations

import sqlite3
from typing import Final

from cosi.errors import StoreError

RESCUE: Final = (
    "SQLiteStore.examine() lists what is sound and what is damaged, and SQLiteStore.rewrite() with "
    "`drop` rebuilds the file without the damaged records; or put a backup in its place"
)

READ_ONLY: Final = (
    "it cannot be written; check its owner and permissions, those of its directory, and whether "
    "the file system is mounted read-only"
)
_SENTENCES: Final = {
    sqlite3.SQLITE_FULL: "the disk is full, nothing has changed; free some space, and try again",
    sqlite3.SQLITE_IOERR: (
        "the disk or its file system has failed; check the kernel's log (dmesg), and whether it "
        "was mounted read-only or removed"
    ),
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened; check its permissions and those of its directory, and the limit of "
        "open files"
    ),
    sqlite3.SQLITE_CORRUPT: f"its structure is damaged; {RESCUE}",
    sqlite3.SQLITE_NOTADB: (
        "it is another file, or its first page is damaged; choose another path, or put a backup in "
        "its place"
    ),
    sqlite3.SQLITE_BUSY: (
        "it is in use: by another process, or by another store; stop the other one first"
    ),
    sqlite3.SQLITE_TOOBIG: "the record is larger than a SQLite database can hold",
    sqlite3.SQLITE_NOMEM: "there is not enough memory",
    sqlite3.SQLITE_ERROR: f"its tables are damaged, or not those of a store; {RESCUE}",
}


UNREADABLE: Final = (sqlite3.DatabaseError, UnicodeDecodeError)
"""The errors of a damaged file; the second if SQLite quotes a schema that is not valid text."""


def primary(error: Exception) -> int:
    """The primary code of an error: ``SQLITE_IOERR`` for every failure of the disk."""
    if isinstance(error, UnicodeDecodeError):
        return sqlite3.SQLITE_CORRUPT
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def sentence(error: BaseException) -> str:
    """The message for a user who sees only this line."""
    if not isinstance(error, sqlite3.Error):
        return str(error)
    way_out = _SENTENCES.get(primary(error))
    if way_out is None:
        return str(error)
    name = getattr(error, "sqlite_errorname", "")
    return f"{way_out} ({error}, {name})"


def damaged(why: str) -> StoreError:
    """The error for a file whose contents are not those that were written."""
    return StoreError(f"{why}; {RESCUE}")
