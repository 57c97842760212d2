"""The protobuf types for the annotations of payload fields.

==========================  ===============================================
annotation                  protobuf
==========================  ===============================================
bool, str, bytes, float     bool, string, bytes, double
int, ``IntEnum``            int64
``StrEnum``, ``Literal``    string
``("a", "b")``, see below   int32, the position in the tuple
datetime, timedelta         google.protobuf.Timestamp, google.protobuf.Duration
a ``Value``                 a message, by its own numbers
``tuple[X, ...]``, set      repeated
``FrozenMap[str, X]``       map
``X | None``                optional; of a list: a message with one repeated field
==========================  ===============================================

A tuple of names is not an annotation but stands for one: :mod:`cosi.resource._field_numbers`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, IntEnum, StrEnum
from typing import Any, Literal, TypeAlias, cast

from google.protobuf.descriptor_pb2 import FieldDescriptorProto

from cosi.resource._frozen import FrozenMap
from cosi.resource._payload import Value

WireType: TypeAlias = FieldDescriptorProto.Type.ValueType

MESSAGE = FieldDescriptorProto.TYPE_MESSAGE
STRING = FieldDescriptorProto.TYPE_STRING
_SCALARS: Mapping[type, WireType] = {
    bool: FieldDescriptorProto.TYPE_BOOL,
    bytes: FieldDescriptorProto.TYPE_BYTES,
    float: FieldDescriptorProto.TYPE_DOUBLE,
    int: FieldDescriptorProto.TYPE_INT64,
    str: STRING,
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Shape = Literal["one", "optional", "many", "nullable many", "map"]


@dataclass(frozen=True, slots=True)
class Element:
    """One value on the wire: its protobuf type, and the conversions in both directions."""

    type: WireType
    type_name: str = ""
    to_wire: Callable[[Any], Any] | None = None
    from_wire: Callable[[Any], Any] | None = None
    zero_means_absent: bool = False
    """Whether zero is not a value of the type, so that an unset field means the default."""


def split(annotation: Any) -> tuple[Shape, Any]:
    """The shape of ``annotation``, and the type of its elements."""
    if isinstance(annotation, tuple):
        return "one", cast("tuple[str, ...]", annotation)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return split(arguments[0])
    if origin in {types.UnionType, typing.Union}:
        return _optional([part for part in arguments if part is not types.NoneType], annotation)
    if origin in {tuple, frozenset} and len({*arguments} - {...}) == 1:
        return "many", arguments[0]
    if origin is FrozenMap and arguments[0] is str:
        return "map", arguments[1]
    return "one", annotation


def _optional(parts: list[Any], annotation: Any) -> tuple[Shape, Any]:
    if len(parts) != 1:
        raise TypeError(_unmapped(annotation))
    shape, part = split(parts[0])
    if shape == "one":
        return "optional", part
    if shape == "many":
        return "nullable many", part
    raise TypeError(_unmapped(annotation))


def element(annotation: Any, message: Callable[[type[Value]], Element]) -> Element:
    """The element of ``annotation``; ``message`` returns that of a nested value.

    Raises :class:`TypeError` if protobuf has no type for it.
    """
    if isinstance(annotation, tuple):
        return _enumeration(cast("tuple[str, ...]", annotation))
    if typing.get_origin(annotation) is typing.Annotated:
        return element(typing.get_args(annotation)[0], message)
    if typing.get_origin(annotation) is Literal:
        return Element(STRING, zero_means_absent="" not in typing.get_args(annotation))
    if isinstance(annotation, type):
        return _of_class(annotation, message)
    raise TypeError(_unmapped(annotation))


def _of_class(annotation: type, message: Callable[[type[Value]], Element]) -> Element:
    if issubclass(annotation, Value):
        return message(annotation)
    if annotation in _SCALARS:
        return Element(_SCALARS[annotation])
    if issubclass(annotation, StrEnum | IntEnum):
        return _enum(annotation)
    if annotation is datetime:
        return Element(MESSAGE, ".google.protobuf.Timestamp", _timestamp, _datetime)
    if annotation is timedelta:
        return Element(MESSAGE, ".google.protobuf.Duration", _duration, _timedelta)
    raise TypeError(_unmapped(annotation.__name__))


def _unmapped(annotation: Any) -> str:
    return f"no protobuf mapping for {annotation}: annotate it with a supported type"


def _enum(annotation: type[Enum]) -> Element:
    values = {member.value for member in annotation}
    if issubclass(annotation, StrEnum):
        return Element(STRING, to_wire=str, zero_means_absent="" not in values)
    return Element(FieldDescriptorProto.TYPE_INT64, to_wire=int, zero_means_absent=0 not in values)


def _enumeration(names: tuple[str, ...]) -> Element:
    numbers = {name: number for number, name in enumerate(names)}

    def to_wire(value: object) -> int:
        if str(value) in numbers:
            return numbers[str(value)]
        raise ValueError(f"{value!r} is not one of {', '.join(map(repr, names))}")

    def from_wire(number: int) -> str:
        if 0 <= number < len(names):
            return names[number]
        raise ValueError(f"{number} is not the number of a name")

    return Element(FieldDescriptorProto.TYPE_INT32, to_wire=to_wire, from_wire=from_wire)


def _timestamp(moment: datetime) -> dict[str, int]:
    seconds, microseconds = divmod((moment - _EPOCH) // _MICROSECOND, 1_000_000)
    return {"seconds": seconds, "nanos": microseconds * 1_000}


def _datetime(timestamp: Any) -> datetime:
    return _EPOCH + _timedelta(timestamp)


def _duration(span: timedelta) -> dict[str, int]:
    # Unlike a Timestamp's, the two parts of a Duration have one sign.
    seconds, microseconds = divmod(abs(span) // _MICROSECOND, 1_000_000)
    sign = -1 if span < timedelta() else 1
    return {"seconds": sign * seconds, "nanos": sign * microseconds * 1_000}


def _timedelta(duration: Any) -> timedelta:
    return timedelta(seconds=duration.seconds, microseconds=duration.nanos / 1_000)
