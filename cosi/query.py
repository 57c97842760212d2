"""Which resources: label terms, id patterns, and the selector text that people write."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class LabelOp(IntEnum):
    """How a label is compared; the numbers are COSI's (``LabelOp``)."""

    EXISTS = 0
    EQUAL = 1
    IN = 2
    LT = 3
    LTE = 4
    LT_NUMERIC = 5
    LTE_NUMERIC = 6


@dataclass(frozen=True, slots=True)
class LabelTerm:
    """One condition on one label. There is no *greater*: it is *less or equal*, inverted."""

    key: str
    op: LabelOp
    values: tuple[str, ...] = ()
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """``labels`` is an OR of ANDs of terms; ``id`` a regular expression, searched unanchored.

    Empty parts match everything.
    """

    labels: tuple[tuple[LabelTerm, ...], ...] = ()
    id: str | None = None


EVERYTHING = Query()
