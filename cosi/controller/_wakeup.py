"""Wake-up causes: the reason, and the resource that changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cosi.resource._envelope import Resource
from cosi.state._watch import Event, EventType


class Reason(StrEnum):
    """The kind of event that woke a controller."""

    STARTED = "started"
    """The controller starts: everything is new to it."""
    RESTARTED = "restarted"
    """The last pass failed; its causes are delivered again."""
    CREATED = "created"
    UPDATED = "updated"
    DESTROYED = "destroyed"
    RETARGETED = "retargeted"
    """An input was pointed at another target."""
    TIMER = "timer"
    """``wake_after``, a requeue, or a retry is due."""
    CALLED = "called"
    """``wake()`` was called."""


_OF_EVENT = {
    EventType.CREATED: Reason.CREATED,
    EventType.UPDATED: Reason.UPDATED,
    EventType.DESTROYED: Reason.DESTROYED,
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a pass: the reason, and the version of the resource that changed, if any.

    Several changes of one resource between two passes are one cause, with the last version.
    """

    reason: Reason
    resource: Resource[Any] | None = None

    def __str__(self) -> str:
        return f"{self.reason} {self.resource}" if self.resource is not None else str(self.reason)


def cause_of(event: Event[Any]) -> Cause:
    """The cause that stands for an event of a watch."""
    return Cause(_OF_EVENT[event.type], event.resource)
