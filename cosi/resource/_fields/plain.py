"""The fields of metadata and of resources, in Python.

Filled in while they may be, then frozen by their class: measured at a third of what it costs to get
past a refusing ``__setattr__`` for every field, and every write makes one of each.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from cosi.resource._frozen import FrozenMap
from cosi.resource._phase import Phase


class MetadataFields:
    """Twelve fields; see :class:`~cosi.Metadata`."""

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
    def of(  # noqa: PLR0917  # by position: nothing is faster, and there is one for every write
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
        """All of them in their order, as they are."""
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
        # Same slots, no setters.
        made.__class__ = cls  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
        return made  # type: ignore[return-value]  # a cast would be a call

    def evolve(self, **changes: Any) -> Self:
        """Return a copy with ``changes``; the fields are those of the constructor.

        Raises ``AttributeError`` for any other.
        """
        # Written out, as above: a loop over the names takes three times as long.
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
    """The two parts of a :class:`~cosi.Resource`, and what the API keeps with them."""

    __slots__ = ("_encoded", "metadata", "spec")

    metadata: Any
    spec: Any
    _encoded: bytes  # by cosi.api: encoded once, sent to every watcher

    def __new__(cls, metadata: Any, spec: Any) -> Self:
        """Both, as they are."""
        made = object.__new__(cls)
        _set_metadata(made, metadata)
        _set_spec(made, spec)
        return made


_set_metadata = Envelope.__dict__["metadata"].__set__
_set_spec = Envelope.__dict__["spec"].__set__
