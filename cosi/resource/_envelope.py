"""Resources as values: a frozen payload in a frozen envelope.

A payload class declares the fields of a type::

    class ServiceGate(Spec, type="ServiceGates.runtime.talos.dev"):
        waiting_for: tuple[str, ...] = ()

and the state returns a ``Resource[ServiceGate]``: ``.id``, ``.spec``, ``.metadata``. Nothing is
ever copied: a reader gets the stored object itself, and cannot change it.
"""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, cast

from cosi.errors import InvalidResource
from cosi.resource._fields import Envelope
from cosi.resource._frozen import EMPTY, FrozenMap
from cosi.resource._metadata import Metadata, Version, format_version, names, texts
from cosi.resource._payload import AnySpec, Spec, TypeInfo, Value
from cosi.resource._phase import Phase
from cosi.resource._pointer import Pointer

__all__ = [
    "AnySpec",
    "Kind",
    "KindLike",
    "Pointer",
    "Resource",
    "S",
    "S_co",
    "Spec",
    "Tombstone",
    "TypeInfo",
    "Value",
    "check_name",
    "kind_of",
]

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


def kind_of(kind: KindLike[S], namespace: str | None = None) -> Kind[S]:
    """The :class:`Kind` of a payload class, in ``namespace`` or the class's default one.

    Raises ``TypeError`` for :class:`AnySpec`, which has no type of its own, and for anything else
    that is not a payload class.
    """
    if isinstance(kind, Kind):
        return kind if namespace is None else Kind(namespace, kind.type, kind.payload)
    if not isinstance(kind, type) or not issubclass(kind, Spec):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise _no_kind(kind)
    if namespace is None:
        return cast("Kind[S]", _default_kind(kind))
    return cast("Kind[S]", Kind(namespace, kind.__cosi__.type, kind))


def _no_kind(given: object) -> TypeError:
    if given is AnySpec:
        return TypeError("AnySpec has no type of its own; use Kind(namespace, type, AnySpec)")
    if isinstance(given, type):
        return TypeError(f"{given.__name__} is not a payload class: it does not derive from Spec")
    return TypeError(
        f"{given!r} is not a kind: use a payload class, or Kind(namespace, type, AnySpec)"
    )


@functools.lru_cache(maxsize=1024)
def _default_kind(payload: type[Spec]) -> Kind[Any]:
    """Cached, because every new resource needs it."""
    return Kind(payload.__cosi__.default_namespace, payload.__cosi__.type, payload)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_name(metadata: Metadata) -> None:
    """Raise :class:`InvalidResource` if a part of the address is not text, or has a control
    character.

    COSI accepts any text. A line break in an id breaks the tables, logs and file names of every
    program that trusts it, so it is refused where a resource is made and where it is stored. A
    number or a path as an id is refused too: it cannot be sorted among texts, so the kind could
    not be listed any more.
    """
    try:
        if (metadata.namespace + metadata.type + metadata.id).isprintable():
            return  # nearly always, at a tenth of the cost: every write is checked twice
    except TypeError:
        pass  # reported below
    for part in ("namespace", "type", "id"):
        text: object = getattr(metadata, part)
        problem = "" if isinstance(text, str) else f"it is a {type(text).__name__}, not text"
        if problem or _CONTROL.search(str(text)):
            raise InvalidResource(
                f"{text!r} is not a resource {part}: {problem or 'it has a control character'}",
                Pointer(metadata.namespace, metadata.type, metadata.id),
            )


def _checked(changes: dict[str, Any]) -> dict[str, Any]:
    if "finalizers" in changes:
        changes["finalizers"] = names(changes["finalizers"])
    for name in ("labels", "annotations"):
        if name in changes:
            changes[name] = texts(changes[name])
    return changes


class Resource(Envelope, Generic[S_co]):
    """One resource: metadata and payload, both values.

    Two resources are equal as in COSI: by metadata without timestamps, and by payload.
    """

    __slots__ = ()

    metadata: Metadata
    spec: S_co

    if typing.TYPE_CHECKING:

        def __new__(cls, metadata: Metadata, spec: S_co) -> Self:
            """Join both without checks; :meth:`new` checks its arguments."""
            ...

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
        """Make a resource for a state to store: version undefined, no owner, running.

        ``kind`` is needed only for an :class:`AnySpec`, which does not know its own type.
        Raises :class:`InvalidResource` if the address has a control character, or if labels,
        annotations or finalizers are not texts.
        """
        where = kind or kind_of(type(spec))
        metadata = Metadata(
            namespace or where.namespace,
            where.type,
            id,
            labels=texts(labels) if labels else EMPTY,
            annotations=texts(annotations) if annotations else EMPTY,
            finalizers=names(finalizers) if finalizers else (),
        )
        check_name(metadata)
        return Resource(metadata, spec)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a resource is a value; use evolve({name}=...) to make the next one")

    @property
    def id(self) -> str:
        """The name, unique within the kind; any text without control characters."""
        return self.metadata.id

    @property
    def namespace(self) -> str:
        """The namespace; together with the type it is the :class:`Kind`."""
        return self.metadata.namespace

    @property
    def type(self) -> str:
        """The full name of its type, ``ServiceGates.runtime.talos.dev``."""
        return self.metadata.type

    @property
    def version(self) -> Version:
        """1 once created, one more after every update; ``None`` before it is stored."""
        return self.metadata.version

    @property
    def owner(self) -> str:
        """The owning controller; ``""`` if unowned (created by users)."""
        return self.metadata.owner

    @property
    def labels(self) -> FrozenMap[str, str]:
        """The labels, by which queries select."""
        return self.metadata.labels

    @property
    def finalizers(self) -> tuple[str, ...]:
        """The names of its holders, oldest first; it can be destroyed once there are none."""
        return self.metadata.finalizers

    @property
    def tearing_down(self) -> bool:
        """Whether it is being torn down: its holders must release it. This is irreversible."""
        return self.metadata.phase is Phase.TEARING_DOWN

    @property
    def pointer(self) -> Pointer:
        """The address as a value."""
        return Pointer(self.metadata.namespace, self.metadata.type, self.metadata.id)

    def evolve(self, *, spec: Any = None, **changes: Any) -> Resource[S_co]:
        """Return the resource with another payload, other metadata fields, or both.

        Raises ``AttributeError`` for a field that metadata does not have, and
        :class:`InvalidResource` for labels, annotations or finalizers that are not texts.
        """
        metadata = self.metadata.evolve(**_checked(changes)) if changes else self.metadata
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
    """The address and version of a resource that does not exist (any more, or yet); no payload."""

    __slots__ = ()

    def __new__(cls, pointer: Pointer, version: Version = None) -> Self:
        """Make the tombstone of an address; ``version`` is the last one that it had."""
        metadata = Metadata(pointer.namespace, pointer.type, pointer.id, version)
        return Envelope.__new__(cls, metadata, None)

    if not typing.TYPE_CHECKING:

        @property
        def spec(self) -> Any:
            """Raises :class:`InvalidResource`: a tombstone has no payload."""
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
