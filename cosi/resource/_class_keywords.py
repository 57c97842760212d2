"""Checks the class keywords of payload classes, so that a mistake is refused where it is made."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

NAME: Final = re.compile(r"[A-Z][A-Za-z0-9-]+")
SUFFIX: Final = re.compile(r"[a-z][a-z0-9-]+(?:\.[a-z][a-z0-9-]+)*")
_FIRST_FIELD: Final = re.compile(r"\{?\s*\.(\w+)")
_HOOK: Final = "__pydantic_init_subclass__"


def refuse_unknown(cls: type, given: Mapping[str, Any]) -> None:
    """Raise ``TypeError`` for class keywords that no base of ``cls`` takes."""
    if not given:
        return
    known: set[str] = set()
    for base in cls.__mro__:
        hook = base.__dict__.get(_HOOK)
        if hook is not None:
            parameters = inspect.signature(hook.__func__).parameters.values()
            known |= {each.name for each in parameters if each.kind is each.KEYWORD_ONLY}
    name = next(iter(given))
    raise TypeError(f"{cls.__name__}: unknown class keyword {name!r}{_meant(name, known)}")


def check_type_name(cls: type, type_name: str) -> None:
    """Raise ``TypeError`` for a type name that no state could register (COSI's rules).

    Registration checks that the name is a plural, because that takes a dictionary of English.
    """
    name, _, suffix = type_name.partition(".")
    if NAME.fullmatch(name) and SUFFIX.fullmatch(suffix):
        return
    better = f"{name[:1].upper()}{name[1:]}.{suffix.lower()}"
    meant = f"; did you mean {better!r}?" if _is_type_name(better) and better != type_name else ""
    raise TypeError(
        f"{cls.__name__}: type {type_name!r} is not NAME.GROUP, "
        f'such as "ServiceGates.runtime.talos.dev"{meant}'
    )


def _is_type_name(text: str) -> bool:
    name, _, suffix = text.partition(".")
    return bool(NAME.fullmatch(name) and SUFFIX.fullmatch(suffix))


def check_columns(cls: type, columns: Mapping[str, str], fields: Iterable[str]) -> None:
    """Raise ``TypeError`` for a column whose path begins at a field that does not exist.

    ``fields`` are the names in the YAML form. Paths that do not begin with a field are not checked.
    """
    known = set(fields)
    for title, path in columns.items():
        begins = _FIRST_FIELD.match(path)
        if begins and begins[1] not in known:
            raise TypeError(
                f"{cls.__name__}: column {title!r} shows {path!r}, "
                f"but there is no field {begins[1]!r}{_meant(begins[1], known)}"
            )


def _meant(name: str, known: Iterable[str]) -> str:
    import difflib  # for errors only

    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
