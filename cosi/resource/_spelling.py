"""Suggestions for a misspelt type or field, as the end of an error message."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from cosi.resource._payload import Value

_SHOWN: Final = 12
"""How many fields are listed if no name is similar."""


def type_hint(type: str, known: Iterable[str]) -> str:
    """``; did you mean "Lamps.house.example.dev"?``, or an empty text.

    Names are compared up to their first dot, because all types of a group share the rest.
    """
    by_label: dict[str, list[str]] = {}
    for name in known:
        by_label.setdefault(_label(name), []).append(name)
    for near in difflib.get_close_matches(_label(type), by_label, n=1):
        return _did_you_mean(difflib.get_close_matches(type, by_label[near], n=1, cutoff=0)[0])
    return ""


def name_hint(name: str, known: Sequence[str]) -> str:
    """``; did you mean "colors"?`` or, if no name is similar, ``; there is on, colors``."""
    by_fold = {one.casefold(): one for one in known}
    for near in difflib.get_close_matches(name.casefold(), by_fold, n=1):
        return _did_you_mean(by_fold[near])
    more = ", ..." if len(known) > _SHOWN else ""
    return f"; there is {', '.join(known[:_SHOWN])}{more}" if known else "; there are none"


def fields_beside(payload: type[Value], path: Sequence[int | str]) -> list[str]:
    """The fields, as spelled in YAML, of the mapping that holds the end of ``path``."""
    holders = [payload]
    for step in path[:-1]:
        inner = [
            part
            for holder in holders
            for name, field in holder.model_fields.items()
            if step in {name, field.alias}
            for part in _values(field.annotation)
        ]
        holders = inner or holders  # an index, or the key of a map
    names = [f.alias or name for one in holders for name, f in one.model_fields.items()]
    return list(dict.fromkeys(names))


def _values(annotation: Any) -> Iterator[type[Value]]:
    """The payload classes that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, Value):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _values(part)


def _label(type: str) -> str:
    return type.partition(".")[0].casefold()


def _did_you_mean(name: str) -> str:
    return f'; did you mean "{name}"?'
