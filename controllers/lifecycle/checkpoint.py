"""The record about a service on disk, so that its state survives a killed supervisor.

An ended service stays ended, and a service that a user stopped stays stopped, until its definition
changes or a user requests a start. Talos forgets both (differences: Talos 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from resources.service_state import ServicePhase


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The record of one service."""

    held: bool = False
    """Whether a user requested a stop, and no start since then."""
    digest: str = ""
    """The digest of the ended container; "" if none has ended."""
    phase: ServicePhase = ServicePhase.INITIALIZED
    """The phase in which it ended, and the message below."""
    text: str = ""
    exit_code: int | None = None
    at: datetime | None = None
    """When the record was written."""
