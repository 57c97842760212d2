"""The fields of metadata and of resources, in Python.

An object is filled in as a mutable draft, then frozen by a change of its class. This costs a third
of bypassing a refusing ``__setattr__`` for every field (measured), and every write makes one of
each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from cosi.resource._frozen import FrozenMap
from cosi.resource._phase import Phase


class MetadataFields:
    """The twelve fields of :class:`~cosi.Metadata`."""

    __slots__ = (
        "annotations",
        "created",
        "finalizers",
        "id",
        "labels",
        "namespace",
        "owner",
        "phase",
        "type",
        "uid",
        "updated",
        "version",
    )

    namespace: str
    type: str
    id: str
    version: int | None
    owner: str
    phase: Phase
    created: datetime
    updated: datetime
    labels: FrozenMap[str, str]
    annotations: FrozenMap[str, str]
    finalizers: tuple[str, ...]
    uid: int | None

    @classmethod
    def of(  # noqa: PLR0917  # by position, the fastest way: every write calls this
        cls,
        namespace: str,
        type: str,
        id: str,
        version: int | None,
        owner: str,
        phase: Phase,
        created: datetime,
        updated: datetime,
        labels: FrozenMap[str, str],
        annotations: FrozenMap[str, str],
        finalizers: tuple[str, ...],
        uid: int | None,
        /,
    ) -> Self:
        """Make one from all fields in order, without checks."""
        made = _Draft()
        made.namespace = namespace
        made.type = type
        made.id = id
        made.version = version
        made.owner = owner
        made.phase = phase
        made.created = created
        made.updated = updated
        made.labels = labels
        made.annotations = annotations
        made.finalizers = finalizers
        made.uid = uid
        # The same slots, but no setters.
        made.__class__ = cls  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        return made  # type: ignore[return-value]  # a cast would be a call

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with ``changes``; the fields are those of the constructor.

        Raises ``AttributeError`` for any other.
        """
        # Written out because a loop over the names takes three times as long.
        made = _Draft()
        made.namespace = self.namespace
        made.type = self.type
        made.id = self.id
        made.version = self.version
        made.owner = self.owner
        made.phase = self.phase
        made.created = self.created
        made.updated = self.updated
        made.labels = self.labels
        made.annotations = self.annotations
        made.finalizers = self.finalizers
        made.uid = self.uid
        for name, value in changes.items():
            setattr(made, name, value)
        made.__class__ = type(self)  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        return made  # type: ignore[return-value]


class _Draft(MetadataFields):
    """Metadata that is still being filled in."""

    __slots__ = ()


class Envelope:
    """The two parts of a :class:`~cosi.Resource`, and the API's encoding of both."""

    __slots__ = ("_encoded", "metadata", "spec")

    metadata: Any
    spec: Any
    _encoded: bytes  # set by cosi.api: encoded once, sent to every watcher

    def __new__(cls, metadata: Any, spec: Any) -> Self:
        """Join both without checks."""
        made = object.__new__(cls)
        _set_metadata(made, metadata)
        _set_spec(made, spec)
        return made


_set_metadata = Envelope.__dict__["metadata"].__set__
_set_spec = Envelope.__dict__["spec"].__set__
