"""Resources are values: a frozen payload in a frozen envelope.

A payload class says what a thing is::

    class ServiceGate(Spec, type="ServiceGates.runtime.talos.dev"):
        waiting_for: tuple[str, ...] = ()

and the state hands out ``Resource[ServiceGate]``: ``.id``, ``.spec``, ``.metadata``. Nothing is
ever copied; what a reader gets *is* what is stored, and cannot be used to change it.
"""

from __future__ import annotations

import re
import typing
from collections import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

import yaml
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from cosi.errors import InvalidResource
from cosi.field_numbers import ProtoField, checked
from cosi.frozen import EMPTY, FrozenMap
from cosi.metadata import Metadata, Phase, Version, format_version

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MUTABLE = (abc.MutableSequence, abc.MutableSet, abc.MutableMapping)
_MAYBE = {abc.Sequence, abc.Set, abc.Mapping, abc.Collection, abc.Iterable, abc.Container}
"""pydantic keeps whatever it is given for these: a list stays a list."""


class Value(BaseModel):
    """A part of a payload: frozen, strict about unknown fields, camelCase in YAML.

    The class keyword ``proto`` gives the protobuf field numbers: :mod:`cosi.field_numbers`.
    """

    __proto_fields__: ClassVar[FrozenMap[str, ProtoField]] = FrozenMap()

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    # The class keywords are consumed below; pydantic's metaclass hands them to both hooks.
    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, proto: Mapping[str, ProtoField] | None = None, **kwargs: Any
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if proto:
            cls.__proto_fields__ = checked(cls.__name__, proto)
        for name, field in cls.model_fields.items():
            if mutable := _mutable_part(field.annotation):
                raise TypeError(
                    f"{cls.__name__}.{name} is a {mutable}, which can be changed; "
                    "use tuple, frozenset or FrozenMap"
                )

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with ``changes``, **validated** (``model_copy(update=...)`` is not)."""
        fields = type(self).model_fields
        current = self.__dict__
        if len(current) != len(fields):  # a cached_property has left its value there
            current = {name: current[name] for name in fields}
        # By name alone, without trying the alias first: measured at half the time.
        return type(self).model_validate({**current, **changes}, by_name=True, by_alias=False)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self


def _mutable_part(annotation: Any) -> str | None:
    """Name the first mutable container type in ``annotation``, however deep."""
    origin = typing.get_origin(annotation) or annotation
    if isinstance(origin, type) and (issubclass(origin, _MUTABLE) or origin in _MAYBE):
        return origin.__name__
    return next(filter(None, map(_mutable_part, typing.get_args(annotation))), None)


class Spec(Value):
    """The payload of a resource; a subclass is a *type* of resource.

    Class keywords:

    ``type``
        The full type name, ``PluralCamel.group.domain``; required.
    ``default_namespace``
        Where resources of this type live unless said otherwise; the first part of the group if
        not given (``ServiceGates.runtime.talos.dev``: ``runtime``).
    ``aliases``
        Further names that people may use for the type.
    ``columns``
        What tables show: ``{"Running": "{.running}"}``, a JSONPath into the YAML of the payload.
    ``sensitive``
        Whether only administrators may read it.
    ``singular``
        The singular of the name, where English rules do not find it: it is what people see.
    ``automatic_aliases``
        Whether ``servicegate``, ``sg`` and ``sgs`` are derived from the name (COSI:
        ``skipAutomaticAliases``).
    """

    __cosi__: ClassVar[TypeInfo]

    # pydantic calls this hook with the class keywords; only Spec takes these.
    @classmethod
    def __pydantic_init_subclass__(  # type: ignore[override]
        cls,
        *,
        type: str,
        default_namespace: str | None = None,
        aliases: tuple[str, ...] = (),
        columns: Mapping[str, str] | None = None,
        sensitive: bool = False,
        singular: str | None = None,
        automatic_aliases: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        name, _, group = type.partition(".")
        if not name or not group:
            raise TypeError(f"{cls.__name__}: type {type!r} is not NAME.GROUP")
        cls.__cosi__ = TypeInfo(
            type=type,
            default_namespace=default_namespace or group.partition(".")[0],
            aliases=aliases,
            columns=FrozenMap(columns) if columns else EMPTY,
            sensitive=sensitive,
            singular=singular,
            automatic_aliases=automatic_aliases,
        )


@dataclass(frozen=True, slots=True)
class TypeInfo:
    """What a payload class says about its type; see :class:`Spec` for the fields."""

    type: str
    default_namespace: str
    aliases: tuple[str, ...] = ()
    columns: FrozenMap[str, str] = EMPTY
    sensitive: bool = False
    singular: str | None = None
    automatic_aliases: bool = True


class AnySpec:
    """The payload of a type that nobody registered: it travels as it came, byte for byte.

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
        """The decoded YAML; a new object at every call."""
        return yaml.load(self.yaml, _SafeLoader)  # noqa: S506  # it is one, in C where there is C

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


S = TypeVar("S", bound="Spec | AnySpec")
S_co = TypeVar("S_co", bound="Spec | AnySpec", covariant=True)
_PayloadClass = type[S_co]  # inside Kind and Resource, ``type`` is a field


@dataclass(frozen=True, slots=True)
class Kind(Generic[S_co]):
    """A type in a namespace, and the class of its payload: what is listed and watched."""

    namespace: str
    type: str
    payload: _PayloadClass[S_co]

    def pointer(self, id: str) -> Pointer:
        """The address of one resource of this kind."""
        return Pointer(self.namespace, self.type, id)

    def __str__(self) -> str:
        return f"{self.type}({self.namespace})"


KindLike = type[S] | Kind[S]
"""A payload class (its default namespace is meant) or a :class:`Kind`."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """The address of a resource; it need not exist."""

    namespace: str
    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}({self.namespace}/{self.id})"


def kind_of(kind: KindLike[S], namespace: str | None = None) -> Kind[S]:
    """The :class:`Kind` of a payload class, in ``namespace`` or the class's default one."""
    if isinstance(kind, Kind):
        return kind if namespace is None else Kind(namespace, kind.type, kind.payload)
    if not issubclass(kind, Spec):
        raise TypeError(
            f"{kind.__name__} has no type of its own; say Kind(namespace, type, AnySpec)"
        )
    info = kind.__cosi__
    return cast("Kind[S]", Kind(namespace or info.default_namespace, info.type, kind))


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_name(metadata: Metadata) -> None:
    """Raise :class:`InvalidResource` if a part of the address holds a control character.

    COSI takes any text; a line break in an id breaks tables, logs and file names of everybody who
    trusts it, so it is refused where a resource is made and where it is stored.
    """
    for part in ("namespace", "type", "id"):
        text: str = getattr(metadata, part)
        if _CONTROL.search(text):
            raise InvalidResource(
                f"{text!r} is not a resource {part}: it holds a control character",
                Pointer(metadata.namespace, metadata.type, metadata.id),
            )


class _Envelope(Generic[S_co]):
    __slots__ = ("_encoded", "metadata", "spec")
    metadata: Metadata
    spec: S_co
    _encoded: Any  # what cosi.api keeps with the resource: encoded once, sent to every watcher


_set_metadata = _Envelope.__dict__["metadata"].__set__
_set_spec = _Envelope.__dict__["spec"].__set__


class Resource(_Envelope[S_co]):
    """One resource: metadata and payload, both values.

    Equality is COSI's: metadata without timestamps, and the payload.
    """

    __slots__ = ()

    def __init__(self, metadata: Metadata, spec: S_co) -> None:
        _set_metadata(self, metadata)
        _set_spec(self, spec)

    @classmethod
    def new(
        cls,
        id: str,
        spec: S,
        *,
        kind: Kind[Any] | None = None,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        finalizers: tuple[str, ...] = (),
    ) -> Resource[S]:
        """A resource that no state has seen yet: version undefined, no owner, running.

        ``kind`` is needed only for an :class:`AnySpec`, which does not know its own type.
        Raises :class:`InvalidResource` if the address holds a control character.
        """
        where = kind or kind_of(type(spec))
        metadata = Metadata(
            namespace or where.namespace,
            where.type,
            id,
            labels=FrozenMap(labels) if labels else EMPTY,
            annotations=FrozenMap(annotations) if annotations else EMPTY,
            finalizers=finalizers,
        )
        check_name(metadata)
        return Resource(metadata, spec)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a resource is a value; use evolve({name}=...) to make the next one")

    @property
    def id(self) -> str:
        return self.metadata.id

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def type(self) -> str:
        return self.metadata.type

    @property
    def version(self) -> Version:
        return self.metadata.version

    @property
    def owner(self) -> str:
        return self.metadata.owner

    @property
    def labels(self) -> FrozenMap[str, str]:
        return self.metadata.labels

    @property
    def finalizers(self) -> tuple[str, ...]:
        return self.metadata.finalizers

    @property
    def tearing_down(self) -> bool:
        return self.metadata.phase is Phase.TEARING_DOWN

    @property
    def pointer(self) -> Pointer:
        return Pointer(self.metadata.namespace, self.metadata.type, self.metadata.id)

    def evolve(self, *, spec: Any = None, **changes: Any) -> Resource[S_co]:
        """The same resource with another payload and, or, other metadata fields."""
        metadata = self.metadata.evolve(**changes) if changes else self.metadata
        return Resource(metadata, self.spec if spec is None else spec)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Resource):
            return NotImplemented
        same: bool = _same(self, other)  # pyright: ignore[reportUnknownArgumentType]
        return same

    def __hash__(self) -> int:
        return hash(self.metadata)

    def __str__(self) -> str:
        return str(self.metadata)

    def __repr__(self) -> str:
        return f"<Resource {self.metadata}>"

    def __copy__(self) -> Resource[S_co]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Resource[S_co]:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.metadata, self.spec))


def _same(one: Resource[Any], other: Resource[Any]) -> bool:
    return one.metadata == other.metadata and (
        one.spec is other.spec or bool(one.spec == other.spec)
    )


class Tombstone(Resource[Any]):
    """Where a resource was, or is not yet: an address and a version, no payload."""

    __slots__ = ()

    def __init__(self, pointer: Pointer, version: Version = None) -> None:
        metadata = Metadata(pointer.namespace, pointer.type, pointer.id, version)
        _set_metadata(self, metadata)

    if not typing.TYPE_CHECKING:

        @property
        def spec(self) -> Any:
            raise InvalidResource("tombstone doesn't contain spec", self.pointer)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tombstone):
            return NotImplemented
        return self.metadata == other.metadata

    def __hash__(self) -> int:
        return hash(self.metadata)

    def __str__(self) -> str:
        m = self.metadata
        return f"Tombstone({m.type}({m.namespace}/{m.id}@{format_version(m.version)}))"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Tombstone, (self.pointer, self.metadata.version))
