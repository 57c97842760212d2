"""Converts payloads to protobuf messages and back, by the field numbers that their class declares.

The message types are made at run time from the class, in a descriptor pool of their own: no code is
generated, and two classes with one name do not collide. Fields without a number are not sent as
protobuf; such a payload is complete only in its YAML form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from google.protobuf import descriptor_pool, duration_pb2, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError, Message

from cosi.api._limits import check_values
from cosi.api.annotations import MESSAGE, STRING, Element, Shape, element, split
from cosi.errors import InvalidResource
from cosi.resource._field_numbers import ProtoField
from cosi.resource._payload import AnySpec, Spec, Value

_PACKAGE = "cosi.payload"
_LIST = "values"  # the only field of the message around a nullable list


class PayloadCodec:
    """Converts one payload class to protobuf bytes and back."""

    def __init__(self, payload: type[Value]) -> None:
        self.payload = payload
        shapes = _Shapes(payload)
        self._root = shapes.root
        self._message = shapes.message_class()
        self.complete = all(shape.complete for shape in shapes)
        """Whether every field has a number, so that the bytes alone are complete."""

    def encode(self, spec: Value) -> bytes:
        """The message for ``spec``; raises :class:`InvalidResource` if a value does not fit."""
        try:
            message = self._message(**self._root.arguments(spec))
        except (TypeError, ValueError) as error:
            raise InvalidResource(f"{self.payload.__name__} as protobuf: {error}") from error
        return message.SerializeToString(deterministic=True)

    def decode(self, data: bytes, *, limited: bool = False) -> Any:
        """The payload in ``data``; raises :class:`InvalidResource`.

        If ``limited``, raises :class:`~cosi.errors.LimitExceeded` for more values than a client may
        send.
        """
        try:
            message = self._message.FromString(data)
            if limited:
                check_values(message)
            return self.payload.model_validate(self._root.values(message))
        except (DecodeError, ValueError, OverflowError) as error:
            raise InvalidResource(f"not a {self.payload.__name__}: {error}") from error


@cache  # bounded by the number of payload classes
def payload_codec(payload: type[Spec | AnySpec]) -> PayloadCodec | None:
    """The codec of ``payload``; ``None`` if it declares no field numbers.

    Raises ``TypeError`` for a field with a number but without a protobuf type.
    """
    if issubclass(payload, Value) and payload.__proto_fields__:
        return PayloadCodec(payload)
    return None


class _Shapes:
    """The messages for one payload class and for every value in it."""

    def __init__(self, payload: type[Value]) -> None:
        self._file = FileDescriptorProto(
            name=f"{payload.__name__}.proto",
            package=_PACKAGE,
            syntax="proto3",
            dependency=[timestamp_pb2.DESCRIPTOR.name, duration_pb2.DESCRIPTOR.name],
        )
        self._shapes: dict[type[Value], _MessageShape] = {}
        self.message(payload)
        self.root = self._shapes[payload]

    def __iter__(self) -> Iterator[_MessageShape]:
        return iter(self._shapes.values())

    def message(self, value: type[Value]) -> Element:
        """``value`` as a message, which is defined at its first use."""
        if value not in self._shapes:
            descriptor = self._file.message_type.add(name=f"{value.__name__}{len(self._shapes)}")
            self._shapes[value] = _MessageShape(value, descriptor)
            self._shapes[value].define(self)
        shape = self._shapes[value]
        name = f".{_PACKAGE}.{shape.descriptor.name}"
        return Element(MESSAGE, name, shape.arguments, shape.values)

    def message_class(self) -> type[Message]:
        pool = descriptor_pool.DescriptorPool()
        for well_known in (timestamp_pb2, duration_pb2):
            pool.AddSerializedFile(well_known.DESCRIPTOR.serialized_pb)
        pool.AddSerializedFile(self._file.SerializeToString())
        root = f"{_PACKAGE}.{self.root.descriptor.name}"
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(root))


class _MessageShape:
    """One ``Value`` class as a message."""

    def __init__(self, value: type[Value], descriptor: DescriptorProto) -> None:
        self.value = value
        self.descriptor = descriptor
        self._attributes = {field.alias or name: name for name, field in value.model_fields.items()}
        self._fields: list[_Field] = []
        self._written: list[_Field] = []
        self.complete = self._attributes.keys() <= value.__proto_fields__.keys()

    def define(self, shapes: _Shapes) -> None:
        """Define every declared field; raises :class:`TypeError` if it has no protobuf type."""
        if not self.value.__proto_fields__:
            raise TypeError(f"{self.value.__name__} declares no protobuf field numbers")
        for key, declared in self.value.__proto_fields__.items():
            number, annotation = self._declared(key, declared)
            try:
                shape, part = split(annotation)
                field = _Field(
                    key, self._attributes.get(key, ""), shape, element(part, shapes.message)
                )
            except TypeError as error:
                raise TypeError(f"{self.value.__name__}.{key}: {error}") from None
            (self._written if isinstance(declared, tuple) else self._fields).append(field)
            field.describe(self.descriptor, number)

    def _declared(self, key: str, declared: ProtoField) -> tuple[int, Any]:
        if isinstance(declared, tuple):
            return declared
        if key not in self._attributes:
            raise TypeError(
                f"{self.value.__name__} has no field {key!r}; declare ({declared}, its type)"
            )
        return declared, self.value.model_fields[self._attributes[key]].annotation

    def arguments(self, value: Value) -> dict[str, Any]:
        """The arguments of the message's constructor."""
        arguments = {f.name: f.to_wire(getattr(value, f.attribute)) for f in self._fields}
        if self._written:
            written = value.model_dump(by_alias=True)
            arguments |= {f.name: f.to_wire(written.get(f.key)) for f in self._written}
        return arguments

    def values(self, message: Message) -> dict[str, Any]:
        """The values from which the payload is validated."""
        fields = (*self._fields, *self._written)
        return {f.key: f.from_wire(message) for f in fields if not f.absent(message)}


@dataclass(slots=True)
class _Field:
    """One field of a message; ``key`` is its name in YAML, ``attribute`` the one in Python."""

    key: str
    attribute: str
    shape: Shape
    element: Element

    @property
    def name(self) -> str:
        return "f_" + re.sub(r"\W", "_", self.key, flags=re.ASCII)

    def to_wire(self, value: Any) -> Any:
        if value is None:
            return None
        convert = self.element.to_wire or _unchanged
        if self.shape == "map":
            return {key: convert(item) for key, item in value.items()}
        if self.shape in {"one", "optional"}:
            return convert(value)
        # A set has no order, and equal payloads must be equal bytes.
        several = cast("Iterable[Any]", value)
        several = sorted(several) if isinstance(value, frozenset) else several
        items = [convert(item) for item in several]
        return items if self.shape == "many" else {_LIST: items}

    def from_wire(self, message: Message) -> Any:
        convert = self.element.from_wire or _unchanged
        value = getattr(message, self.name)
        if self.shape == "map":
            return {key: convert(value[key]) for key in value}
        if self.shape in {"one", "optional"}:
            return convert(value)
        return tuple(convert(item) for item in (value if self.shape == "many" else value.values))

    def absent(self, message: Message) -> bool:
        """Whether the field is unset, so that the payload's default applies."""
        if self.shape in {"many", "map"}:
            return False
        if self.shape != "one" or self.element.type == MESSAGE:
            return not message.HasField(self.name)
        return self.element.zero_means_absent and not getattr(message, self.name)

    def describe(self, message: DescriptorProto, number: int) -> None:
        """Add the field to its message."""
        one = self.shape in {"one", "optional"}
        field = _add(message, self.name, number, self.element, repeated=not one)
        if self.shape == "optional" and self.element.type != MESSAGE:
            field.proto3_optional = True
            field.oneof_index = len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{self.name}")
        elif self.shape == "nullable many":
            wrapper = message.nested_type.add(name=f"List{number}")
            _add(wrapper, _LIST, 1, self.element, repeated=True)
            _wrap(field, message, wrapper, FieldDescriptorProto.LABEL_OPTIONAL)
        elif self.shape == "map":
            # protobuf requires this name, derived from that of the field.
            entry = message.nested_type.add(name=_camel(self.name) + "Entry")
            entry.options.map_entry = True
            _add(entry, "key", 1, Element(STRING), repeated=False)
            _add(entry, "value", 2, self.element, repeated=False)
            _wrap(field, message, entry, FieldDescriptorProto.LABEL_REPEATED)


def _add(
    message: DescriptorProto, name: str, number: int, element: Element, *, repeated: bool
) -> FieldDescriptorProto:
    label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    type_name = element.type_name or None
    return message.field.add(
        name=name, number=number, type=element.type, type_name=type_name, label=label
    )


def _wrap(
    field: FieldDescriptorProto,
    message: DescriptorProto,
    nested: DescriptorProto,
    label: FieldDescriptorProto.Label.ValueType,
) -> None:
    """Set the type of ``field`` to ``nested``."""
    field.type, field.label = MESSAGE, label
    field.type_name = f".{_PACKAGE}.{message.name}.{nested.name}"


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _unchanged(value: Any) -> Any:
    return value
