"""The filter of a ``live_only`` input: the beginning of a teardown is a destroy event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosi.state._watch import Event, EventType

Listener = Callable[[Event[Any]], None]


def live_changes(listener: Listener) -> Listener:
    """A listener that passes changes on, the first of a teardown as destroyed, and none after it.

    If the previous version of a resource is unknown, destroyed is reported: better twice than
    never.
    """

    def changed(event: Event[Any]) -> None:
        old = event.old
        if not event.resource.tearing_down:
            listener(event)
        elif event.type is not EventType.DESTROYED and not (old and old.tearing_down):
            listener(Event(EventType.DESTROYED, event.resource, old))

    return changed
