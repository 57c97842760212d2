"""What the tests of durable stores keep, and how they look into a file."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from cosi.resource import Pointer, Resource, Spec
from cosi.store.marshal import YamlMarshaler


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
