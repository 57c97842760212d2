"""Base classes of payloads: frozen pydantic models, whose classes are checked when defined."""

from __future__ import annotations

import functools
import typing
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import ComputedFieldInfo, FieldInfo

from cosi.resource._class_keywords import check_columns, check_type_name, refuse_unknown
from cosi.resource._field_numbers import ProtoField, checked
from cosi.resource._frozen import EMPTY, FrozenMap

_MUTABLE = (abc.MutableSequence, abc.MutableSet, abc.MutableMapping)
_MAYBE = {abc.Sequence, abc.Set, abc.Mapping, abc.Collection, abc.Iterable, abc.Container}
"""pydantic keeps the given object for these annotations: a list stays a list."""
_WIDE = 8
"""A class with more fields than this is faster to change by assigning one field."""
_set = object.__setattr__  # a payload is frozen, even for its own methods


class Value(BaseModel):
    """A part of a payload: frozen, strict about unknown fields, camelCase in YAML.

    The class keyword ``proto`` gives the protobuf field numbers:
    :mod:`cosi.resource._field_numbers`. The class definition raises ``TypeError`` for a field that
    can be changed in place (``list``, ``dict``). Construction raises ``pydantic.ValidationError``
    for invalid values.
    """

    __proto_fields__: ClassVar[FrozenMap[str, ProtoField]] = FrozenMap()

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        defer_build=True,  # for this class and the next; see below
    )

    # The class keywords are consumed below; pydantic's metaclass hands them to both hooks.
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, proto: Mapping[str, ProtoField] | None = None, **kwargs: Any
    ) -> None:
        refuse_unknown(cls, kwargs)
        super().__pydantic_init_subclass__()
        if proto:
            cls.__proto_fields__ = checked(cls.__name__, proto)
        for name, field in cls.model_fields.items():
            if mutable := _mutable_part(field.annotation):
                raise TypeError(
                    f"{cls.__name__}.{name} is a {mutable}, which can be changed; "
                    "use tuple, frozenset or FrozenMap"
                )

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with ``changes``, **validated** (``model_copy(update=...)`` is not).

        Raises ``pydantic.ValidationError``.
        """
        cls = type(self)
        fields = cls.__pydantic_fields__
        current = dict(self.__dict__)
        if len(current) != len(fields):  # a cached_property stores its value there
            current = {name: current[name] for name in fields}
        if len(changes) == 1 and _fields_stand_alone(cls) and changes.keys() <= fields.keys():
            return self._assigned(current, *changes.items())
        # By name only, without trying the alias first: measured at half the time.
        evolved: Self = cls.__pydantic_validator__.validate_python(
            {**current, **changes}, by_name=True, by_alias=False
        )
        return evolved

    def _assigned(self, current: dict[str, Any], change: tuple[str, Any]) -> Self:
        """Return a copy with one field validated: half the time of validating all of 20 fields."""
        cls = type(self)
        copy = cls.__new__(cls)
        _set(copy, "__dict__", current)  # not changed: the last line replaces it
        given = self.__pydantic_fields_set__
        # Shared if the change adds nothing to it: no other code ever changes it.
        _set(copy, "__pydantic_fields_set__", given if change[0] in given else given.copy())
        _set(copy, "__pydantic_extra__", None)
        _set(copy, "__pydantic_private__", None)
        cls.__pydantic_validator__.validate_assignment(copy, *change)
        return copy

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self


@functools.lru_cache(maxsize=1024)
def _fields_stand_alone(cls: type[Value]) -> bool:
    """Whether it is enough to validate one changed field, and faster: no rule spans fields."""
    rules = cls.__pydantic_decorators__
    several = rules.model_validators or rules.root_validators or rules.field_validators
    more = several or cls.__private_attributes__ or cls.__pydantic_post_init__
    return not more and len(cls.__pydantic_fields__) > _WIDE


def _mutable_part(annotation: Any) -> str | None:
    """Name the first mutable container type in ``annotation``, at any depth."""
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and (issubclass(origin, _MUTABLE) or origin in _MAYBE):
        return origin.__name__
    return next(filter(None, map(_mutable_part, typing.get_args(annotation))), None)


class Spec(Value):
    """The payload of a resource; a subclass is a *type* of resource.

    The class definition raises ``TypeError``, with the right spelling, for an unknown keyword, a
    type name that no state accepts, and a column of a field that does not exist. Class keywords:

    ``type``
        The full type name, ``PluralCamel.group.domain``; required.
    ``default_namespace``
        The namespace of resources of this type unless another one is given. The default is the
        first part of the group (``ServiceGates.runtime.talos.dev``: ``runtime``).
    ``aliases``
        Further names of the type that commands accept.
    ``columns``
        The columns of tables: ``{"Running": "{.running}"}``, a JSONPath into the YAML of the
        payload.
    ``sensitive``
        Whether only administrators may read it.
    ``singular``
        The singular of the name, which users see; needed if English rules do not find it.
    ``automatic_aliases``
        Whether ``servicegate``, ``sg`` and ``sgs`` are derived from the name (COSI:
        ``skipAutomaticAliases``).
    """

    __cosi__: ClassVar[TypeInfo]

    # pydantic calls this hook with the class keywords; only Spec accepts these.
    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        type: str | None = None,
        default_namespace: str | None = None,
        aliases: tuple[str, ...] = (),
        columns: Mapping[str, str] | None = None,
        sensitive: bool = False,
        singular: str | None = None,
        automatic_aliases: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if type is None:
            name = cls.__name__
            raise TypeError(
                f'{name} has no type: write class {name}(Spec, type="Names.group.domain")'
            )
        check_type_name(cls, type)
        group = type.partition(".")[2]
        if columns and not cls.__pydantic_decorators__.model_serializers:
            fields: dict[str, FieldInfo | ComputedFieldInfo]
            fields = {**cls.model_fields, **cls.model_computed_fields}
            check_columns(
                cls, columns, {info.alias or to_camel(name) for name, info in fields.items()}
            )
        cls.__cosi__ = TypeInfo(
            type=type,
            default_namespace=default_namespace or group.partition(".")[0],
            aliases=aliases,
            columns=FrozenMap(columns) if columns else EMPTY,
            sensitive=sensitive,
            singular=singular,
            automatic_aliases=automatic_aliases,
        )


# These two have no fields to validate or describe, so their schemas are not built. The first schema
# makes pydantic look for plugins, and descriptions are read from source: 50 milliseconds, which
# only programs with payloads have to spend. Classes derived from the two inherit these settings:
for _abstract in (Value, Spec):
    _abstract.model_config |= ConfigDict(defer_build=False, use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """The class keywords of a payload class; see :class:`Spec` for their meaning."""

    type: str
    default_namespace: str
    aliases: tuple[str, ...] = ()
    columns: FrozenMap[str, str] = EMPTY
    sensitive: bool = False
    singular: str | None = None
    automatic_aliases: bool = True


class AnySpec:
    """The payload of a type without a class here; it is passed on unchanged, byte for byte.

    ``yaml`` is the text of the payload as it was written, ``proto`` its protobuf bytes, if any.
    """

    __slots__ = ("proto", "yaml")
    yaml: str
    proto: bytes

    def __init__(self, yaml: str = "", proto: bytes = b"") -> None:
        object.__setattr__(self, "yaml", yaml)
        object.__setattr__(self, "proto", proto)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a payload is a value")

    @property
    def value(self) -> Any:
        """The decoded YAML, a new object at every call; raises ``yaml.YAMLError``."""
        from cosi.resource._yaml_loading import value_of  # not before it is needed

        return value_of(self.yaml)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AnySpec):
            return NotImplemented
        return self.yaml == other.yaml and self.proto == other.proto

    def __hash__(self) -> int:
        return hash((self.yaml, self.proto))

    def __repr__(self) -> str:
        return f"AnySpec({self.yaml!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> AnySpec:
        return self
