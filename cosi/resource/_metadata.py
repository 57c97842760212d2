"""The metadata of a resource: address, version, owner, phase, labels, finalizers.

A ``Metadata`` is a value. ``evolve`` makes the next one; nothing is ever changed in place, so a
reader may keep its metadata for any time (COSI's events share one mutable object between the store
and every watcher).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Self

from cosi.errors import InvalidResource
from cosi.resource._fields import MetadataFields
from cosi.resource._frozen import EMPTY, FrozenMap
from cosi.resource._phase import Phase

Version = int | None
"""``None`` is *undefined*, which is not the same as 0 (COSI: "Version")."""

Uid = int
"""128 bits, unique to one incarnation of a resource; a number, because each creation makes one."""

MAX_VERSION: Final = 2**64 - 1


def parse_phase(text: str) -> Phase:
    """Read ``running`` or ``tearingDown``; raises :class:`InvalidResource` on anything else."""
    try:
        return Phase(text)
    except ValueError:
        raise InvalidResource(f"unknown phase: {text}") from None


def parse_version(text: str) -> Version:
    """Read ``undefined`` or a decimal number.

    Raises :class:`InvalidResource` for anything but 0 to 2**64-1. COSI's reader takes a signed
    number and turns ``-1`` into 2**64-1.
    """
    if text == "undefined":
        return None
    if text.isascii() and text.isdecimal() and int(text) <= MAX_VERSION:
        return int(text)
    raise InvalidResource(f"error parsing version: {text!r} is not a version")


def format_version(version: Version) -> str:
    """Write a version as COSI does: ``undefined`` or decimal digits."""
    return "undefined" if version is None else str(version)


def texts(items: Mapping[str, str]) -> FrozenMap[str, str]:
    """Return labels or annotations as a value.

    Raises :class:`InvalidResource` if they are not a mapping of text to text. Otherwise the error
    would come much later, when the kind is sent to another program, and every listing would fail.
    """
    if not isinstance(items, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise InvalidResource(f"{items!r} is not a mapping of text to text")
    for key, value in items.items():
        if not (isinstance(key, str) and isinstance(value, str)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidResource(f"{key!r}: {value!r} is not text to text")
    return items if isinstance(items, FrozenMap) else FrozenMap(items)


def names(finalizers: Sequence[str]) -> tuple[str, ...]:
    """Return finalizers as a value.

    Raises :class:`InvalidResource` if they are not a sequence of names; ``("me")`` is a plain text.
    """
    try:
        "".join(finalizers)
    except TypeError:
        sound = False
    else:
        sound = not isinstance(finalizers, str)
    if not sound:
        raise InvalidResource(f"finalizers {finalizers!r} are not a tuple of names")
    return tuple(finalizers)


class Metadata(MetadataFields):
    """All of a resource except its payload.

    ``created`` and ``updated`` are timezone-aware. ``finalizers`` is an ordered set. ``uid``
    distinguishes two incarnations of one address; it stays in the process and its backing store and
    is never sent (differences: COSI 13: versions restart at 1 after destroy and create).
    """

    __slots__ = ()

    def __new__(  # noqa: PLR0917  # the three parts of an address need no names
        cls,
        namespace: str,
        type: str,
        id: str,
        version: Version = None,
        owner: str = "",
        phase: Phase = Phase.RUNNING,
        created: datetime | None = None,
        updated: datetime | None = None,
        labels: FrozenMap[str, str] = EMPTY,
        annotations: FrozenMap[str, str] = EMPTY,
        finalizers: tuple[str, ...] = (),
        uid: Uid | None = None,
    ) -> Self:
        """``created`` and ``updated`` (aware) default to the current time, in UTC."""
        if created is None or updated is None:
            now = datetime.now(UTC)
            created, updated = created or now, updated or now
        return cls.of(
            namespace, type, id, version, owner, phase, created, updated,
            labels, annotations, finalizers, uid,
        )  # fmt: skip

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"metadata is a value; use evolve({name}=...) to make the next one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("metadata is a value")

    def __eq__(self, other: object) -> bool:
        """Compare as COSI does: without timestamps (and uid), finalizers in any order."""
        if self is other:
            return True
        if not isinstance(other, Metadata):
            return NotImplemented
        return (
            self.version == other.version
            and self.id == other.id
            and self.type == other.type
            and self.namespace == other.namespace
            and self.phase is other.phase
            and self.owner == other.owner
            and self.labels == other.labels
            and self.annotations == other.annotations
            and (
                self.finalizers == other.finalizers
                or sorted(self.finalizers) == sorted(other.finalizers)
            )
        )

    def __hash__(self) -> int:
        return hash((self.namespace, self.type, self.id, self.version))

    def __str__(self) -> str:
        return f"{self.type}({self.namespace}/{self.id}@{format_version(self.version)})"

    def __repr__(self) -> str:
        return f"<Metadata {self}>"

    def __copy__(self) -> Metadata:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Metadata:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            Metadata,
            (
                self.namespace,
                self.type,
                self.id,
                self.version,
                self.owner,
                self.phase,
                self.created,
                self.updated,
                self.labels,
                self.annotations,
                self.finalizers,
                self.uid,
            ),
        )
