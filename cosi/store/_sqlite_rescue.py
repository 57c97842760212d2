"""Reads the whole of a SQLite store, even a damaged one, and rebuilds its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cosi.errors import StoreError
from cosi.resource._envelope import Resource
from cosi.resource._pointer import Pointer
from cosi.store._marshal import Marshaler, failed
from cosi.store._sqlite_errors import RESCUE, UNREADABLE, damaged
from cosi.store._sqlite_file import StoreFile
from cosi.store._sqlite_records import (
    Address,
    Contents,
    Row,
    addresses,
    fresh,
    read,
    read_one,
    structure,
    transaction,
    write,
)

T = TypeVar("T")


@dataclass(frozen=True)
class Damage:
    """Stored data that cannot be read any more.

    ``why``
        A sentence.
    ``pointer``
        The address of the record, as far as it can be read; ``None`` if it is unknown.
    ``record``
        The stored bytes, damaged or not; ``None`` if they cannot be read.
    ``intact``
        Whether the bytes are as they were written, and only the marshaler cannot read them: another
        marshaler was used, a key is missing, or the payload class refuses. It may not be lost.
    """

    why: str
    pointer: Pointer | None = None
    record: bytes | None = field(default=None, repr=False)
    intact: bool = False


@dataclass(frozen=True)
class Examination:
    """The contents of a store: ``resources``, sorted by address, and ``damage``.

    ``structure`` is the first problem with SQLite's pages; empty if none.
    """

    resources: list[Resource[Any]]
    damage: list[Damage]
    structure: str

    @property
    def sound(self) -> bool:
        """Whether there is no damage."""
        return not self.damage and not self.structure


def load(
    file: StoreFile, marshaler: Marshaler, wanted: Callable[[Pointer], bool]
) -> tuple[list[Resource[Any]], list[Address]]:
    """All ``wanted`` resources, sorted by address, and the addresses of the others.

    Raises :class:`~cosi.errors.StoreError` for the first damage.
    """
    file.check()
    found: list[Resource[Any]] = []
    unwanted: list[Address] = []
    contents = Contents()
    for row in read(file.connection):
        contents.add(row)
        pointer = Pointer(*row.address)
        if not row.intact:
            raise failed("unmarshal", f"{_CHECKSUM}; {RESCUE}", pointer)
        if wanted(pointer):
            found.append(marshaler.unmarshal(row.record, pointer))
        else:
            unwanted.append(row.address)
    if problem := structure(file.connection):
        raise damaged(f"its structure is damaged ({problem})")
    if problem := _difference(file.connection, contents, 0):
        raise damaged(problem)
    return _sorted(found), unwanted


def examine(file: StoreFile, marshaler: Marshaler) -> Examination:
    """All resources that can be read, and all damage."""
    with _readable(file.connection) as connection:
        rows, lost = _rows(connection)
        had = {row.address for row in rows}
        missing = [address for address in lost if address not in had]
        problem = _difference(connection, Contents.of(rows), len(missing))
    found: dict[Address, tuple[Row, Resource[Any]]] = {}
    damage = [Damage(why) for why in file.losses]
    for row in rows:
        resource = _resource(row, marshaler)
        if isinstance(resource, Damage):
            damage.append(resource)
            continue
        if row.address in found:  # the older one, which a damaged index did not find
            older, twin = found[row.address]
            damage.append(Damage("it has a later record", twin.pointer, older.record, True))
        found[row.address] = row, resource
    damage.extend(Damage("its record cannot be read", Pointer(*address)) for address in missing)
    if problem and not (problem is _OTHERS and damage):
        damage.append(Damage(problem))
    resources = [resource for _, resource in found.values()]
    return Examination(_sorted(resources), damage, structure(file.connection))


def rebuild(file: StoreFile, records: Mapping[Address, bytes]) -> None:
    """Rebuild the file with only these records; all or nothing."""
    with fresh() as contents:
        with transaction(contents):
            write(contents, records)
        file.replace(contents)


# -- reading a damaged file -----------------------------------------------------------------------

_CHECKSUM = "its checksum is wrong: it was damaged after it was written"
_OTHERS = "its records are intact, but not those of the last change: the disk has lost a page"


@contextmanager
def _readable(connection: sqlite3.Connection) -> Generator[sqlite3.Connection, None, None]:
    """The file; or, if its schema is damaged, a copy of it in memory with a repaired one."""
    try:
        for _ in read(connection, "LIMIT 0"):
            pass
        copy = None
    except UNREADABLE:
        copy = _with_schema(connection)
    if copy is None:
        yield connection
        return
    with closing(copy):
        yield copy


def _with_schema(connection: sqlite3.Connection) -> sqlite3.Connection | None:
    try:
        data = bytearray(connection.serialize())
        with closing(_in_memory(data)) as copy:
            copy.executemany("UPDATE sqlite_master SET sql = ? WHERE name = ?", _tables())
            copy.execute("DELETE FROM sqlite_master WHERE type = 'trigger'")
            data = bytearray(copy.serialize())
        return _in_memory(data)
    except UNREADABLE:
        return None


def _in_memory(data: bytearray) -> sqlite3.Connection:
    data[18:20] = b"\x01\x01"  # a copy in memory has no write-ahead log
    copy = sqlite3.connect(":memory:", isolation_level=None)
    copy.deserialize(bytes(data))
    copy.execute("PRAGMA writable_schema = ON")
    return copy


def _tables() -> list[tuple[str, str]]:
    with fresh() as whole:
        return whole.execute("SELECT sql, name FROM sqlite_master WHERE type = 'table'").fetchall()


def _rows(connection: sqlite3.Connection) -> tuple[list[Row], list[Address]]:
    """The readable records, by number; and the addresses of others that the index lists."""
    rows: dict[int, Row] = {}
    for order in ("ORDER BY rowid", "ORDER BY rowid DESC"):  # up to a damaged page, from both sides
        for row in _until_damaged(read(connection, order)):
            if row.number in rows:
                break
            rows[row.number] = row
    lost: list[Address] = []
    for number, address in _until_damaged(addresses(connection)):
        if number in rows:
            continue
        try:
            rows[number] = read_one(connection, number)
        except (*UNREADABLE, LookupError):
            lost.append(address)
    return [rows[number] for number in sorted(rows)], lost


def _until_damaged(items: Iterator[T]) -> Iterator[T]:
    try:
        yield from items
    except UNREADABLE:
        return


def _resource(row: Row, marshaler: Marshaler) -> Resource[Any] | Damage:
    pointer = Pointer(*row.address)
    if not row.intact:
        return Damage(_CHECKSUM, pointer, row.record)
    try:
        return marshaler.unmarshal(row.record, pointer)
    except StoreError as error:
        return Damage(str(error), pointer, row.record, intact=True)


def _difference(connection: sqlite3.Connection, found: Contents, lost: int) -> str:
    """The problem with the records as a whole, apart from ``lost`` ones; empty if none."""
    try:
        expected = Contents.expected(connection)
    except UNREADABLE as error:
        return f"the number of its records cannot be read ({error})"
    missing = expected.records - found.records - lost
    if missing > 0:
        return f"{missing} records are missing, and their names are lost"
    if missing < 0:
        return f"there are {-missing} more records than were written"
    return _OTHERS if not lost and expected != found else ""


def _sorted(resources: Iterable[Resource[Any]]) -> list[Resource[Any]]:
    return sorted(resources, key=lambda found: (found.namespace, found.type, found.id))
