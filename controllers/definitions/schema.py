"""The schema of a payload class for documents, derived from its annotations.

The class is the schema: a new field is read, checked and suggested as soon as it is declared, and
``model_json_schema(by_alias=True)`` describes the same document to an editor.
"""

from __future__ import annotations

import inspect
import types
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from cosi import FrozenMap, Value
from resources.extension_service import (
    Container,
    Dependency,
    ExtensionServiceSpec,
    IDMapping,
    Mount,
    NetworkCheck,
    Restart,
    Security,
)

_GO_NAMES: Final[dict[type, str]] = {
    ExtensionServiceSpec: "services.Spec",
    Container: "services.Container",
    Security: "services.Security",
    Dependency: "services.Dependency",
    Restart: "services.RestartKind",
    NetworkCheck: "nethelpers.Status",
    Mount: "specs.Mount",
    IDMapping: "specs.LinuxIDMapping",
}
"""The names of our classes in Talos's messages; other classes have their own names."""


@dataclass(frozen=True, slots=True)
class TextSchema:
    """Any scalar except a date, with its spelling unchanged."""

    name: str = "string"


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean of YAML 1.2, or a boolean word of YAML 1.1."""

    name: str = "bool"


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number; ``check`` validates its range."""

    check: TypeAdapter[Any]
    name: str = "uint32"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the words of an enum, in any case."""

    words: dict[str, StrEnum]
    name: str
    enum: type[StrEnum]

    @property
    def title(self) -> str:
        """The name without its package, for messages about a wrong word."""
        return self.name.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; nulls in it are dropped."""

    item: Shape

    @property
    def name(self) -> str:
        """The list's type in messages."""
        return f"[]{self.item.name}"


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping with arbitrary keys."""

    item: Shape

    @property
    def name(self) -> str:
        """The mapping's type in messages."""
        return f"map[string]{self.item.name}"


@dataclass(frozen=True, slots=True)
class RecordSchema:
    """A mapping with known keys; ``keys`` are spelt as in the document."""

    payload: type[Value]
    keys: dict[str, FieldSchema]
    name: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """Any other type that is written as one scalar; pydantic parses it."""

    check: TypeAdapter[Any]
    name: str


Shape: TypeAlias = TextSchema | Flag | Number | Choice | ListOf | MapOf | RecordSchema | Parsed


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field of a record; ``blank`` is its value if the document omits it."""

    attribute: str
    shape: Shape
    blank: Any


@cache  # bounded by the number of payload classes
def record(payload: type[Value]) -> RecordSchema:
    """The schema of a payload class; raises ``TypeError`` if a field has no form in YAML."""
    keys = {
        info.alias or attribute: FieldSchema(attribute, shape := _shape(info), _blank(info, shape))
        for attribute, info in payload.model_fields.items()
    }
    return RecordSchema(payload, keys, _go_name(payload))


def _shape(info: FieldInfo) -> Shape:
    annotation = info.annotation
    if info.metadata:
        return _of(Annotated[annotation, *info.metadata])
    return _of(annotation)


def _of(annotation: Any) -> Shape:
    plain: Any
    plain, *metadata = (
        get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    )
    if get_origin(plain) in {Union, types.UnionType}:
        (plain,) = (part for part in get_args(plain) if part is not type(None))
    if get_origin(plain) is tuple:
        return ListOf(_of(get_args(plain)[0]))
    if get_origin(plain) is FrozenMap:
        return MapOf(_of(get_args(plain)[1]))
    if plain is int:
        return Number(TypeAdapter(annotation))
    if inspect.isclass(plain) and not metadata:
        return _of_class(plain)
    return Parsed(TypeAdapter(annotation), getattr(plain, "__name__", str(plain)))


def _of_class(plain: type[Any]) -> Shape:
    if plain is str:
        return TextSchema()
    if plain is bool:
        return Flag()
    if issubclass(plain, StrEnum):
        return Choice({word.value.casefold(): word for word in plain}, _go_name(plain), plain)
    if issubclass(plain, Value):
        return record(plain)
    return Parsed(TypeAdapter(plain), plain.__name__)


def _blank(info: FieldInfo, shape: Shape) -> Any:
    """The default, or Go's zero value for a required field, which the rules then refuse."""
    if not info.is_required():
        return info.get_default(call_default_factory=True)
    match shape:
        case TextSchema():
            return ""
        case RecordSchema(payload, keys):
            return payload.model_construct(**{f.attribute: f.blank for f in keys.values()})
        case ListOf():
            return ()
        case Flag():
            return False
        case _:
            return None


def _go_name(plain: type) -> str:
    return _GO_NAMES.get(plain, plain.__name__)
