"""Problems in a file that a user wrote, and their places."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from cosi import Value

Location: TypeAlias = tuple[str | int, ...]
"""A place in a payload: field names and list indexes, ``("depends", 2, "path")``."""

Mistake: TypeAlias = tuple[Location, str]


class Severity(StrEnum):
    """Whether a problem makes the file unusable."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Value, proto={"line": 1, "column": 2, "severity": 3, "text": 4}):
    """A problem in a text and its place; ``line`` and ``column`` count from 1."""

    line: int
    column: int
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}: {self.text}"
