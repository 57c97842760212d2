"""What is remembered of a service besides what runs, so that a supervisor may be killed.

A service that was over stays over, and one that a person has stopped stays stopped, until its
definition changes or somebody asks for a start. Talos forgets both (differences: Talos 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from resources.service_state import ServicePhase


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Of one service."""

    held: bool = False
    """Whether a person asked for a stop, and for no start since then."""
    digest: str = ""
    """Of the container whose life is over; "" if none is."""
    phase: ServicePhase = ServicePhase.INITIALIZED
    """How that ended, and in words."""
    text: str = ""
    exit_code: int | None = None
    at: datetime | None = None
    """When this was remembered."""
