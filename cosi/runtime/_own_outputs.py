"""Filters changes of a controller's outputs: which of them wake it to finish a teardown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from cosi.resource._envelope import Kind, Resource
from cosi.resource._phase import Phase
from cosi.resource._pointer import Pointer
from cosi.state._watch import Event, EventType

# An attribute of an enumeration is looked up slowly (Python 3.11), and every write asks for these.
_DESTROYED: Final = EventType.DESTROYED
_RUNNING: Final = Phase.RUNNING


class OwnOutputs:
    """COSI's destroy-ready filter, per resource and with the owner check that COSI documents.

    ``destroy_ready(event)`` is called when an output of ``owner`` can be destroyed, when another
    client destroyed it, and when an output that was left to another owner is gone.
    """

    __slots__ = ("_destroy_ready", "_destroying", "_left_alone", "_owner")

    def __init__(self, owner: str, destroy_ready: Callable[[Event[Any]], None]) -> None:
        self._owner = owner
        self._destroy_ready = destroy_ready
        self._destroying: set[tuple[str, str]] = set()
        self._left_alone: dict[Pointer, Resource[Any]] = {}  # outputs that have another owner

    @contextmanager
    def destroying(self, kind: Kind[Any], id: str) -> Generator[None, None, None]:
        """Inside, our own teardown and destroy events for this output are filtered out."""
        key = (kind.namespace, id)
        self._destroying.add(key)
        try:
            yield
        finally:
            self._destroying.discard(key)

    def changed(self, event: Event[Any]) -> None:
        """Take a change of any resource of an output's kind, and call ``destroy_ready`` if due."""
        metadata = event.resource.metadata
        gone = event.type is _DESTROYED
        if not gone and (metadata.phase is _RUNNING or metadata.finalizers):
            return
        if metadata.owner != self._owner:
            if gone and self._left_alone and event.resource.pointer in self._left_alone:
                del self._left_alone[event.resource.pointer]
                self._destroy_ready(event)
            return
        begins = event.old is not None and not event.old.tearing_down
        if (gone or begins) and (metadata.namespace, metadata.id) in self._destroying:
            return
        self._destroy_ready(event)

    def leave_alone(self, theirs: Resource[Any]) -> bool:
        """Call ``destroy_ready`` once another owner's output is gone; return whether it is new."""
        new = theirs.pointer not in self._left_alone
        self._left_alone[theirs.pointer] = theirs
        return new

    def relisted(self, kind: Kind[Any], there: Mapping[str, Resource[Any]]) -> None:
        """After a listing, look for outputs left alone whose destroy event was missed."""
        for pointer, theirs in tuple(self._left_alone.items()):
            if (pointer.namespace, pointer.type) == (kind.namespace, kind.type):
                found = there.get(pointer.id)
                if found is None or found.owner == self._owner:
                    del self._left_alone[pointer]
                    self._destroy_ready(Event(_DESTROYED, theirs))
