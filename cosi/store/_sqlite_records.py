"""The tables of a SQLite store: their schema and older ones, and records with their checksums."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

from cosi.errors import StoreError
from cosi.store._sqlite_errors import UNREADABLE

APPLICATION_ID: Final = 0x434F5349  # "COSI"

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE resources (
        namespace TEXT NOT NULL,
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        record BLOB NOT NULL,
        UNIQUE (namespace, type, id)
    )""",
    ),
    (
        "ALTER TABLE resources RENAME TO unchecked",
        """CREATE TABLE resources (
        namespace TEXT NOT NULL,
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        record BLOB NOT NULL,
        UNIQUE (namespace, type, id)
    )""",
        """CREATE TABLE contents (
        commits INTEGER NOT NULL,
        records INTEGER NOT NULL,
        checksums INTEGER NOT NULL
    )""",
        "INSERT INTO contents VALUES (0, 0, 0)",
        """CREATE TRIGGER put AFTER INSERT ON resources BEGIN
        UPDATE contents SET records = records + 1, checksums = checksums + new.checksum;
    END""",
        """CREATE TRIGGER replaced AFTER UPDATE ON resources BEGIN
        UPDATE contents SET checksums = checksums + new.checksum - old.checksum;
    END""",
        """CREATE TRIGGER destroyed AFTER DELETE ON resources BEGIN
        UPDATE contents SET records = records - 1, checksums = checksums - old.checksum;
    END""",
        """INSERT INTO resources
        SELECT namespace, type, id, cosi_checksum(namespace, type, id, record), record
        FROM unchecked ORDER BY rowid""",
        "DROP TABLE unchecked",
    ),
)
"""Statements *n* turn schema *n* into schema *n + 1*; entries are only appended, never changed."""

Address = tuple[str, str, str]
"""Namespace, type, id."""


def checksum(namespace: str, type: str, id: str, record: bytes) -> int:
    """CRC-32 of a record and its address; it detects every single flipped bit."""
    return zlib.crc32(record, zlib.crc32(f"{namespace}\0{type}\0{id}\0".encode()))


# -- the schema ---------------------------------------------------------------------------------


def check_owner(connection: sqlite3.Connection) -> None:
    """Raise :class:`~cosi.errors.StoreError` unless it is our store, or an empty database."""
    application = number(connection, "PRAGMA application_id")
    if application == APPLICATION_ID:
        return
    if application or number(connection, "SELECT count(*) FROM sqlite_master"):
        raise StoreError(
            f"it is the database of another application (its application id is {application:#x}, "
            f"ours is {APPLICATION_ID:#x}), or its first page is damaged: choose another file, or "
            "put a backup in its place"
        )


def migrate(
    connection: sqlite3.Connection, migrations: Sequence[Sequence[str]] = MIGRATIONS
) -> None:
    """Apply the missing migrations to the file, all or nothing.

    Raises :class:`~cosi.errors.StoreError` for a file of a later program, and for a damaged one,
    before it gets checksums; ``sqlite3.Error``.
    """
    version = number(connection, "PRAGMA user_version")
    if version > len(migrations):
        raise StoreError(
            f"its schema is version {version}, and this program knows only {len(migrations)}: "
            "use the version of cosi that wrote it, or a later one"
        )
    if version == len(migrations):
        return
    if version == 0 and number(connection, "SELECT count(*) FROM sqlite_master"):
        raise StoreError(
            "its first page is damaged: its schema has version 0, but it has tables already; put "
            "a backup in its place, or correct the version: "
            f"sqlite3 FILE 'PRAGMA user_version = {len(migrations)}'"
        )
    if problem := _pages(connection):
        raise StoreError(
            f"its structure is damaged ({problem}), and its schema has an older version, which "
            "cannot be updated while it is damaged: put a backup in its place"
        )
    connection.create_function("cosi_checksum", 4, checksum, deterministic=True)
    with transaction(connection):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statements in migrations[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


@contextmanager
def fresh() -> Generator[sqlite3.Connection, None, None]:
    """An empty store, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def structure(connection: sqlite3.Connection) -> str:
    """The first problem with pages, index or schema; empty if none."""
    try:
        return _pages(connection) or _tables(connection)
    except UNREADABLE as error:
        return str(error)


def _pages(connection: sqlite3.Connection) -> str:
    (first,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return "" if first == "ok" else str(first).removeprefix("*** in database main ***\n")


def _tables(connection: sqlite3.Connection) -> str:
    """Compare the schema: with one changed letter it may still be valid, with other types."""
    with fresh() as whole:
        expected = _schema(whole)
    found = _schema(connection)
    for name, text in expected.items():
        if found.get(name) != text:
            return f"the schema of {name} is not as it was written"
    return ""


def _schema(connection: sqlite3.Connection) -> dict[str, str]:
    found = connection.execute("SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_master")
    return {_text(name): _text(sql) for name, sql in found}


def number(connection: sqlite3.Connection, query: str) -> int:
    """The only number that ``query`` returns."""
    return int(connection.execute(query).fetchone()[0])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Commit everything inside, or nothing."""
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
    "INSERT INTO resources (namespace, type, id, checksum, record) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (namespace, type, id) "
    "DO UPDATE SET checksum = excluded.checksum, record = excluded.record"
)
_DESTROY: Final = "DELETE FROM resources WHERE namespace = ? AND type = ? AND id = ?"
# As bytes: damaged text may not be valid. From the table: the index may be damaged.
_READ: Final = (
    "SELECT rowid, CAST(namespace AS BLOB), CAST(type AS BLOB), CAST(id AS BLOB), checksum, "
    "CAST(record AS BLOB) FROM resources NOT INDEXED "
)


def write(connection: sqlite3.Connection, changes: Mapping[Address, bytes | None]) -> None:
    """Store these records, and delete those that are ``None``; inside a transaction."""
    puts = ((*a, checksum(*a, data), data) for a, data in changes.items() if data is not None)
    connection.executemany(_PUT, puts)
    connection.executemany(_DESTROY, [a for a, record in changes.items() if record is None])


@dataclass(frozen=True, slots=True)
class Row:
    """A record as stored in the file; ``intact`` if it is as it was written."""

    number: int
    address: Address
    record: bytes
    intact: bool
    checksum: int


def read(connection: sqlite3.Connection, what: str = "ORDER BY rowid") -> Iterator[Row]:
    """Yield every record, in the order in which their addresses were created."""
    for row in connection.execute(_READ + what):
        yield _row(*row)


def read_one(connection: sqlite3.Connection, rowid: int) -> Row:
    """The record with that number.

    Raises ``LookupError`` if there is none, ``sqlite3.DatabaseError`` if its page is damaged.
    """
    for row in connection.execute(f"{_READ} WHERE rowid = ?", (rowid,)):
        return _row(*row)
    raise LookupError(rowid)


def addresses(connection: sqlite3.Connection) -> Iterator[tuple[int, Address]]:
    """The entries of the index: the number of every record, and its address."""
    rows = connection.execute(
        "SELECT rowid, CAST(namespace AS BLOB), CAST(type AS BLOB), CAST(id AS BLOB) "
        "FROM resources INDEXED BY sqlite_autoindex_resources_1 ORDER BY namespace, type, id"
    )
    for rowid, namespace, type, id in rows:
        yield rowid, (_text(namespace), _text(type), _text(id))


def _row(
    rowid: int,
    namespace: bytes | None,
    type: bytes | None,
    id: bytes | None,
    expected: object,
    record: bytes | None,
) -> Row:
    address = (_text(namespace), _text(type), _text(id))
    data = record or b""
    try:
        intact = record is not None and checksum(*address, data) == expected
    except UnicodeEncodeError:
        intact = False
    return Row(rowid, address, data, intact, expected if isinstance(expected, int) else 0)


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="surrogateescape")


@dataclass(slots=True)
class Contents:
    """The number of records, and the sum of their checksums.

    A page that the disk never wrote has intact but older records; only the sum detects that.
    """

    records: int = 0
    checksums: int = 0

    def add(self, row: Row) -> None:
        """Add a record that was found."""
        self.records += 1
        self.checksums += row.checksum

    @staticmethod
    def of(rows: Iterable[Row]) -> Contents:
        """The contents that these records make up."""
        contents = Contents()
        for row in rows:
            contents.add(row)
        return contents

    @staticmethod
    def expected(connection: sqlite3.Connection) -> Contents:
        """The contents after the last transaction; raises ``sqlite3.DatabaseError``."""
        row = connection.execute("SELECT records, checksums FROM contents").fetchone()
        return Contents(*row) if row is not None else Contents(-1, -1)
