"""Changes as a ``live_only`` input sees them: what is being torn down is gone already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cosi.state._watch import Event, EventType

Listener = Callable[[Event[Any]], None]


def live_changes(listener: Listener) -> Listener:
    """A listener to which the beginning of a teardown is the end, and what comes after it nothing.

    Where it is not known what was before, it hears of an end once too often rather than never.
    """

    def changed(event: Event[Any]) -> None:
        old = event.old
        if not event.resource.tearing_down:
            listener(event)
        elif event.type is not EventType.DESTROYED and not (old and old.tearing_down):
            listener(Event(EventType.DESTROYED, event.resource, old))

    return changed
