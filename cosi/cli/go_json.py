"""Writes JSON and numbers as Go does (``encoding/json``, ``strconv``)."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any, Final, TypeGuard

# Characters that Go escapes in strings, so that the JSON is safe inside HTML.
_HTML_SAFE: Final = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def is_mapping(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether ``value`` is a mapping of YAML or JSON."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether ``value`` is a list of YAML or JSON."""
    return isinstance(value, list)


def go_json(value: Any, indent: int = 0) -> str:
    """``json.Marshal``; with ``indent`` blanks for each level it is ``json.MarshalIndent``."""
    return _written(value, " " * indent, "\n" if indent else "")


def go_float(number: float, threshold: int) -> str:
    """The shortest digits, with an exponent below 1e-4 and from 10 ** ``threshold`` on."""
    if not math.isfinite(number):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(number)]
    exact = Decimal(repr(number)).normalize()
    sign, digits, _ = exact.as_tuple()
    exponent = exact.adjusted()
    if number == 0 or -4 <= exponent < threshold:
        return f"{exact:f}"
    first, *rest = map(str, digits)
    fraction = f".{''.join(rest)}" if rest else ""
    return f"{'-' * sign}{first}{fraction}e{exponent:+03d}"


def _written(value: Any, step: str, line: str) -> str:
    if is_mapping(value):
        entries = sorted((str(key), item) for key, item in value.items())
        colon = ": " if step else ":"
        inside = [f"{_string(k)}{colon}{_written(v, step, line + step)}" for k, v in entries]
        return _between("{}", inside, step, line)
    if is_list(value):
        items = [_written(item, step, line + step) for item in value]
        return _between("[]", items, step, line)
    if isinstance(value, float) and math.isfinite(value):
        return _number(value)
    if value is None or isinstance(value, bool | int):
        return json.dumps(value)
    return _string(str(value))


def _between(braces: str, parts: list[str], step: str, line: str) -> str:
    if not parts:
        return braces
    return (
        braces[0]
        + line
        + (line and step)
        + f",{line and line + step}".join(parts)
        + line
        + braces[1]
    )


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_HTML_SAFE)


def _number(number: float) -> str:
    """As in Go's JSON: an exponent below 1e-6 and from 1e21 on; ``e-7``, not ``e-07``."""
    if number == 0 or 1e-6 <= abs(number) < 1e21:
        return f"{Decimal(repr(number)).normalize():f}"
    return go_float(number, 21).replace("e-0", "e-")
