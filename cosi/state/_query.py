"""Queries as values: label terms and id patterns (COSI: ``LabelQuery``, ``IDQuery``).

Evaluating a term has three outcomes: yes, no, and *not comparable*. The last one never matches,
not even inverted. So ``replicas>=3``, which is *not (replicas < 3)*, does not match a resource
without that label, while ``tier!=db`` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

from cosi.errors import InvalidResource
from cosi.resource._envelope import Resource


class LabelOp(IntEnum):
    """How a label is compared; the numbers are COSI's (``LabelOp``)."""

    EXISTS = 0
    EQUAL = 1
    IN = 2
    LT = 3
    LTE = 4
    LT_NUMERIC = 5
    LTE_NUMERIC = 6


_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40, "pi": 2**50}
_DECIMAL = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_DIGITS = re.compile(r"[0-9-]*")
_MOST_DIGITS = 64  # 19 make a 64-bit number, more may be zeros; a million digits are refused
_INT64 = range(-(2**63), 2**63)


def quantity(text: str) -> int | None:
    """Read ``4GB``, ``5GiB`` or ``-1 k``; ``None`` if it is not a whole number with a known unit.

    As in COSI, only the beginning of the unit counts (``4GB`` is ``4G``; ``Ki`` is 1024, ``k`` is
    1000). Unlike in COSI, products beyond 64 bits do not wrap around.
    """
    text = text.strip()
    found = _DIGITS.match(text)
    digits = found[0] if found is not None else ""
    if len(digits) > _MOST_DIGITS:
        return None
    unit = text[len(digits) :].strip()[:2].lower()
    try:
        number = int(digits)
    except ValueError:  # no digits, or a sign in the middle
        return None
    if number not in _INT64:
        return None
    if not unit:
        return number
    factor = _BINARY.get(unit[:2]) or _DECIMAL.get(unit[:1])
    return None if factor is None else number * factor


@dataclass(frozen=True, slots=True)
class LabelTerm:
    """One condition on one label. There is no *greater*: it is *less or equal*, inverted."""

    key: str
    op: LabelOp
    values: tuple[str, ...] = ()
    invert: bool = False

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "op", LabelOp(self.op))
        except ValueError:
            raise InvalidResource(
                f"label {self.key!r}: unsupported label term operator: {self.op}"
            ) from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` satisfy this term."""
        outcome = self._compare(labels.get(self.key))
        return outcome is not None and outcome is not self.invert

    def _compare(self, label: str | None) -> bool | None:
        """Yes, no, or ``None``: not comparable."""
        op = self.op
        if op is LabelOp.EXISTS:
            return label is not None
        if label is None:
            return False if op in {LabelOp.EQUAL, LabelOp.IN} else None
        if not self.values:
            return False
        if op is LabelOp.EQUAL:
            return label == self.values[0]
        if op is LabelOp.IN:
            return label in self.values
        return _less(label, self.values[0], op)


def _less(label: str, value: str, op: LabelOp) -> bool | None:
    if op is LabelOp.LT:
        return label < value
    if op is LabelOp.LTE:
        return label <= value
    left, right = quantity(label), quantity(value)
    if left is None or right is None:
        return None
    return left < right if op is LabelOp.LT_NUMERIC else left <= right


@dataclass(frozen=True, slots=True)
class Query:
    """``labels`` is an OR of ANDs of terms; ``id`` a regular expression, searched unanchored.

    Empty parts match everything. Write patterns in the syntax that RE2 and Python share: gRPC sends
    the text of the pattern, and the server, Go or this project, reads it as RE2. Raises
    :class:`~cosi.errors.InvalidResource` for a pattern that does not compile.
    """

    labels: tuple[tuple[LabelTerm, ...], ...] = ()
    id: str | None = None

    def __post_init__(self) -> None:
        if self.id is not None:
            _compile(self.id)

    def matches(self, resource: Resource[Any]) -> bool:
        """Whether ``resource`` matches."""
        metadata = resource.metadata
        return self.matches_id(metadata.id) and self.matches_labels(metadata.labels)

    def matches_id(self, id: str) -> bool:
        """Whether the pattern is found in ``id``."""
        return self.id is None or _compile(self.id).search(id) is not None

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """Whether all terms of any branch hold."""
        return not self.labels or any(
            all(term.matches(labels) for term in branch) for branch in self.labels
        )


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidResource(
            f"the id pattern {pattern!r} is not a regular expression: {error}"
        ) from error


EVERYTHING = Query()
