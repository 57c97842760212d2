"""Durations in Go's notation (``1m30s``), as in Talos's documents and resources."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_MICROSECONDS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6, "m": 6e7, "h": 3.6e9, "ns": 1e-3}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> timedelta:
    """Read Go's notation (``time.ParseDuration``); raises ``ValueError`` on anything else."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return timedelta()
    parts = list(_PART.finditer(rest))
    if not parts or "".join(part.group() for part in parts) != rest:
        raise ValueError(f"invalid duration {text!r}: write it like 1m30s or 500ms")
    total = sum(float(number) * _MICROSECONDS[unit] for number, unit in (p.groups() for p in parts))
    try:
        return timedelta(microseconds=sign * total)
    except OverflowError:
        raise ValueError(f"invalid duration {text!r}: too long") from None


def format_duration(span: timedelta) -> str:
    """Write Go's notation (``time.Duration.String``): ``1m30s``, ``1.5s``, ``250ms``, ``0s``."""
    microseconds = round(span / timedelta(microseconds=1))
    if microseconds < 0:
        return "-" + format_duration(-span)
    if microseconds < 1_000_000:
        return _below_a_second(microseconds)
    minutes, rest = divmod(microseconds, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = _decimal(rest, 1_000_000) + "s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _below_a_second(microseconds: int) -> str:
    if microseconds == 0:
        return "0s"
    if microseconds < 1_000:
        return f"{microseconds}µs"
    return _decimal(microseconds, 1_000) + "ms"


def _decimal(amount: int, unit: int) -> str:
    whole, rest = divmod(amount, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}}".rstrip("0").rstrip(".")


def _validate(value: object) -> object:
    if isinstance(value, str):
        return parse_duration(value)
    # Go's decoder takes a bare number as nanoseconds.
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(microseconds=value / 1_000)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_validate),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["1m30s"]}),
]
"""A ``timedelta`` that is written as ``1m30s``."""
