"""Payloads for these tests."""

from datetime import UTC, datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Literal

from cosi import FrozenMap, Spec, Value


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Part(Value, proto={"name": 1, "count": 2}):
    name: str
    count: int = 0


class Thing(
    Spec,
    type="Things.test.cosi.dev",
    proto={
        "parts": 1,
        "number": 2,
        "on": 3,
        "moment": 4,
        "span": 5,
        "byName": 6,
        "colour": 7,
        "names": 8,
        "spare": 9,
        "counts": 10,
        "tags": 11,
        "raw": 12,
        "size": 13,
        "mode": 14,
        "ratio": 15,
    },
):
    """One field of every shape."""

    parts: tuple[Part, ...] = ()
    number: int | None = None
    on: bool = False
    moment: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    span: timedelta = timedelta()
    by_name: FrozenMap[str, Part] = FrozenMap()
    colour: Colour = Colour.GREEN
    names: tuple[str, ...] | None = None
    spare: Part | None = None
    counts: FrozenMap[str, int] = FrozenMap()
    tags: frozenset[str] = frozenset()
    raw: bytes = b""
    size: Size = Size.LARGE
    mode: Literal["a", "b"] = "b"
    ratio: float = 0.0


class Plain(Spec, type="Plains.test.cosi.dev"):
    """Declares no field numbers: travels as YAML alone."""

    text: str = ""


class Secret(Spec, type="Secrets.test.cosi.dev", sensitive=True, proto={"word": 1}):
    word: str = ""


FULL = Thing(
    parts=(Part(name="a"), Part(name="b", count=-1)),
    number=0,
    on=True,
    moment=datetime(1969, 12, 31, 23, 59, 59, 250_000, tzinfo=UTC),
    span=-timedelta(seconds=1, milliseconds=500),
    by_name=FrozenMap({"x": Part(name="y")}),
    colour=Colour.RED,
    names=(),
    spare=Part(name=""),
    counts=FrozenMap({"q": -3}),
    tags=frozenset({"b", "a"}),
    raw=b"raw",
    size=Size.SMALL,
    mode="a",
    ratio=-0.5,
)
