"""What the tests of durable stores keep, and how they look into a file."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from cosi import Pointer, Resource, Spec
from cosi.state import YamlMarshaler


class Note(Spec, type="Notes.sqlite.example.org"):
    text: str = ""


def note(id: str, text: str = "") -> Resource[Note]:
    return Resource.new(id, Note(text=text))


def rows(file: Path, query: str = "SELECT id FROM resources ORDER BY id") -> list[Any]:
    """What another program finds in the file, once it is closed."""
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute(query)]


def content(file: Path) -> bytes:
    return file.read_bytes()


class Gate(YamlMarshaler):
    """Lets the reader of a file wait in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.open = threading.Event(), threading.Event()
        self.read: list[str] = []

    def unmarshal(self, data: bytes, pointer: Pointer) -> Resource[Any]:
        self.read.append(pointer.id)
        self.reached.set()
        assert self.open.wait(5)
        return super().unmarshal(data, pointer)


def everything(resources: Iterable[Resource[Any]]) -> list[tuple[Any, ...]]:
    """Every field, where equality leaves out times and uid."""
    return [(*found.metadata.__reduce__()[1], found.spec) for found in resources]


def copied(file: Path, to: Path) -> Path:
    """The files of a store as they are now: of one that is open, what a kill would leave."""
    to.mkdir(exist_ok=True)
    for old in to.iterdir():
        old.unlink()
    for part in file.parent.glob(f"{file.name}*"):
        shutil.copy(part, to / part.name)
    return to / file.name


def beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def flip(file: Path, bit: int) -> None:
    data = bytearray(file.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)
