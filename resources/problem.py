"""What is wrong with a text that somebody wrote, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from cosi import Value

Location: TypeAlias = tuple[str | int, ...]
"""Where in a payload: field names and list indexes, ``("depends", 2, "path")``."""

Mistake: TypeAlias = tuple[Location, str]


class Severity(StrEnum):
    """Whether a problem makes the file unusable."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Value, proto={"line": 1, "column": 2, "severity": 3, "text": 4}):
    """Something that is wrong with a text, and where; ``line`` and ``column`` count from 1."""

    line: int
    column: int
    severity: Severity
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity}: {self.text}"
